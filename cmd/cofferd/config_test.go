package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigSaysWhatToWrite gives wrong boot files and demands that the answer
// names the setting and what to write instead.
func TestConfigSaysWhatToWrite(t *testing.T) {
	const clinic = "clinic = \"C\"\n"
	for name, c := range map[string]struct{ text, want string }{
		"misspelt":      {clinic + "lissten = \"127.0.0.1:1\"\n", "lissten"},
		"no clinic":     {"zone = \"America/Chicago\"\n", "clinic: write the clinic's name"},
		"no zone":       {clinic + "zone = \"Mars/Olympus\"\n", "zone: \"Mars/Olympus\" is not a time zone"},
		"every network": {clinic + "listen = \":443\"\n", "would listen on every network"},
		"every address": {clinic + "listen = \"0.0.0.0:443\"\n", "would listen on every network"},
		"every IPv6":    {clinic + "listen = \"[::]:443\"\n", "would listen on every network"},
		"relative":      {clinic + "state = \"here\"\n", "write whole paths"},
		"no names":      {clinic + "names = []\n", "names: write the names"},
		"broken":        {clinic + "listen = \n", "listen"},
		"terminal name": {clinic + "[[terminal]]\naddress = \"serial:/dev/x\"\nprofile = \"sim-pax\"\n", "a name of its own"},
		"terminal line": {clinic + "[[terminal]]\nname = \"a\"\naddress = \"/dev/x\"\nprofile = \"sim-pax\"\n", "address must be serial:/dev/"},
		"profile":       {clinic + "[[terminal]]\nname = \"a\"\naddress = \"tcp:127.0.0.1:1\"\nprofile = \"none\"\n", "there is no profile \"none\""},
		"merchant":      {clinic + "[[terminal]]\nname = \"a\"\naddress = \"tcp:127.0.0.1:1\"\nprofile = \"sim-simplify\"\nlocation = \"A,\\nB\"\n", "location and chain are up to 32"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "cofferd.toml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := readConfig(file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want words with %q", err, c.want)
			}
		})
	}
	if _, err := readConfig(filepath.Join(t.TempDir(), "none.toml")); err == nil {
		t.Error("a missing boot file passes")
	}
}
