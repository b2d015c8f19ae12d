package house

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// plan is floors.txt, read.
type plan struct {
	floorNames []string
	floor      map[string]int // package -> index of its floor
	asset      []string
	support    []string
	lean       map[string][]string
	pure       []string
	pureStd    []string
	pureCall   []string
	door       map[string][]string // module -> packages
	testDoor   []string
	never      [][2]string
	call       map[string][]string // selector -> packages
	word       []string
	badName    []string
	noFloat    []string
}

func readPlan(t *testing.T) *plan {
	t.Helper()
	text, err := os.ReadFile("floors.txt")
	if err != nil {
		t.Fatal(err)
	}
	return parsePlan(t, string(text))
}

func parsePlan(t *testing.T, text string) *plan {
	t.Helper()
	p := &plan{floor: map[string]int{}, lean: map[string][]string{}, door: map[string][]string{}, call: map[string][]string{}}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		key, rest := f[0], f[1:]
		switch key {
		case "floor":
			p.floorNames = append(p.floorNames, rest[0])
			for _, pkg := range rest[1:] {
				p.floor[pkg] = len(p.floorNames) - 1
			}
		case "asset":
			p.asset = append(p.asset, rest...)
		case "support":
			p.support = append(p.support, rest...)
		case "lean":
			p.lean[rest[0]] = append(p.lean[rest[0]], rest[2:]...)
		case "pure":
			p.pure = append(p.pure, rest...)
		case "purestd":
			p.pureStd = append(p.pureStd, rest...)
		case "purecall":
			p.pureCall = append(p.pureCall, rest...)
		case "door":
			p.door[rest[0]] = rest[1:]
		case "testdoor":
			p.testDoor = append(p.testDoor, rest...)
		case "never":
			p.never = append(p.never, [2]string{rest[0], rest[2]})
		case "call":
			p.call[rest[0]] = rest[1:]
		case "word":
			p.word = append(p.word, rest...)
		case "badname":
			p.badName = append(p.badName, rest...)
		case "nofloat":
			p.noFloat = append(p.noFloat, rest...)
		default:
			t.Fatalf("floors.txt: %q is no rule", key)
		}
	}
	return p
}

// floorOf returns the floor of a package, and whether it has one.
func (p *plan) floorOf(pkg string) (int, bool) {
	n, ok := p.floor[pkg]
	return n, ok
}

func (p *plan) isPure(pkg string) bool {
	n, ok := p.floorOf(pkg)
	return ok && slices.Contains(p.pure, p.floorNames[n])
}

// mayImport says whether package from may import package to of this module.
func (p *plan) mayImport(from, to string) bool {
	if slices.Contains(p.lean[from], to) {
		return true
	}
	n, ok := p.floorOf(from)
	if slices.Contains(p.asset, to) {
		return ok && n >= slices.Index(p.floorNames, "device")
	}
	m, known := p.floorOf(to)
	if slices.Contains(p.asset, from) {
		return known && m <= slices.Index(p.floorNames, "frame")
	}
	return ok && known && m < n
}
