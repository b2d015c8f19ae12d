package roster

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestFold(t *testing.T) {
	table := map[string]string{
		"José":                "jose",
		"JOSE\u0301":          "jose",
		"Łukasz Żółć":         "lukasz zolc",
		"Müller-Lüdenscheidt": "muller-ludenscheidt",
		"Straße":              "strasse",
		"O'Brien":             "obrien",
		"O’Brien":             "obrien",
		"Þórður Ægisson":      "thordur aegisson",
		"Çağlar İnan":         "caglar inan",
		"Smith, Anna":         "smith  anna",
		"Δημήτρης":            "δημήτρης", // letters beyond Latin keep their marks
		"李小龍":                 "李小龍",
		"P-004217":            "p-004217",
	}
	for in, want := range table {
		if got := fold(in); got != want {
			t.Errorf("fold(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestFoldKnowsItsLetters: every letter of Latin-1 and Latin Extended-A comes
// out in plain a to z.
func TestFoldKnowsItsLetters(t *testing.T) {
	for r := rune(0xC0); r <= 0x17F; r++ {
		if !unicode.IsLetter(r) {
			continue
		}
		for _, p := range fold(string(r)) {
			if p < 'a' || p > 'z' {
				t.Errorf("fold(%q) = %q", r, fold(string(r)))
			}
		}
	}
}

func TestFoldProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		once := fold(s)
		if fold(once) != once {
			t.Fatalf("fold(%q) = %q, folded again %q", s, once, fold(once))
		}
		if strings.ContainsFunc(once, func(r rune) bool { return r != ' ' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			t.Fatalf("fold(%q) = %q holds more than letters, digits, hyphens and spaces", s, once)
		}
	})
}
