package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// mentioned is a command as words name it.
var mentioned = regexp.MustCompile(`cofferctl ([a-z]+)(?: ([a-z][a-z-]+))?`)

// TestWordsNameCommandsThatExist reads every text of the program and of its
// guides: whoever follows one must not meet "unknown command".
func TestWordsNameCommandsThatExist(t *testing.T) {
	root := newCommand(io.Discard, io.Discard)
	seen := 0
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		switch filepath.Ext(path) {
		case ".go", ".md", ".html":
		default:
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range mentioned.FindAllStringSubmatch(string(text), -1) {
			command := child(root, m[1])
			if command == nil {
				continue // a sentence that goes on after the program's name
			}
			seen++
			if command.HasSubCommands() && m[2] != "" && child(command, m[2]) == nil {
				t.Errorf("%s: %q is no command", path, m[0])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("only %d commands are named: this test does not find them", seen)
	}
}

// child returns the command of a name under another, nil when there is none.
func child(of *cobra.Command, name string) *cobra.Command {
	for _, c := range of.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}
