package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TestMain runs the child's part when the test binary is run as a child.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "child" {
		if err := child(context.Background(), place{os.Args[2]}, os.Args[3], os.Args[4], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestAShortCampaign is the campaign with few rounds.
func TestAShortCampaign(t *testing.T) {
	dir, err := os.MkdirTemp("", "vc") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := newCampaign(place{dir}, 1, &out, func(args ...string) *exec.Cmd {
		return exec.Command(os.Args[0], append([]string{"child"}, args...)...)
	})
	if err := c.run(t.Context(), 24); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
	if c.commits == 0 || c.tpmKills == 0 || c.seals == 0 {
		t.Errorf("%d commits, %d kills of the TPM, %d seals", c.commits, c.tpmKills, c.seals)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}
