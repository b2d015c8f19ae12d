package main

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/internal/host"
	"coffer/internal/recovery"
	"coffer/internal/seal/sealtest"
)

// TestRootLeavesTheOwnersFilesAlone gives the state directory to another user
// and has root use what works without the daemon: each is refused, with the
// command to type instead, and no file of root's is left.
func TestRootLeavesTheOwnersFilesAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can give files away; what is tested here is refused for root alone")
		return
	}
	const owner = 64123 // nobody's
	b := newBox(t, sealtest.TPM(t))
	sheet := b.setUp(t)
	give := func(uid int) {
		err := filepath.WalkDir(b.config.State, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, uid, uid)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	give(owner)
	for args, answers := range map[string]string{
		"doctor": "", "seal status": "", "recovery open --reason mainboard-exchanged": sheet + "\n",
		"restore --reason the-box-burnt-down": recovery.New().Text() + "\n",
	} {
		out, talk, exit := b.answering(t, answers, append(strings.Fields(args), "--config", b.file())...)
		if exit != 4 || !strings.Contains(talk, "sudo -u '#64123' cofferctl") || out != "" {
			t.Errorf("cofferctl %s exits %d:\n%s%s", args, exit, out, talk)
		}
	}
	for _, command := range []string{"run", "init"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, program(t, "cofferd"), command, "--config", b.file()).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "sudo -u '#64123' cofferctl") {
			t.Errorf("cofferd %s: %v\n%s", command, err, out)
		}
	}
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == b.dir || path == b.file() {
			return err
		}
		if !ownedBy(t, path, owner) {
			t.Errorf("%s is root's", d.Name())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	give(os.Geteuid())
	if out, talk, exit := b.answering(t, "", "seal", "status", "--config", b.file()); exit != 5 {
		t.Errorf("as the owner, cofferctl seal status exits %d:\n%s%s", exit, out, talk)
	}
}

func ownedBy(t *testing.T, path string, uid uint32) bool {
	t.Helper()
	e, err := host.EntryAt(path)
	if err != nil {
		t.Fatal(err)
	}
	return e.Owner == uid
}
