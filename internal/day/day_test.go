package day

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/ledger"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// A day from the open drawer to the sealed sheet, in the numbers of the
// clinic's own example: float 100, cash 25, two short, and the rest to the bank.
func TestDay(t *testing.T) {
	w := newWorld(t, true)
	open := command()
	for range 2 {
		w.must(w.d.Open(t.Context(), w.people["rosa"], open, 100_00))
	}
	w.refused(w.d.Open(t.Context(), w.people["rosa"], command(), 100_00), ErrOpen)
	w.charge(150_00, 60_00)
	w.cash("rosa", 25_00)
	w.card("SN1", 90_00)
	if _, err := w.d.Seal(t.Context(), w.people["vera"], due(t, w)); err != ErrUncounted {
		t.Errorf("sealed with a drawer that was not counted: %v", err)
	}
	first := w.count("rosa", 123_00)
	if first.Agrees || !first.MayRecount || first.Difference != 0 {
		t.Errorf("a first count tells %+v", first)
	}
	second := w.count("rosa", 123_00)
	if !second.Agrees || second.MayRecount || second.Round != 2 {
		t.Errorf("the recount tells %+v", second)
	}
	if _, err := w.d.Count(t.Context(), w.people["rosa"], command(), nil); err != ErrCounted {
		t.Errorf("counted a third time: %v", err)
	}
	w.must(w.d.Drop(t.Context(), w.people["rosa"], command(), 123_00))
	if work, err := w.d.Batch(t.Context(), w.people["rosa"], Totals{Command: command(), Terminal: "SN1", Count: 1, Amount: 90_00}); err != nil || work != 0 {
		t.Errorf("an equal batch: work %d, %v", work, err)
	}
	s := w.seal("vera")
	want := Drawer{Cashier: "rosa", Float: 100_00, Taken: 25_00, Difference: -2_00, Dropped: -123_00, Moved: s.Drawers[0].Moved, Counted: true, Counts: s.Drawers[0].Counts}
	if s.Number != 1 || s.By != "vera" || len(s.Drawers) != 1 || !reflect.DeepEqual(s.Drawers[0], want) {
		t.Errorf("got %+v", s.Sheet)
	}
	for _, c := range []Total{
		{PaidCash, false, 1, 25_00}, {PaidCard, false, 1, 90_00}, {Charged, false, 1, 150_00}, {Adjusted, false, 1, 60_00},
		{Floated, false, 1, 100_00}, {Dropped, false, 1, 123_00}, {OverShort, false, 1, -2_00},
	} {
		if got := s.total(c.Class, false); got != c {
			t.Errorf("total is %+v, want %+v", got, c)
		}
	}
	if len(s.Drawers[0].Counts) != 2 || s.Drawers[0].Counts[0].Difference != -2_00 || s.Drawers[0].Counts[1].Difference != 0 {
		t.Errorf("counts %+v", s.Drawers[0].Counts)
	}
	if !s.Signed || s.Size <= s.AuditSize || !strings.Contains(s.Note, "coffer") {
		t.Errorf("not signed: %+v", s)
	}
	if len(s.Terminals) != 1 || s.Terminals[0].Difference != 0 || s.Terminals[0].Clearing != 90_00 {
		t.Errorf("batches %+v", s.Terminals)
	}
	if _, err := w.d.Seal(t.Context(), w.people["vera"], s.Day); err != ErrNoDay {
		t.Errorf("sealed twice: %v", err)
	}
	w.reopen()
	again, err := w.d.Read(t.Context(), w.people["vera"], 1)
	if err != nil || !reflect.DeepEqual(again.Sheet, s.Sheet) || !reflect.DeepEqual(again.Items, s.Items) {
		t.Errorf("after a restart the sheet is another: %v", err)
	}
	w.sound()
}

func due(t *testing.T, w *world) civil.Date {
	t.Helper()
	d, err := w.d.Next(t.Context(), w.people["vera"])
	if err != nil {
		t.Fatal(err)
	}
	return d.Day
}

// What is posted after the seal, for whatever day, stands on the next sheet as
// late, and only there.
func TestLate(t *testing.T) {
	w := newWorld(t, false)
	w.card("SN1", 90_00)
	w.seal("vera")
	w.card("SN1", 11_00)
	w.now = w.now.Add(24 * time.Hour)
	w.card("SN1", 7_00)
	w.post(ledger.Draft{Event: ledger.EventWaiver, Effective: w.day(-1), Postings: []ledger.Posting{
		{Account: books.Credits, Sub: books.Sub(w.client.Account), Amount: 3_00}, {Account: "4930", Amount: -3_00},
	}})
	s := w.seal("vera")
	if s.Number != 2 || s.Day != w.day(0) {
		t.Errorf("got sheet %d of %v", s.Number, s.Day)
	}
	for _, c := range []Total{{PaidCard, true, 1, 11_00}, {PaidCard, false, 1, 7_00}, {WrittenOff, true, 1, -3_00}} {
		if got := s.total(c.Class, c.Late); got != c {
			t.Errorf("total is %+v, want %+v", got, c)
		}
	}
	w.sound()
}

