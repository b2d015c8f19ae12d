package vault_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/phi"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// smallDisk mounts a file system of a few megabytes for the test. Without the
// right to mount it runs the test again in a name space that has it, and
// returns false.
func smallDisk(t *testing.T) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=0700"); err == nil {
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		return dir, true
	}
	if os.Getenv("COFFER_TEST_NAMESPACE") != "" {
		t.Fatal("no right to mount, not even in a user name space")
	}
	c := exec.CommandContext(t.Context(), "unshare", "-rm", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), "COFFER_TEST_NAMESPACE=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("in a name space: %v\n%s", err, out)
	}
	return "", false
}

func insertClient(v *vault.Vault, t *testing.T) error {
	return v.Update(t.Context(), writing, func(tx *vault.Tx) error {
		row := vault.Row[note, person]{Client: people[0], Shared: note{Tag: "d"}, Private: person{phi.NewText(strings.Repeat("x", 3000))}}
		_, err := clients.Insert(tx, row)
		return err
	})
}

func TestDiskFullLosesNothingAndEnds(t *testing.T) {
	dir, ok := smallDisk(t)
	if !ok {
		return
	}
	o := vault.Options{Dir: dir + "/store", Key: sealtest.Key(t), Tables: []vault.AnyTable{clients}, MapBytes: 1 << 30}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	filler, saved := dir+"/filler", uint64(0)
	for round := range 3 {
		fill(t, filler)
		for err = nil; err == nil; {
			if err = insertClient(v, t); err == nil {
				saved++
			}
		}
		if !errors.Is(err, vault.ErrDiskFull) || fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Message(err), "Ask IT to free space") {
			t.Fatalf("round %d: %v", round, err)
		}
		if n := v.Status().Records; n != saved {
			t.Errorf("round %d: %d records in memory, %d saved", round, n, saved)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		if err := insertClient(v, t); err != nil { // it goes on by itself
			t.Fatalf("round %d, with space again: %v", round, err)
		}
		saved++
		if _, err := v.Check(t.Context(), verify); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err = vault.Open(t.Context(), accesstest.System("test"), o); err != nil {
		t.Fatal(err)
	}
	if n := v.Status().Records; n != saved {
		t.Errorf("%d records on the disk, %d saved", n, saved)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

// fill takes all but a little of the space.
func fill(t *testing.T, name string) {
	t.Helper()
	var fs unix.Statfs_t
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, (int64(fs.Bavail)-20)*fs.Bsize)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
