package ident

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestOneTextForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := New[Client](time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "ms")))
		back, err := Parse[Client](id.String())
		if err != nil || back != id {
			t.Fatalf("%s reads as %s, %v", id, back, err)
		}
		raw, _ := id.MarshalBinary()
		var stored ID[Client]
		if err := stored.UnmarshalBinary(raw); err != nil || stored != id {
			t.Fatalf("%s is stored as %s, %v", id, stored, err)
		}
	})
}

func TestLaterSortsLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(0, 1<<46).Draw(t, "ms")
		b := a + rapid.Int64Range(1, 1<<40).Draw(t, "later")
		if x, y := New[Entry](time.UnixMilli(a)).String(), New[Entry](time.UnixMilli(b)).String(); x >= y {
			t.Fatalf("%s is made before %s and sorts after it", x, y)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	good := New[Client](time.Now()).String()
	upper := []byte(good)
	upper[len(upper)-2] = 'U'
	for _, s := range []string{"", "x", good[1:], good + "0", string(upper), good[:25] + "z", "'; drop --", "00000000-0000-0000-0000-000000000000"} {
		if id, err := Parse[Client](s); err == nil && id.String() != good {
			t.Errorf("Parse(%q) = %s", s, id)
		}
	}
}

func TestJSON(t *testing.T) {
	id := New[Client](time.Now())
	b, err := json.Marshal(id)
	if err != nil || string(b) != `"`+id.String()+`"` {
		t.Fatalf("%s, %v", b, err)
	}
	var back ID[Client]
	if err := json.Unmarshal(b, &back); err != nil || back != id {
		t.Errorf("%v, %v", back, err)
	}
	if err := back.UnmarshalBinary(b[:3]); err == nil {
		t.Error("three bytes are no identifier")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(New[Client](time.UnixMilli(0)).String())
	f.Add("zzzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := Parse[Client](s); err == nil && id.String() != s {
			t.Errorf("%q and %q are one identifier", s, id)
		}
	})
}