// Forgotten days are sealed one after the other, each with what was recorded
// on it.
func TestForgottenDays(t *testing.T) {
	w := newWorld(t, false)
	w.cash("rosa", 5_00)
	w.now = w.now.Add(24 * time.Hour)
	w.cash("rosa", 7_00)
	w.now = w.now.Add(48 * time.Hour)
	if _, err := w.d.Seal(t.Context(), w.people["vera"], w.day(0)); err != ErrNotNext {
		t.Errorf("a day was passed over: %v", err)
	}
	one, two := w.seal("vera"), w.seal("vera")
	if one.Day != w.day(-3) || two.Day != w.day(-2) || one.total(PaidCash, false).Amount != 5_00 || two.total(PaidCash, false).Amount != 7_00 {
		t.Errorf("got %+v and %+v", one.Sheet, two.Sheet)
	}
	if one.Drawers[0].Counted || two.Drawers[0].Opening != 5_00 || two.Drawers[0].Closing != 12_00 {
		t.Errorf("drawers %+v, %+v", one.Drawers, two.Drawers)
	}
	if three := w.seal("vera"); three.Day != w.day(0) || three.Last != three.After {
		t.Errorf("got %+v", three.Sheet)
	}
	w.sound()
}

// Rule 3: who took money does not seal. Where nobody else could, the sheet and
// the trail say that it was waived.
func TestSealerTookNoMoney(t *testing.T) {
	both := []access.Role{access.FrontDesk, access.Accountant}
	w := newWorld(t, false, identity.NewStaff{Name: "solo", Roles: both}, identity.NewStaff{Name: "owner", Roles: []access.Role{access.Owner}})
	w.cash("solo", 5_00)
	w.count("solo", 5_00)
	if _, err := w.d.Seal(t.Context(), w.people["solo"], w.day(0)); err != ErrOwnDay {
		t.Errorf("a cashier sealed the own day: %v", err)
	}
	if s := w.seal("owner"); len(s.Waived) != 0 {
		t.Errorf("waived %+v", s.Waived)
	}
	tiny := newWorld(t, false, identity.NewStaff{Name: "solo", Roles: both})
	tiny.cash("solo", 5_00)
	tiny.count("solo", 5_00)
	if s := tiny.seal("solo"); len(s.Waived) != 1 || s.Waived[0].Rule != 3 || s.Waived[0].By != "solo" {
		t.Errorf("waived %+v", s.Waived)
	}
	for who, want := range map[string]fault.Kind{"rosa": fault.Denied, "omar": fault.Denied} {
		desk := newWorld(t, false)
		if _, err := desk.d.Seal(t.Context(), desk.people[who], desk.day(0)); fault.KindOf(err) != want {
			t.Errorf("the desk sealed: %v", err)
		}
	}
	tiny.sound()
}

// A cashier is told nothing of what a drawer should hold: by no type, and by no
// refusal.
func TestCountIsBlind(t *testing.T) {
	for _, told := range []reflect.Type{reflect.TypeFor[Mine](), reflect.TypeFor[Counted]()} {
		for i := range told.NumField() {
			if name := strings.ToLower(told.Field(i).Name); strings.Contains(name, "expect") || strings.Contains(name, "balance") || strings.Contains(name, "closing") {
				t.Errorf("%v tells %s", told, name)
			}
		}
	}
	w := newWorld(t, false)
	w.cash("rosa", 40_00)
	w.must(w.d.Drop(t.Context(), w.people["rosa"], command(), 50_00)) // more than there should be
	c := w.count("rosa", 0)
	if !c.Agrees {
		t.Errorf("got %+v", c)
	}
	s := w.seal("vera")
	if got := s.total(OverShort, false); got.Amount != 10_00 {
		t.Errorf("over by %v", got.Amount)
	}
	for _, action := range []access.Action{access.SheetRead, access.DaySeal, access.BooksRead} {
		if access.Decide(access.Request{Agent: w.people["rosa"], Action: action}) != access.Deny {
			t.Errorf("a cashier may %s", action)
		}
	}
	if _, err := w.d.Next(t.Context(), w.people["rosa"]); fault.KindOf(err) != fault.Denied {
		t.Errorf("a cashier reads the day: %v", err)
	}
}

