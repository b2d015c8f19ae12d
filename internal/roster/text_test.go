package roster

import (
	"errors"
	"strings"
	"testing"

	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/pan"
	"coffer/internal/phi"
)

func details(change func(*Details)) Details {
	d := Details{Name: phi.NewText("Ana Duarte"), Born: phi.NewText("1987-05-30"), Phone: phi.NewText("555-0104"),
		Email: phi.NewText("ana@example.org"), Address: phi.NewText("1 Quay Street"), Memo: phi.NewText("calls back after five")}
	change(&d)
	return d
}

var today = civil.New(2026, 3, 31)

func TestDetailsCheck(t *testing.T) {
	long := strings.Repeat("ä", 201)
	card := phi.NewText("4111 1111 1111 1111")
	table := []struct {
		name   string
		change func(*Details)
		ok     bool
	}{
		{"all filled", func(d *Details) {}, true},
		{"name alone", func(d *Details) { *d = Details{Name: d.Name} }, true},
		{"memo of 140 letters", func(d *Details) { d.Memo = phi.NewText(strings.Repeat("ä", 140)) }, true},
		{"no name", func(d *Details) { d.Name = phi.NewText("  ") }, false},
		{"memo of 141 letters", func(d *Details) { d.Memo = phi.NewText(strings.Repeat("ä", 141)) }, false},
		{"long name", func(d *Details) { d.Name = phi.NewText(long) }, false},
		{"long phone", func(d *Details) { d.Phone = phi.NewText(long) }, false},
		{"long email", func(d *Details) { d.Email = phi.NewText(long) }, false},
		{"long address", func(d *Details) { d.Address = phi.NewText(long) }, false},
		{"two lines", func(d *Details) { d.Memo = phi.NewText("one\ntwo") }, false},
		{"not UTF-8", func(d *Details) { d.Memo = phi.NewText("a\xffb") }, false},
		{"born tomorrow", func(d *Details) { d.Born = phi.NewText("2026-04-01") }, false},
		{"born in 1850", func(d *Details) { d.Born = phi.NewText("1850-01-01") }, false},
		{"born as words", func(d *Details) { d.Born = phi.NewText("May 30") }, false},
		{"card in name", func(d *Details) { d.Name = card }, false},
		{"card in phone", func(d *Details) { d.Phone = card }, false},
		{"card in email", func(d *Details) { d.Email = card }, false},
		{"card in address", func(d *Details) { d.Address = card }, false},
		{"card in memo", func(d *Details) { d.Memo = card }, false},
	}
	for _, row := range table {
		err := details(row.change).check(today)
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: kind %v, want invalid", row.name, fault.KindOf(err))
		}
		if strings.HasPrefix(row.name, "card") && !errors.Is(err, pan.Err) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
