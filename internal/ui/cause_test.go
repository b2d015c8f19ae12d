package ui

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"coffer/internal/access"
)

// Every code of the seal and the store has a cause, so that the page of a shut
// box never leaves anybody without a next step, and each cause has its steps.
func TestEveryCodeHasACause(t *testing.T) {
	code, seen := regexp.MustCompile(`(SEAL|STORE)-[0-9]{3}`), 0
	for _, dir := range []string{"seal", "vault", "ops"} {
		files, err := filepath.Glob("../" + dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range code.FindAllString(string(text), -1) {
				seen++
				if causes[found] == nil {
					t.Errorf("%s has no cause", found)
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d codes were found", seen)
	}
	for name, c := range causes {
		if c.Head == "" || c.Tone == "" || len(c.IT) == 0 || len(c.Owner) == 0 {
			t.Errorf("the cause of %s leaves somebody without a step", name)
		}
	}
}

// Every action of the policy has words for the trail.
func TestEveryActionHasWords(t *testing.T) {
	row := regexp.MustCompile(`(?m)^([a-z]+(?:\.[a-z]+)?) +(?:yes|no|own|assigned)`)
	found := row.FindAllStringSubmatch(access.Matrix(), -1)
	if len(found) < 50 {
		t.Fatalf("only %d actions were found", len(found))
	}
	for _, action := range found {
		if actNames[access.Action(action[1])] == "" {
			t.Errorf("%s has no words", action[1])
		}
	}
}
