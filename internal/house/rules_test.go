package house

import (
	"fmt"
	"go/ast"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A rule returns what is wrong with one file.
type rule func(*plan, source) []string

var rules = map[string]rule{
	"floors":  floors,
	"doors":   doors,
	"never":   never,
	"pure":    pure,
	"calls":   calls,
	"words":   words,
	"names":   names,
	"floats":  floats,
	"init":    noInit,
	"docs":    exportedDocs,
	"aliases": aliases,
	"keys":    recordKeys,
	"support": support,
}

// TestHouse holds every file of the module against every rule.
func TestHouse(t *testing.T) {
	p := readPlan(t)
	seen := map[string]bool{}
	for _, s := range readSources(t) {
		seen[s.pkg] = true
		for name, check := range rules {
			for _, problem := range check(p, s) {
				t.Errorf("%s: %s: %s", name, s.name, problem)
			}
		}
	}
	for pkg := range p.floor {
		if !seen[pkg] {
			t.Errorf("floors.txt names %s, which does not exist", pkg)
		}
	}
}

// isSupport says whether the package is for tests only; so is everything
// below one, and a testing package named after its parent.
func (p *plan) isSupport(pkg string) bool { return slices.Contains(p.support, pkg) }

// inTest says whether a file belongs to tests or benches, which may look
// across floors but through the same doors.
func (p *plan) inTest(s source) bool {
	return s.test || p.isSupport(s.pkg) || strings.HasPrefix(s.pkg, "bench/")
}

func floors(p *plan, s source) (problems []string) {
	_, onFloor := p.floorOf(s.pkg)
	if !onFloor && !p.isSupport(s.pkg) && !slices.Contains(p.asset, s.pkg) && !s.test {
		return []string{"package " + s.pkg + " stands on no floor"}
	}
	if p.inTest(s) {
		return nil
	}
	for imp := range s.imports() {
		to, ok := strings.CutPrefix(imp, module+"/")
		if ok && !p.mayImport(s.pkg, packageOf(to)) {
			problems = append(problems, s.pkg+" may not import "+packageOf(to))
		}
	}
	return problems
}

func support(p *plan, s source) (problems []string) {
	if p.inTest(s) {
		return nil
	}
	for imp := range s.imports() {
		if to, ok := strings.CutPrefix(imp, module+"/"); ok && p.isSupport(packageOf(to)) {
			problems = append(problems, packageOf(to)+" is for tests only")
		}
	}
	return problems
}

func doors(p *plan, s source) (problems []string) {
	for imp := range s.imports() {
		first, _, _ := strings.Cut(imp, "/")
		if first == module || !strings.Contains(first, ".") {
			continue
		}
		if !p.throughDoor(s, imp) {
			problems = append(problems, imp+" has no door in "+s.pkg)
		}
	}
	return problems
}

func (p *plan) throughDoor(s source, imp string) bool {
	within := func(m string) bool { return imp == m || strings.HasPrefix(imp, m+"/") }
	for m, pkgs := range p.door {
		if within(m) && (slices.Contains(pkgs, s.pkg) || p.inTest(s)) {
			return true
		}
	}
	return p.inTest(s) && slices.ContainsFunc(p.testDoor, within)
}

func never(p *plan, s source) (problems []string) {
	if s.test {
		return nil
	}
	for imp := range s.imports() {
		to := packageOf(strings.TrimPrefix(imp, module+"/"))
		if slices.Contains(p.never, [2]string{s.pkg, to}) {
			problems = append(problems, s.pkg+" may never import "+to)
		}
	}
	return problems
}

func pure(p *plan, s source) (problems []string) {
	if s.test || !p.isPure(s.pkg) {
		return nil
	}
	for imp := range s.imports() {
		first, _, _ := strings.Cut(imp, "/")
		if first != module && !strings.Contains(first, ".") && !slices.Contains(p.pureStd, imp) {
			problems = append(problems, "a pure package may not import "+imp)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			problems = append(problems, s.at(n)+": a pure package starts no goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(p.pureCall, x.Name+"."+n.Sel.Name) {
				problems = append(problems, s.at(n)+": a pure package is told the time")
			}
		}
		return true
	})
	return problems
}

func calls(p *plan, s source) (problems []string) {
	if p.inTest(s) {
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkgs, ruled := p.call[sel.Sel.Name]; ruled && !slices.Contains(pkgs, s.pkg) {
				problems = append(problems, s.at(n)+": "+s.pkg+" may not name "+sel.Sel.Name)
			}
		}
		return true
	})
	return problems
}

func words(p *plan, s source) (problems []string) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			for _, w := range p.word {
				if strings.Contains(strings.ToLower(id.Name), w) {
					problems = append(problems, fmt.Sprintf("%s: %s is not a word of the house", s.at(n), id.Name))
				}
			}
		}
		return true
	})
	return problems
}

func names(p *plan, s source) []string {
	if slices.Contains(p.badName, path.Base(s.pkg)) || slices.Contains(p.badName, s.file.Name.Name) {
		return []string{"a package called " + s.file.Name.Name + " says nothing"}
	}
	return nil
}

func floats(p *plan, s source) (problems []string) {
	moneyPath := slices.Contains(p.noFloat, s.pkg)
	if _, imported := s.imports()[module+"/internal/money"]; imported {
		moneyPath = true
	}
	if !moneyPath || s.test {
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && (id.Name == "float64" || id.Name == "float32") {
			problems = append(problems, s.at(n)+": no float in a money path")
		}
		return true
	})
	return problems
}

func noInit(_ *plan, s source) (problems []string) {
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			problems = append(problems, s.at(f)+": wire in main, not in init")
		}
	}
	return problems
}

func aliases(_ *plan, s source) (problems []string) {
	for imp, name := range s.imports() {
		if strings.HasPrefix(imp, module+"/") && name != "" && !s.test {
			problems = append(problems, imp+" goes by its own name here")
		}
	}
	return problems
}

// recordKeys: two fields under one number are both left out of the record,
// without a word from the encoder.
func recordKeys(_ *plan, s source) (problems []string) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		record, ok := n.(*ast.StructType)
		if !ok {
			return true
		}
		taken := map[string]bool{}
		for _, f := range record.Fields.List {
			if f.Tag == nil {
				continue
			}
			key, number, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("cbor"), ",")
			if !strings.Contains(number, "keyasint") {
				continue
			}
			if taken[key] {
				problems = append(problems, s.at(f)+": another field of the record has the number "+key)
			}
			taken[key] = true
		}
		return true
	})
	return problems
}

func exportedDocs(_ *plan, s source) (problems []string) {
	if s.test {
		return nil
	}
	missing := func(n ast.Node, name string) {
		problems = append(problems, s.at(n)+": "+name+" has no doc comment")
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
				missing(d, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if name, ok := undocumented(d, spec); ok {
					missing(spec, name)
				}
			}
		}
	}
	return problems
}

// exportedReceiver says whether the method's type is seen outside.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	typ := f.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// undocumented returns the exported name of a spec that no comment explains:
// neither its own, nor a line comment, nor the group's.
func undocumented(d *ast.GenDecl, spec ast.Spec) (string, bool) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return s.Name.Name, s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil
	case *ast.ValueSpec:
		return s.Names[0].Name, s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil
	}
	return "", false
}

// TestPackageDocs demands one package comment in each package.
func TestPackageDocs(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range readSources(t) {
		if !s.test {
			documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}
