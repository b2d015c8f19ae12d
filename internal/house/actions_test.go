package house

import (
	"go/ast"
	"testing"
)

// actionsDeclared returns the names of the Action constants in a file.
func actionsDeclared(s source) (names []string) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Action" {
			for _, id := range spec.Names {
				names = append(names, id.Name)
			}
		}
		return true
	})
	return names
}

// actionsNamed adds what a file names of package access.
func actionsNamed(s source, named map[string]bool) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "access" {
				named[sel.Sel.Name] = true
			}
		}
		return true
	})
}

// TestEveryActionIsAsked demands that the program itself names each action of
// the matrix, so that no row grants what nothing asks for.
func TestEveryActionIsAsked(t *testing.T) {
	p := readPlan(t)
	var declared []string
	named := map[string]bool{}
	for _, s := range readSources(t) {
		if s.name == "internal/access/policy.go" {
			declared = actionsDeclared(s)
		} else if !p.inTest(s) {
			actionsNamed(s, named)
		}
	}
	if len(declared) < 30 {
		t.Fatalf("found %d actions only: the reader of policy.go is broken", len(declared))
	}
	for _, name := range declared {
		if !named[name] {
			t.Errorf("nothing asks for access.%s: take its row out of the matrix", name)
		}
	}
}

// TestUnaskedActionIsSeen breaks the rule once.
func TestUnaskedActionIsSeen(t *testing.T) {
	policy := parseSource(t, "internal/access/policy.go", `package access; const (Used Action = "a.b"; Idle Action = "c.d")`)
	named := map[string]bool{}
	actionsNamed(parseSource(t, "internal/till/x.go", `package till; import "coffer/internal/access"; var a = access.Used`), named)
	if got := actionsDeclared(policy); len(got) != 2 || !named[got[0]] || named[got[1]] {
		t.Errorf("declared %v, named %v", got, named)
	}
}
