package vault_test

import (
	"os"
	"path/filepath"
	"testing"
)

// bare leaves a store's own file and coffer.last alone in its directory, as if
// the journal was lost together with the seal of the last stop.
func bare(t testing.TB, dir string) {
	t.Helper()
	for _, pattern := range []string{"coffer.journal*", "coffer.clean*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}
