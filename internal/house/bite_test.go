package house

import (
	"strings"
	"testing"
)

// TestRulesBite breaks each rule once, so that none can rot into one that
// passes everything.
func TestRulesBite(t *testing.T) {
	p := readPlan(t)
	for _, c := range []struct{ rule, file, text string }{
		{"floors", "internal/vault/x.go", `package vault; import _ "coffer/internal/till"`},
		{"floors", "internal/books/x.go", `package books; import _ "coffer/internal/roster"`},
		{"floors", "internal/attic/x.go", `package attic`},
		{"floors", "web/x.go", `package web; import _ "coffer/internal/vault"`},
		{"floors", "internal/ledger/x.go", `package ledger; import _ "coffer/web"`},
		{"doors", "internal/books/x.go", `package books; import _ "go.etcd.io/bbolt"`},
		{"doors", "internal/till/x.go", `package till; import _ "github.com/tarm/serial"`},
		{"doors", "internal/ui/x.go", `package ui; import _ "example.com/anything"`},
		{"doors", "internal/ui/x.go", `package ui; import _ "pgregory.net/rapid"`},
		{"never", "internal/till/x.go", `package till; import _ "coffer/internal/schedule"`},
		{"never", "internal/ui/x.go", `package ui; import _ "coffer/internal/vault"`},
		{"pure", "internal/money/x.go", `package money; import _ "os"`},
		{"pure", "internal/ledger/x.go", `package ledger; import "time"; var now = time.Now()`},
		{"pure", "internal/ledger/x.go", `package ledger; func f() { go f() }`},
		{"calls", "internal/till/x.go", `package till; import "coffer/internal/access"; var i = access.NewIssuer()`},
		{"calls", "internal/ops/x.go", `package ops; func f(n interface{ Reveal() string }) string { return n.Reveal() }`},
		{"calls", "internal/till/x.go", `package till; import "coffer/internal/identity"; var a = new(identity.Identity).System("till")`},
		{"words", "internal/till/x.go", `package till; var patientName string`},
		{"words", "internal/till/x.go", `package till; func lastVisit() {}`},
		{"names", "internal/util/x.go", `package util`},
		{"floats", "internal/books/x.go", `package books; var rate float64`},
		{"floats", "internal/ops/x.go", `package ops; import _ "coffer/internal/money"; var rate float32`},
		{"init", "internal/till/x.go", `package till; func init() {}`},
		{"docs", "internal/till/x.go", `package till; func Exported() {}`},
		{"docs", "internal/till/x.go", `package till; type T struct{}`},
		{"docs", "internal/till/x.go", "package till\n// T is a t.\ntype T struct{}\nfunc (T) M() {}"},
		{"aliases", "internal/till/x.go", `package till; import b "coffer/internal/books"; var _ b.Books`},
		{"keys", "internal/till/x.go", "package till; type r struct { A int `cbor:\"1,keyasint\"`; B int `cbor:\"1,keyasint,omitempty\"` }"},
		{"support", "internal/till/x.go", `package till; import _ "coffer/internal/vault/vaulttest"`},
	} {
		s := parseSource(t, c.file, c.text)
		if problems := rules[c.rule](p, s); len(problems) == 0 {
			t.Errorf("rule %s lets pass:\n%s", c.rule, c.text)
		}
	}
}

// TestRulesSpare shows that lawful code passes every rule.
func TestRulesSpare(t *testing.T) {
	s := parseSource(t, "internal/till/x.go", strings.Join([]string{
		"package till", `import "coffer/internal/books"`, "// T keeps books.", "type T struct{ b *books.Books }",
	}, "\n"))
	p := readPlan(t)
	for name, check := range rules {
		if problems := check(p, s); len(problems) > 0 {
			t.Errorf("rule %s: %v", name, problems)
		}
	}
}
