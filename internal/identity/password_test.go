package identity

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/fault"
)

func TestCheckPassword(t *testing.T) {
	i := smallIdentity()
	WithClinicWords("Harbor Lane Counseling", "12 Quay St")(i)
	table := []struct {
		why, password string
		ok            bool
	}{
		{"a sentence", "three herons at low tide", true},
		{"fifteen letters", "zuvbrktmowqaelx", true},
		{"another script", "три цапли у причала", true},
		{"128 letters", strings.Repeat("heron tide moss ", 8), true},
		{"accents", "trois hérons à marée basse", true},
		{"fourteen letters", "zuvbrktmowqael", false},
		{"fourteen letters of two bytes", "цапляупричалах", false},
		{"129 letters", strings.Repeat("heron tide moss ", 8) + "x", false},
		{"sign-in name", "the quiet Maya.Okafor sails", false},
		{"sign-in name, dressed", "the quiet MAYA OKAFOR sails", false},
		{"clinic word", "gone to the harbor again", false},
		{"clinic word, other case", "my QUAY is wide and wet", false},
		{"list, with digits", "Password Password 2026", false},
		{"list, three words", "summer dragon monkey", false},
		{"keyboard", "qwertyuiopasdfghjkl", false},
		{"one letter", "aaaaaaaaaaaaaaaa", false},
		{"pair over and over", "abababababababab", false},
		{"word over and over", "herons herons herons", false},
		{"alphabet", "abcdefghijklmnop", false},
		{"digits in a row", "12345678901234567", false},
		{"backwards", "zyxwvutsrqponmlk", false},
		{"spaces", strings.Repeat(" ", 20), false},
		{"not UTF-8", "three herons at \xff tide", false},
	}
	for _, row := range table {
		err := i.CheckPassword("maya.okafor", row.password)
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", row.why, err)
		}
		if err != nil && (fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), row.password)) {
			t.Errorf("%s: fault %v", row.why, err)
		}
	}
}

// TestBlocklistIsRefused: each word of the list is refused however it is made
// long enough out of itself, digits, capitals and spaces.
func TestBlocklistIsRefused(t *testing.T) {
	i := smallIdentity()
	if len(blocklist) < 100 {
		t.Fatalf("the list has %d words only", len(blocklist))
	}
	words := make([]string, 0, len(blocklist))
	for w := range blocklist {
		words = append(words, w)
	}
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for n := range wordsAtOnce {
			w := rapid.SampledFrom(words).Draw(t, "word")
			if rapid.Bool().Draw(t, "capitals") {
				w = strings.ToUpper(w)
			}
			b.WriteString(w + rapid.SampledFrom([]string{"", " ", "-", "1", "2026 "}).Draw(t, "between"))
			if n == 0 && rapid.Bool().Draw(t, "short") {
				break
			}
		}
		for b.Len() < PasswordMin {
			b.WriteByte(byte(rapid.IntRange('0', '9').Draw(t, "digit")))
		}
		if i.CheckPassword("nobody.else", b.String()) == nil {
			t.Fatalf("%q is accepted", b.String())
		}
	})
}

func FuzzCheckPassword(f *testing.F) {
	for _, s := range []string{"", "three herons at low tide", "\xff", strings.Repeat("a", 200), "ΑΒΓΔ ΕΖΗΘ ΙΚΛΜ ΝΞΟΠ"} {
		f.Add("maya", s)
	}
	i := smallIdentity()
	f.Fuzz(func(t *testing.T, name, password string) {
		if i.CheckPassword(name, password) == nil && len([]rune(password)) < PasswordMin {
			t.Errorf("%q is accepted", password)
		}
	})
}
