package ops_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"coffer/internal/ops"
)

// TestWhatIsNoListOfRefusals: whatever stands where failed openings are
// remembered, the books open, it leaves an event, and is gone.
func TestWhatIsNoListOfRefusals(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"FIFO": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link": func(path string) error { return os.Symlink("/dev/zero", path) },
		"huge": func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 3<<30)) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			v := b.open(t)
			path := filepath.Join(b.machine.State, "coffer.refused")
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			before := v.Status().Events
			b.opened(t, ops.Store{Vault: v})
			if v.Status().Events == before {
				t.Error("it left no event")
			}
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
		})
	}
}
