package till_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"coffer/internal/terminal/sim"
	"coffer/internal/till/tilltest"
)

// childVar tells this binary to be a child of a campaign.
const childVar = "COFFER_TILL_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		if err := tilltest.Child(os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

func child(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), childVar+"=1")
	return c
}

// One thousand seeded payments amid faults of line, terminal and people, shared
// by the protocols, a quarter of them with SIGKILL of the daemon at a journal
// event: nothing is lost, nothing doubled, nothing stays unknown.
func TestCampaign(t *testing.T) {
	for _, speaks := range sim.Protocols() {
		t.Run(string(speaks), func(t *testing.T) { campaign(t, speaks, 1000/len(sim.Protocols())) })
	}
}

func campaign(t *testing.T, speaks sim.Protocol, runs int) {
	if testing.Short() {
		runs = 48
	}
	dir, err := os.MkdirTemp("", "till") // short enough for sockets in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	r, err := tilltest.Run(t.Context(), tilltest.Campaign{
		Runs: runs, Seed: 1, Kill: true, Protocol: speaks, Child: child, Dir: dir,
	})
	if err != nil {
		t.Error(err)
	}
	for _, p := range r.Problems {
		t.Error(p)
	}
	t.Log(r)
	if kinds := len(speaks.Kinds()); !testing.Short() && r.Kinds != kinds {
		t.Errorf("%d of %d kinds of faults were met", r.Kinds, kinds)
	}
	if !r.OK() || r.Killed < runs/8 || r.Charges == 0 || r.Messages < 2*r.Charges {
		t.Errorf("the campaign failed: %v", r)
	}
}
