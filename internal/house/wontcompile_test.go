package house

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWontCompile proves that the compiler itself refuses what the house
// forbids. Each file of testdata/wontcompile is laid over package till; its
// first line says what the compiler must complain of.
func TestWontCompile(t *testing.T) {
	root := moduleRoot(t)
	files, err := filepath.Glob("testdata/wontcompile/*.go.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".go.txt"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want, _, _ := strings.Cut(strings.TrimPrefix(string(text), "// "), "\n")
			out := compileOver(t, root, name)
			if !strings.Contains(out, want) {
				t.Errorf("the compiler should have said %q, but said:\n%s", want, out)
			}
		})
	}
}

// compileOver compiles package till with the file added to it and returns
// what the compiler said.
func compileOver(t *testing.T, root, file string) string {
	t.Helper()
	abs, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(root, "internal/till/wontcompile.go"): abs},
	})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-overlay", list, "./internal/till")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("%s compiles", file)
	}
	return string(out)
}
