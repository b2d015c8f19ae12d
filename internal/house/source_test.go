package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "coffer"

// source is one Go file of the module, or one made up by a test.
type source struct {
	pkg  string // "till", "cmd/cofferd", "web": the path below internal/, or the whole path
	name string // file name below the module's root
	test bool
	file *ast.File
	fset *token.FileSet
}

// packageOf turns a directory below the module's root into the plan's name.
func packageOf(dir string) string { return strings.TrimPrefix(dir, "internal/") }

func parseSource(t *testing.T, name, text string) source {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{pkg: packageOf(path.Dir(name)), name: name, test: strings.HasSuffix(name, "_test.go"), file: file, fset: fset}
}

// readSources parses every Go file of the module.
func readSources(t *testing.T) []source {
	t.Helper()
	root := moduleRoot(t)
	var all []source
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			all = append(all, parseSource(t, filepath.ToSlash(rel), string(text)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// imports returns the file's imports as path and the name used for it.
func (s source) imports() map[string]string {
	m := map[string]string{}
	for _, spec := range s.file.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		m[p] = ""
		if spec.Name != nil {
			m[p] = spec.Name.Name
		}
	}
	return m
}

func (s source) at(n ast.Node) string { return s.fset.Position(n.Pos()).String() }
