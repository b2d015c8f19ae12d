package backup

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// smallMedium mounts a file system of a few kilobytes for the test. Without
// the right to mount it runs the test again in a name space that has it, and
// returns false.
func smallMedium(t *testing.T) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16k,mode=0700"); err == nil {
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
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

// TestMediumIsFull: the outcome says so, what was cut off is no backup, and
// the schedule of the store goes on.
func TestMediumIsFull(t *testing.T) {
	dir, ok := smallMedium(t)
	if !ok {
		return
	}
	c := newClinic(t)
	c.post(t, 400)
	small, err := NewTarget(TargetConfig{Name: "small", Target: "dir:" + dir})
	if err != nil {
		t.Fatal(err)
	}
	c.k.options.Targets = append(c.k.options.Targets, small)
	all, err := c.k.BackUp(t.Context(), it, "")
	if err != nil || len(all) != 2 || !all[0].OK || all[1].Code != string(Code(ErrTargetFull)) {
		t.Fatalf("%+v, %v", all, err)
	}
	list, unfinished, err := small.List(t.Context())
	if err != nil || len(list) != 0 || unfinished != 1 {
		t.Errorf("%v, %d, %v", list, unfinished, err)
	}
}

// TestScratchIsFull: a drill that has no room says that, not that the backup
// is bad.
func TestScratchIsFull(t *testing.T) {
	dir, ok := smallMedium(t)
	if !ok {
		return
	}
	c := newClinic(t)
	c.backUp(t)
	c.k.options.Scratch = dir + "/scratch"
	o, err := c.k.Drill(t.Context(), it, "", "")
	if err != nil || o.OK || o.Code != string(Code(ErrScratch)) || !strings.Contains(o.What, "room") {
		t.Errorf("%+v, %v", o, err)
	}
}
