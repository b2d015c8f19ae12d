package identity

import (
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// small are costs at which a test can hash often.
var small = Params{Time: 1, MemoryKiB: 64, Threads: 1}

func smallIdentity() *Identity {
	return &Identity{hash: small, hashing: make(chan struct{}, hashesAtOnce)}
}

func TestHashAndMatch(t *testing.T) {
	i := smallIdentity()
	const word = "a heron in the harbor"
	stored, err := i.newHash(t.Context(), word)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("stored as %q", stored)
	}
	for _, row := range []struct {
		stored, password string
		want             bool
	}{
		{stored, word, true},
		{stored, word + " ", false},
		{stored, "A heron in the harbor", false},
		{stored, "", false},
		{"", word, false},
		{"", "", false},
	} {
		got, err := i.matches(t.Context(), row.stored, row.password)
		if err != nil || got != row.want {
			t.Errorf("matches(%q, %q) = %v, %v", row.stored, row.password, got, err)
		}
	}
	again, err := i.newHash(t.Context(), word)
	if err != nil || again == stored {
		t.Errorf("two hashes of one password are the same (%v)", err)
	}
}

// TestDerive compares with the reference vector of the Argon2 program:
// argon2id, t=2, m=64 KiB, p=1, "password" under "somesalt".
func TestDerive(t *testing.T) {
	key, err := smallIdentity().derive(t.Context(), "password", Params{Time: 2, MemoryKiB: 64, Threads: 1}, []byte("somesalt"), 24)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(key), "068d62b26455936aa6ebe60060b0a65870dbfa3ddf8d41f7"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
}

func TestParsePHCRefuses(t *testing.T) {
	good := "$argon2id$v=19$m=65536,t=3,p=2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if h, err := parsePHC(good); err != nil || h.Params != ParamsDefault {
		t.Fatalf("the good one: %v, %v", h.Params, err)
	}
	for name, edit := range map[string][2]string{
		"algorithm":    {"argon2id", "argon2i"},
		"version":      {"v=19", "v=16"},
		"no memory":    {"m=65536", "m=0"},
		"huge memory":  {"m=65536", "m=4294967295"},
		"no time":      {"t=3", "t=0"},
		"huge time":    {"t=3", "t=1000"},
		"no threads":   {"p=2", "p=0"},
		"many threads": {"p=2", "p=255"},
		"order":        {"m=65536,t=3", "t=3,m=65536"},
		"plus sign":    {"t=3", "t=+3"},
		"leading zero": {"t=3", "t=03"},
		"space":        {"$m", " $m"},
		"padding":      {"AAA$", "AAA=$"},
		"stray bits":   {"AA$A", "AB$A"},
		"short salt":   {"$AAAAAAAAAAAAAAAAAAAAAA$", "$AAAA$"},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if _, err := parsePHC(bad); err == nil || bad == good {
			t.Errorf("%s: %q was accepted", name, bad)
		}
	}
}

func TestPHCRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := phc{
			Params: Params{
				Time:      rapid.Uint32Range(1, 64).Draw(t, "time"),
				MemoryKiB: rapid.Uint32Range(1, memoryMaxKiB).Draw(t, "memory"),
				Threads:   rapid.Uint8Range(1, 64).Draw(t, "threads"),
			},
			salt: rapid.SliceOfN(rapid.Byte(), 8, 64).Draw(t, "salt"),
			key:  rapid.SliceOfN(rapid.Byte(), 16, 64).Draw(t, "key"),
		}
		got, err := parsePHC(h.String())
		if err != nil || got.String() != h.String() || got.Params != h.Params {
			t.Fatalf("%q reads as %v, %v", h.String(), got, err)
		}
	})
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=3,p=2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$BojWKyZFWTaqy+YAYLC2pYcNu/o9341B9w")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Errorf("%q was accepted and is written %q", s, h.String())
		}
		if h.MemoryKiB > memoryMaxKiB || h.Time < 1 || h.Threads < 1 {
			t.Errorf("%q was accepted with costs %+v", s, h.Params)
		}
	})
}
