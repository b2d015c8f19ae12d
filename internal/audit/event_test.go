package audit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLeafIsCanonicalJSON(t *testing.T) {
	e := Event{Seq: 7, Time: time.Date(2026, 3, 31, 9, 5, 0, 42000, time.FixedZone("", -5*3600)), Boot: "b",
		Actor: "o\"b\\r\nien", Via: "lan:192.0.2.7", Session: "s", Act: "payment.take", Object: "client:01", Outcome: OK}
	want := `{"v":1,"seq":7,"time":"2026-03-31T14:05:00.000042Z","boot":"b","actor":"o\"b\\r\u000aien","via":"lan:192.0.2.7",` +
		`"session":"s","act":"payment.take","obj":"client:01","outcome":"ok","commit":"0000000000000000000000000000000000000000000000000000000000000000"}`
	if got := string(e.AppendLeaf(nil)); got != want {
		t.Errorf("leaf is\n%s, want\n%s", got, want)
	}
	if got := string(NewOpening([32]byte{}, Detail{"a", "1"}, Detail{"b", "\""}).Private); got != `{"a":"1","b":"\""}` {
		t.Errorf("opening is %s", got)
	}
}

func TestLeavesReadBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.String()
		e := Event{Seq: rapid.Uint64().Draw(r, "seq"), Time: time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(r, "time")).UTC(),
			Boot: text.Draw(r, "boot"), Actor: text.Draw(r, "actor"), Via: text.Draw(r, "via"), Session: text.Draw(r, "session"),
			Act: text.Draw(r, "act"), Object: text.Draw(r, "obj"), Outcome: Outcome(text.Draw(r, "outcome")), Commit: LeafHash(nil)}
		leaf := e.AppendLeaf(nil)
		if !json.Valid(leaf) {
			r.Fatalf("not JSON: %q", leaf)
		}
		got, err := ParseLeaf(leaf)
		if err != nil || got != e {
			r.Fatalf("%q reads back as %+v, %v", leaf, got, err)
		}
	})
}

func TestOpeningsReadBack(t *testing.T) {
	o := NewOpening([32]byte{1, 2}, Detail{"k", "v"})
	b, err := o.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got Opening
	if err := got.UnmarshalBinary(b); err != nil || got.Commit() != o.Commit() || got.IsZero() {
		t.Errorf("opening reads back as %+v, %v", got, err)
	}
	if err := got.UnmarshalBinary(b[:31]); err == nil {
		t.Error("an opening without a whole salt was read")
	}
}

func TestParseLeafRefusesOtherForms(t *testing.T) {
	leaf := string(Event{Actor: "desk", Outcome: OK}.AppendLeaf(nil))
	for _, change := range []struct{ from, to string }{
		{`"v":1`, `"v":2`}, {`"v":1`, `"v": 1`}, {`"seq":0`, `"seq":00`}, {`"seq":0`, `"seq":-1`}, {`"seq":0`, `"seq":18446744073709551616`},
		{`desk`, `\u0064esk`}, {`desk`, `d\/esk`}, {`desk`, "d\nesk"}, {`desk`, "d\xffesk"}, {`desk`, `d\`}, {`desk`, `d\u00`},
		{`,"boot":""`, ``}, {`"boot"`, `"Boot"`}, {`}`, `} `}, {`}`, `}}`}, {`0Z`, `0+00:00`}, {`"commit":"00`, `"commit":"0`}, {`"commit":"00`, `"commit":"AA`},
		{`desk`, strings.Repeat("x", leafBytesMax)},
	} {
		changed := strings.Replace(leaf, change.from, change.to, 1)
		if _, err := ParseLeaf([]byte(changed)); err == nil || changed == leaf {
			t.Errorf("%q was accepted", changed)
		}
	}
}

// FuzzParseLeaf: what is read is exactly what would be written.
func FuzzParseLeaf(f *testing.F) {
	f.Add(Event{Actor: "desk", Act: "signin", Outcome: Denied}.AppendLeaf(nil))
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`{"v":1,"seq":0,"seq":1}`))
	f.Fuzz(func(t *testing.T, leaf []byte) {
		e, err := ParseLeaf(leaf)
		if err == nil && string(e.AppendLeaf(nil)) != string(leaf) {
			t.Errorf("%q was accepted and is not canonical", leaf)
		}
	})
}
