package vault_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/phi"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// model is what the rows of the clients table should be.
type model map[uint64]vault.Row[note, person]

var people = []ident.ID[ident.Client]{{1}, {2}, {3}}

func drawRow(r *rapid.T) vault.Row[note, person] {
	return vault.Row[note, person]{
		Client:  rapid.SampledFrom(people).Draw(r, "client"),
		Shared:  note{Tag: rapid.SampledFrom([]string{"", "a", "aa", "b"}).Draw(r, "tag"), Count: int64(rapid.IntRange(0, 300).Draw(r, "count"))},
		Private: person{phi.NewText(strings.Repeat("n", rapid.IntRange(0, 200).Draw(r, "name")))},
	}
}

// edit is one request of several changes; it may fail at the end.
func edit(r *rapid.T, tx *vault.Tx, m model) error {
	for range rapid.IntRange(1, 6).Draw(r, "changes") {
		row := drawRow(r)
		key := uint64(rapid.IntRange(1, 30).Draw(r, "key"))
		_, known := m[key]
		switch rapid.SampledFrom([]string{"insert", "insert", "replace", "delete"}).Draw(r, "op") {
		case "insert":
			k, err := clients.Insert(tx, row)
			if err != nil {
				return err
			}
			row.Key = k
			m[k] = row
		case "replace":
			row.Key = key
			if err := clients.Replace(tx, row); (err == nil) != known {
				return fmt.Errorf("replace of %d: %w", key, err)
			}
			if known {
				m[key] = row
			}
		case "delete":
			if err := clients.Delete(tx, key); (err == nil) != known {
				return fmt.Errorf("delete of %d: %w", key, err)
			}
			delete(m, key)
		}
		if err := compare(tx, m); err != nil {
			return err
		}
	}
	return nil
}

// compare reads the table in every way there is.
func compare(tx *vault.Tx, m model) error {
	n := 0
	for row, err := range clients.All(tx) {
		if err != nil {
			return err
		}
		if want, ok := m[row.Key]; !ok || row.Client != want.Client || row.Shared != want.Shared || row.Private != want.Private {
			return fmt.Errorf("row %d is %+v, want %+v", row.Key, row, want)
		}
		n++
	}
	if n != len(m) || clients.Count(tx) != uint64(n) {
		return fmt.Errorf("%d rows, want %d", n, len(m))
	}
	for _, tag := range []string{"", "a", "aa", "b", "c"} {
		if err := comparePart(m, clients.Find(tx, "tag", tag), func(n note) bool { return n.Tag == tag }); err != nil {
			return err
		}
	}
	return comparePart(m, clients.Between(tx, "count", vault.Uint64Key(100), vault.Uint64Key(257)),
		func(n note) bool { return n.Count >= 100 && n.Count < 257 })
}

func comparePart(m model, rows func(func(vault.Row[note, person], error) bool), in func(note) bool) error {
	var got, want []uint64
	last := int64(-1)
	for row, err := range rows {
		if err != nil {
			return err
		}
		if last > row.Shared.Count && !in(note{Tag: row.Shared.Tag}) {
			return fmt.Errorf("row %d is out of order", row.Key)
		}
		last = row.Shared.Count
		got = append(got, row.Key)
	}
	for key, row := range m {
		if in(row.Shared) {
			want = append(want, key)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("found %v, want %v", got, want)
	}
	return nil
}

func TestRandomRequestsAgreeWithAModel(t *testing.T) {
	o := vault.Options{Key: sealtest.Key(t), Tables: []vault.AnyTable{clients}, MapBytes: 1 << 30, NoSync: true}
	agent := accesstest.System("test")
	rapid.Check(t, func(r *rapid.T) {
		o.Dir = t.TempDir() + "/store"
		v, err := vault.Create(t.Context(), agent, o)
		if err != nil {
			r.Fatal(err)
		}
		defer func() {
			if err := v.Close(); err != nil {
				r.Error(err)
			}
		}()
		m := model{}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"edit", "edit", "fail", "reopen"}).Draw(r, "step") {
			case "edit":
				if err := v.Update(t.Context(), writing, func(tx *vault.Tx) error { return edit(r, tx, m) }); err != nil {
					r.Fatal(err)
				}
			case "fail":
				no := fault.New(fault.Invalid, "No.")
				scratch := model{}
				for k, row := range m {
					scratch[k] = row
				}
				err := v.Update(t.Context(), writing, func(tx *vault.Tx) error {
					if err := edit(r, tx, scratch); err != nil {
						return err
					}
					return no
				})
				if err != error(no) {
					r.Fatal(err)
				}
			case "reopen":
				if err := v.Close(); err != nil {
					r.Fatal(err)
				}
				if v, err = vault.Open(t.Context(), agent, o); err != nil {
					r.Fatal(err)
				}
			}
			if err := v.View(t.Context(), reading, func(tx *vault.Tx) error { return compare(tx, m) }); err != nil {
				r.Fatal(err)
			}
		}
		if _, err := v.Check(t.Context(), verify); err != nil {
			r.Fatal(err)
		}
	})
}