// Until a drawer is counted, the one who will seal is not told either.
func TestNextIsBlindUntilCounted(t *testing.T) {
	w := newWorld(t, false)
	w.cash("rosa", 40_00)
	d, err := w.d.Next(t.Context(), w.people["vera"])
	if err != nil || len(d.Missing) != 1 || d.Missing[0] != "rosa" || len(d.Sheet.Drawers) != 0 || len(d.Sheet.Accounts) != 0 || d.Sheet.total(PaidCash, false).Amount != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
	w.count("rosa", 40_00)
	d, err = w.d.Next(t.Context(), w.people["vera"])
	if err != nil || len(d.Missing) != 0 || d.Sheet.Drawers[0].Closing != 40_00 {
		t.Errorf("got %+v, %v", d, err)
	}
}

// One cent opens a work item; one person explains it, another confirms it.
func TestOneCentOpensWork(t *testing.T) {
	w := newWorld(t, false, identity.NewStaff{Name: "rosa", Roles: []access.Role{access.FrontDesk}},
		identity.NewStaff{Name: "vera", Roles: []access.Role{access.Accountant}}, identity.NewStaff{Name: "owner", Roles: []access.Role{access.Owner}})
	w.card("SN1", 90_00)
	c := command()
	for range 2 {
		work, err := w.d.Batch(t.Context(), w.people["rosa"], Totals{Command: c, Terminal: "SN1", Batch: "7", Count: 1, Amount: 89_99})
		if err != nil || work == 0 {
			t.Fatalf("work %d, %v", work, err)
		}
	}
	d, err := w.d.Next(t.Context(), w.people["vera"])
	if err != nil || len(d.Work) != 1 || d.Work[0].Difference != -1 || d.Work[0].Owner != "rosa" {
		t.Fatalf("got %+v, %v", d.Work, err)
	}
	n := d.Work[0].Number
	explain := func(who string, why Reason, resolved bool, want error) {
		t.Helper()
		if done, err := w.d.Explain(t.Context(), w.people[who], n, why); done != resolved || err != want {
			t.Errorf("%s: %v, %v", who, done, err)
		}
	}
	explain("vera", "because", false, ErrReason)
	explain("vera", ReasonTyped, false, nil)
	explain("vera", ReasonEarlier, false, nil)
	explain("owner", ReasonTyped, false, ErrSecondPerson)
	explain("owner", ReasonEarlier, true, nil)
	explain("owner", ReasonEarlier, false, ErrNoWork)
	if _, err := w.d.Explain(t.Context(), w.people["rosa"], n, ReasonTyped); fault.KindOf(err) != fault.Denied {
		t.Errorf("a cashier explained: %v", err)
	}
	w.card("SN1", 5_00)
	if work, err := w.d.Batch(t.Context(), w.people["rosa"], Totals{Command: command(), Terminal: "SN1", Count: 1, Amount: 5_00}); work != 0 || err != nil {
		t.Errorf("the next batch: %d, %v", work, err)
	}
}

// A void of cash that has gone to the bank is refused: the drawer does not have
// it any more.
func TestVoidOfDroppedCash(t *testing.T) {
	w := newWorld(t, false)
	id := w.cash("rosa", 40_00)
	w.must(w.d.Drop(t.Context(), w.people["rosa"], command(), 30_00))
	_, err := w.till.GiveBack(t.Context(), w.people["rosa"], till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: command(), Original: id})
	w.refused(err, till.ErrDrawer)
	w.sound()
}

// attack changes the store of sheets as somebody with the store's own code
// could, and returns what the check finds.
func (w *world) attack(change func(tx *vault.Tx, table *vault.Table[Sheet, vault.None]) error) []Finding {
	w.Helper()
	table := vault.NewTable(vault.BucketDaySheets, vault.NewIndex("day", func(r sheetRow) []string { return nil }))
	o := w.v.Options()
	w.must(w.v.Close())
	evil := o
	evil.Tables = tables(append([]vault.AnyTable{table}, Tables()[:3]...))
	evil.Tables = append(evil.Tables, Tables()[4:]...)
	v, err := vault.Open(w.Context(), accesstest.System("test"), evil)
	w.must(err)
	w.v = v
	w.do(func(tx *vault.Tx) error { return change(tx, table) })
	w.must(v.Close())
	w.v, err = vault.Open(w.Context(), accesstest.System("test"), o)
	w.must(err)
	w.furnish()
	w.Cleanup(func() { w.v.Close() })
	return w.findings()
}

