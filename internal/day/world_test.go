package day

import (
	"context"
	"slices"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/custody"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/till"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// world is a clinic without terminals, whose clock the test turns.
type world struct {
	testing.TB
	v      *vault.Vault
	d      *Day
	till   *till.Till
	now    time.Time
	people map[string]access.Agent
	client roster.Client
}

// tables are all that the world keeps; sheets may be another table of the same
// bucket, as somebody who changes the store would use.
func tables(own []vault.AnyTable) []vault.AnyTable {
	return slices.Concat(identity.Tables(), duty.Tables(), roster.Tables(), books.Tables(), till.Tables(), custody.Tables(), own)
}

// newWorld has rosa and omar at the desk, vera the accountant, and whom the
// test wants beside.
func newWorld(t testing.TB, sync bool, more ...identity.NewStaff) *world {
	t.Helper()
	w := &world{TB: t, now: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), people: map[string]access.Agent{}}
	w.v = vaulttest.OpenWith(t, vault.Options{Tables: tables(Tables()), NoSync: !sync, Now: func() time.Time { return w.now }})
	w.furnish()
	w.must(books.New(w.v).Setup(t.Context(), accesstest.System("test")))
	if len(more) == 0 {
		more = []identity.NewStaff{
			{Name: "rosa", Roles: []access.Role{access.FrontDesk}}, {Name: "omar", Roles: []access.Role{access.FrontDesk}},
			{Name: "vera", Roles: []access.Role{access.Accountant}},
		}
	}
	issuer := access.NewIssuer()
	people := identity.New(w.v, issuer, identity.WithHash(identity.Params{Time: 1, MemoryKiB: 64, Threads: 1}))
	for _, n := range more {
		n.DisplayName, n.Password = n.Name, "blue heron at low tide"
		staff, _, err := people.CreateStaff(t.Context(), accesstest.System("test"), n)
		w.must(err)
		w.people[n.Name] = issuer.Person(staff.ID, ident.New[ident.Session](w.now), staff.Name, access.Origin{Via: "lan", Address: "192.0.2.7"}, staff.Roles...)
	}
	client, err := roster.New(w.v).Create(t.Context(), accesstest.Agent(access.FrontDesk), roster.Details{Name: phi.NewText("Avery Example")})
	w.must(err)
	w.client = client
	return w
}

// furnish puts till and day onto the open vault.
func (w *world) furnish() {
	w.till = till.New(till.Options{Vault: w.v, Agent: accesstest.System("till"), Clinic: "Harbor Lane", Limits: duty.UsualLimits})
	w.d = New(Options{Vault: w.v, Agent: accesstest.System("day"), Location: "Harbor Lane"})
}

// reopen is a restart.
func (w *world) reopen() {
	w.Helper()
	w.v = vaulttest.Reopen(w.TB, w.v)
	w.furnish()
	w.must(w.d.Recover(w.Context()))
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) refused(err, want error) {
	w.Helper()
	if err != want {
		w.Errorf("got %v, want %v", err, want)
	}
}

func (w *world) do(fn func(*vault.Tx) error) {
	w.Helper()
	r := access.Request{Agent: accesstest.System("test"), Action: access.BooksSetup, Entity: access.None, Purpose: access.Operations}
	w.must(w.v.Update(context.Background(), r, fn))
}

// cash takes a cash payment at somebody's drawer.
func (w *world) cash(who string, amount money.Amount) ident.ID[ident.Attempt] {
	w.Helper()
	id, err := w.till.Cash(context.Background(), w.people[who], till.CashSale{
		Command: command(), Client: w.client.ID, Amount: amount, ConfirmDuplicate: true,
	})
	w.must(err)
	return id
}

// post posts an entry as another part of the program would.
func (w *world) post(d ledger.Draft) ledger.Entry {
	w.Helper()
	var e ledger.Entry
	w.do(func(tx *vault.Tx) (err error) {
		e, err = books.Post(tx, d)
		return err
	})
	return e
}

// card posts a card payment of a terminal.
func (w *world) card(serial string, amount money.Amount) {
	w.Helper()
	w.post(ledger.Draft{Event: ledger.EventPaymentCard, Postings: []ledger.Posting{
		{Account: books.CardClearing, Sub: books.Sub(serial), Amount: amount},
		{Account: books.Credits, Sub: books.Sub(w.client.Account), Amount: -amount},
	}})
}

// charge posts a session on a sliding scale.
func (w *world) charge(gross, off money.Amount) {
	w.Helper()
	postings := []ledger.Posting{{Account: books.Receivables, Sub: books.Sub(w.client.Account), Amount: gross - off}, {Account: books.Individual, Amount: -gross}}
	if off > 0 {
		postings = append(postings, ledger.Posting{Account: books.SlidingScale, Amount: off})
	}
	w.post(ledger.Draft{Event: ledger.EventChargeSession, Postings: postings})
}

func command() ident.ID[ident.Command] { return ident.New[ident.Command](time.Now()) }

// pieces returns a count that comes to amount.
func pieces(amount money.Amount) []Pieces {
	var all []Pieces
	for _, v := range Values {
		if n := amount / v; n > 0 {
			all = append(all, Pieces{v, uint32(n)})
			amount -= n * v
		}
	}
	return all
}

func (w *world) count(who string, amount money.Amount) Counted {
	w.Helper()
	c, err := w.d.Count(context.Background(), w.people[who], command(), pieces(amount))
	w.must(err)
	return c
}

// seal seals the day that is due.
func (w *world) seal(who string) Shown {
	w.Helper()
	due, err := w.d.Next(context.Background(), w.people[who])
	w.must(err)
	n, err := w.d.Seal(context.Background(), w.people[who], due.Day)
	w.must(err)
	s, err := w.d.Read(context.Background(), w.people[who], n)
	w.must(err)
	return s
}

// sound demands that neither sheets nor books have a finding.
func (w *world) sound() {
	w.Helper()
	for _, f := range w.findings() {
		w.Errorf("sheet %d: %s", f.Sheet, f.What)
	}
	report, err := books.New(w.v).Check(context.Background(), accesstest.Agent(access.IT))
	w.must(err)
	for _, f := range report.Findings {
		w.Errorf("the books have a finding: %+v", f)
	}
}

func (w *world) findings() []Finding {
	w.Helper()
	found, _, err := w.d.Check(context.Background(), accesstest.Agent(access.IT))
	w.must(err)
	return found
}

func (s Sheet) total(class Class, late bool) Total {
	i := slices.IndexFunc(s.Totals, func(t Total) bool { return t.Class == class && t.Late == late })
	if i < 0 {
		return Total{Class: class, Late: late}
	}
	return s.Totals[i]
}

// day returns the date some days after today.
func (w *world) day(after int) civil.Date { return civil.Of(w.now).AddDays(after) }
