package phi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const secret = "Wilhelmina Quist"

// TestNothingPrintsIt prints a value, alone and inside other values, in every
// way that Go prints by itself.
func TestNothingPrintsIt(t *testing.T) {
	type record struct {
		Name  Text
		Alias *Text
		Many  []Text
		ByKey map[string]Text
	}
	text := NewText(secret)
	r := record{text, &text, []Text{text}, map[string]Text{"k": text}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10.3v", "%U"} {
		fmt.Fprintf(&out, verb+"\n", text)
		fmt.Fprintf(&out, verb+"\n", &text)
		fmt.Fprintf(&out, verb+"\n", r)
	}
	fmt.Fprintln(&out, text, r, fmt.Errorf("cannot read %v: %w", text, errors.New("x")))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "name", text, "record", r)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "name", text, "record", r)
	if err := json.NewEncoder(&out).Encode(r); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{secret, "Wilhelmina", "Quist", fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), "W. Q."} {
		if strings.Contains(out.String(), part) {
			t.Errorf("%q was printed", part)
		}
	}
	if !strings.Contains(out.String(), Redacted) {
		t.Error("nothing was printed at all")
	}
}

func TestStorageForm(t *testing.T) {
	b, err := NewText("  " + secret + "\n").MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back Text
	if err := back.UnmarshalBinary(b); err != nil || back.Reveal() != secret {
		t.Errorf("stored and read back, it is %q", back.Reveal())
	}
}