// Removing, changing or adding a sheet is found.
func TestChainIsChecked(t *testing.T) {
	for name, change := range map[string]func(tx *vault.Tx, table *vault.Table[Sheet, vault.None]) error{
		"remove the first":  func(tx *vault.Tx, table *vault.Table[Sheet, vault.None]) error { return table.Delete(tx, 1) },
		"remove the second": func(tx *vault.Tx, table *vault.Table[Sheet, vault.None]) error { return table.Delete(tx, 2) },
		"remove the last":   func(tx *vault.Tx, table *vault.Table[Sheet, vault.None]) error { return table.Delete(tx, 3) },
		"change an amount": func(tx *vault.Tx, table *vault.Table[Sheet, vault.None]) error {
			row, err := table.At(tx, 2)
			if err != nil {
				return err
			}
			row.Shared.Totals[0].Amount--
			return table.Replace(tx, row)
		},
		"change an amount and the hash": func(tx *vault.Tx, table *vault.Table[Sheet, vault.None]) error {
			row, err := table.At(tx, 2)
			if err != nil {
				return err
			}
			row.Shared.Totals[0].Amount--
			row.Shared.Hash, _ = row.Shared.hash()
			return table.Replace(tx, row)
		},
		"change the sealer of the last": func(tx *vault.Tx, table *vault.Table[Sheet, vault.None]) error {
			row, err := table.At(tx, 3)
			if err != nil {
				return err
			}
			row.Shared.By = "rosa"
			row.Shared.Hash, _ = row.Shared.hash()
			return table.Replace(tx, row)
		},
		"add one": func(tx *vault.Tx, table *vault.Table[Sheet, vault.None]) error {
			row, err := table.At(tx, 3)
			if err != nil {
				return err
			}
			row.Shared.Number, row.Shared.Previous, row.Shared.After, row.Shared.Day = 4, row.Shared.Hash, row.Shared.Last, row.Shared.Day+1
			row.Shared.Hash, _ = row.Shared.hash()
			_, err = table.Insert(tx, row)
			return err
		},
		"nothing": func(*vault.Tx, *vault.Table[Sheet, vault.None]) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			for range 3 {
				w.card("SN1", 90_00)
				w.seal("vera")
				w.now = w.now.Add(24 * time.Hour)
			}
			found := w.attack(change)
			if (len(found) == 0) != (name == "nothing") {
				t.Errorf("found %+v", found)
			}
		})
	}
}

// A stop between seal and signature leaves a sheet that the next start signs.
func TestStartSigns(t *testing.T) {
	w := newWorld(t, true)
	w.card("SN1", 90_00)
	unsealed := New(Options{Vault: w.v, Agent: accesstest.Agent(access.FrontDesk)}) // cannot sign
	n, err := unsealed.Seal(t.Context(), w.people["vera"], w.day(0))
	w.must(err)
	if s, err := w.d.Read(t.Context(), w.people["vera"], n); err != nil || s.Signed {
		t.Errorf("signed already: %v", err)
	}
	w.reopen()
	if s, err := w.d.Read(t.Context(), w.people["vera"], n); err != nil || !s.Signed || s.Size <= s.AuditSize {
		t.Errorf("not signed: %+v, %v", s, err)
	}
	w.sound()
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, false)
	ctx, rosa := t.Context(), w.people["rosa"]
	var none ident.ID[ident.Command]
	w.refused(w.d.Open(ctx, rosa, none, 1), ErrCommand)
	w.refused(w.d.Open(ctx, rosa, command(), 0), ErrAmount)
	w.refused(w.d.Drop(ctx, rosa, command(), moveMax+1), ErrMove)
	for _, p := range [][]Pieces{{{3, 1}}, {{1, 1}, {1, 1}}, {{100_00, 1 << 31}}} {
		if _, err := w.d.Count(ctx, rosa, command(), p); err != ErrPieces {
			t.Errorf("%v: %v", p, err)
		}
	}
	_, err := w.d.Count(ctx, rosa, command(), nil)
	w.refused(err, ErrNothing)
	_, err = w.d.Batch(ctx, rosa, Totals{Command: command()})
	w.refused(err, ErrTerminal)
	_, err = w.d.Read(ctx, w.people["vera"], 1)
	w.refused(err, ErrNoSheet)
	if err := w.d.Open(ctx, w.people["vera"], command(), 1); fault.KindOf(err) != fault.Denied {
		t.Errorf("the accountant has a drawer: %v", err)
	}
}
