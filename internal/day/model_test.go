package day

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"

	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/till"
	"coffer/internal/vault"

	"pgregory.net/rapid"
)

// model tells the clinic's days in the plainest way: a list of what happened
// since the last seal, and how much cash is in each drawer.
type model struct {
	happened []happening
	drawer   map[string]money.Amount
	counted  map[string]bool
	rounds   map[string]int
	agreed   map[string]bool
	floated  map[string]bool
	used     map[string]bool // since the last seal
	paid     []cashPaid
	dropped  []cashDropped // on no sheet, of today
	clearing money.Amount  // since the terminal's last batch
	sheets   uint64
	entries  uint64 // on sheets so far
}

// happening is one thing that a sheet must count.
type happening struct {
	class  Class
	amount money.Amount
	late   bool
}

type cashPaid struct {
	id     ident.ID[ident.Attempt]
	who    string
	amount money.Amount
}

// cashDropped is a drop that may be taken back.
type cashDropped struct {
	id           ident.ID[ident.Entry]
	who          string
	amount, over money.Amount
}

func (m *model) note(class Class, amount money.Amount, late bool) {
	m.happened = append(m.happened, happening{class, amount, late})
}

// moved notes that a drawer moved by more than a drop or a difference.
func (m *model) moved(who string, by money.Amount) {
	m.drawer[who] += by
	m.counted[who], m.rounds[who], m.agreed[who], m.used[who] = false, 0, false, true
}

// trial is the model beside the real thing.
type trial struct {
	*rapid.T
	w *world
	m *model
}

// late reports whether today was sealed already.
func (r *trial) late() bool {
	b := r.m.sheets > 0
	return b && r.lastDay() >= r.w.day(0)
}

func (r *trial) lastDay() civil.Date {
	heads, err := r.w.d.Sheets(context.Background(), r.w.people["vera"], 1)
	r.must(err)
	return heads[0].Day
}

func (r *trial) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *trial) cashier() string {
	return rapid.SampledFrom([]string{"rosa", "omar"}).Draw(r.T, "cashier")
}

func (r *trial) amount() money.Amount {
	return money.Amount(rapid.Int64Range(1, 500_00).Draw(r.T, "amount"))
}

func (r *trial) Open(*rapid.T) {
	who, amount := r.cashier(), r.amount()
	err := r.w.d.Open(context.Background(), r.w.people[who], command(), amount)
	if r.m.floated[who] {
		if err != ErrOpen {
			r.Fatalf("a second float: %v", err)
		}
		return
	}
	r.must(err)
	r.m.note(Floated, amount, r.late())
	r.m.moved(who, amount)
	r.m.floated[who] = true
}

func (r *trial) Pay(*rapid.T) {
	who, amount := r.cashier(), r.amount()
	r.m.paid = append(r.m.paid, cashPaid{r.w.cash(who, amount), who, amount})
	r.m.note(PaidCash, amount, r.late())
	r.m.moved(who, amount)
}

func (r *trial) Void(*rapid.T) {
	if len(r.m.paid) == 0 {
		r.Skip("nothing to void")
	}
	i := rapid.IntRange(0, len(r.m.paid)-1).Draw(r.T, "payment")
	p := r.m.paid[i]
	err := r.w.giveBack(p.who, till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Original: p.id})
	if r.m.drawer[p.who] < p.amount {
		if err != till.ErrDrawer {
			r.Fatalf("a void of what is not there: %v", err)
		}
		return
	}
	r.must(err)
	r.m.paid = slices.Delete(r.m.paid, i, i+1)
	r.m.note(Voided, p.amount, r.late())
	r.m.moved(p.who, -p.amount)
}

// Refund gives a part of somebody's payment back out of the drawer of anybody.
func (r *trial) Refund(*rapid.T) {
	if len(r.m.paid) == 0 {
		r.Skip("nothing to refund")
	}
	i := rapid.IntRange(0, len(r.m.paid)-1).Draw(r.T, "payment")
	p, who := r.m.paid[i], r.cashier()
	amount := money.Amount(rapid.Int64Range(1, int64(p.amount)).Draw(r.T, "part"))
	err := r.w.giveBack(who, till.GiveBack{Kind: till.KindRefund, Reason: till.ReasonCredit, Original: p.id, Amount: amount})
	if r.m.drawer[who] < amount {
		if err != till.ErrDrawer {
			r.Fatalf("a refund of what is not there: %v", err)
		}
		return
	}
	r.must(err)
	r.m.paid = slices.Delete(r.m.paid, i, i+1)
	r.m.note(Refunded, amount, r.late())
	r.m.moved(who, -amount)
}

func (r *trial) Drop(*rapid.T) {
	who, amount := r.cashier(), r.amount()
	r.must(r.w.d.Drop(context.Background(), r.w.people[who], command(), amount))
	over := max(amount-r.m.drawer[who], 0)
	if over > 0 {
		r.m.note(OverShort, over, r.late())
		r.m.drawer[who] += over
	}
	r.m.note(Dropped, amount, r.late())
	r.m.drawer[who] -= amount
	mine, err := r.w.d.Mine(context.Background(), r.w.people[who])
	r.must(err)
	if len(mine.Drops) == 0 || mine.Drops[0].Amount != amount || mine.Drops[0].Back {
		r.Fatalf("%s dropped %v and is shown %+v", who, amount, mine.Drops)
	}
	r.m.dropped = append(r.m.dropped, cashDropped{mine.Drops[0].Entry, who, amount, over})
}

// TakeBack takes a drop back, twice: the second time does nothing. A colleague
// cannot.
func (r *trial) TakeBack(*rapid.T) {
	if len(r.m.dropped) == 0 {
		r.Skip("nothing to take back")
	}
	i := rapid.IntRange(0, len(r.m.dropped)-1).Draw(r.T, "drop")
	d, ctx := r.m.dropped[i], context.Background()
	other := map[string]string{"rosa": "omar", "omar": "rosa"}[d.who]
	if err := r.w.d.TakeBack(ctx, r.w.people[other], d.id, BackTwice); err != ErrNoDrop {
		r.Fatalf("%s took back what %s dropped: %v", other, d.who, err)
	}
	for range 2 {
		r.must(r.w.d.TakeBack(ctx, r.w.people[d.who], d.id, BackMistyped))
	}
	r.m.dropped = slices.Delete(r.m.dropped, i, i+1)
	r.m.note(Undropped, d.amount, r.late())
	if d.over > 0 {
		r.m.note(OverShort, -d.over, r.late())
	}
	r.m.moved(d.who, d.amount-d.over)
}

// gone demands that no drop of the model can be taken back any more.
func (r *trial) gone() {
	for _, d := range r.m.dropped {
		if err := r.w.d.TakeBack(context.Background(), r.w.people[d.who], d.id, BackKept); err != ErrNoDrop {
			r.Fatalf("a drop was taken back too late: %v", err)
		}
	}
	r.m.dropped = nil
}

func (r *trial) Count(*rapid.T) {
	who := r.cashier()
	r.count(who, money.Amount(rapid.Int64Range(-2, 2).Draw(r.T, "off")))
}

// CountAll counts every drawer, as the evening does.
func (r *trial) CountAll(*rapid.T) {
	r.count("rosa", 0)
	r.count("omar", 0)
}

func (r *trial) count(who string, off money.Amount) {
	amount := max(r.m.drawer[who]+off, 0)
	c, err := r.w.d.Count(context.Background(), r.w.people[who], command(), pieces(amount))
	if moved := r.ever(who); !moved || r.m.agreed[who] || r.m.rounds[who] == 2 {
		if err == nil {
			r.Fatalf("%s may count again", who)
		}
		return
	}
	r.must(err)
	off = amount - r.m.drawer[who]
	if off != 0 {
		r.m.note(OverShort, off, r.late())
	}
	r.m.drawer[who] = amount
	r.m.counted[who], r.m.floated[who] = true, false
	r.m.rounds[who]++
	r.m.agreed[who] = off == 0
	if c.Agrees != (off == 0) || c.Difference != 0 && r.m.rounds[who] < 2 {
		r.Fatalf("told %+v of %v", c, off)
	}
}

// ever reports whether a drawer has ever moved.
func (r *trial) ever(who string) bool { _, ok := r.m.counted[who]; return ok }

func (r *trial) Card(*rapid.T) {
	amount := r.amount()
	r.w.card("SN1", amount)
	r.m.note(PaidCard, amount, r.late())
	r.m.clearing += amount
}

func (r *trial) Batch(*rapid.T) {
	off := money.Amount(rapid.Int64Range(-1, 1).Draw(r.T, "off"))
	work, err := r.w.d.Batch(context.Background(), r.w.people["rosa"], Totals{Command: command(), Terminal: "SN1", Amount: r.m.clearing + off})
	r.must(err)
	if (work != 0) != (off != 0) {
		r.Fatalf("off by %v: work item %d", off, work)
	}
	r.m.clearing = 0
}

func (r *trial) Backdated(*rapid.T) {
	amount, days := r.amount(), rapid.IntRange(0, 3).Draw(r.T, "days")
	day := r.w.day(-days)
	late := r.m.sheets > 0 && r.lastDay() >= day
	r.w.post(ledger.Draft{Event: ledger.EventWaiver, Effective: day, Postings: []ledger.Posting{
		{Account: books.Individual, Amount: -amount}, {Account: "4920", Amount: amount},
	}})
	r.m.note(Adjusted, amount, late)
}

func (r *trial) Tomorrow(*rapid.T) {
	if len(r.m.happened) > 0 { // forgotten days have a test of their own
		r.Skip("the day is not sealed")
	}
	r.w.now = r.w.now.Add(24 * time.Hour)
	r.gone()
}

func (r *trial) Seal(*rapid.T) {
	if rapid.Bool().Draw(r.T, "count first") {
		r.CountAll(nil)
	}
	ctx, vera := context.Background(), r.w.people["vera"]
	d, err := r.w.d.Next(ctx, vera)
	r.must(err)
	if d.Nothing { // late items wait for tomorrow's sheet
		r.w.now = r.w.now.Add(24 * time.Hour)
		r.gone()
		return
	}
	n, err := r.w.d.Seal(ctx, vera, d.Day)
	if r.uncounted() {
		if err != ErrUncounted {
			r.Fatalf("sealed without a count: %v", err)
		}
		return
	}
	r.must(err)
	s, err := r.w.d.Read(ctx, vera, n)
	r.must(err)
	r.compare(s)
	r.gone()
	r.m.happened, r.m.used = nil, map[string]bool{}
	r.m.sheets, r.m.entries = n, s.Last
}

// uncounted reports whether the model knows a drawer that moved since the last
// seal and was not counted since.
func (r *trial) uncounted() bool {
	for who, counted := range r.m.counted {
		if !counted && r.m.used[who] {
			return true
		}
	}
	return false
}

func (r *trial) compare(s Shown) {
	if s.Number != r.m.sheets+1 || s.After != r.m.entries {
		r.Fatalf("sheet %d after entry %d follows sheet %d, entry %d", s.Number, s.After, r.m.sheets, r.m.entries)
	}
	want := map[Total]Total{}
	for _, h := range r.m.happened {
		k := Total{Class: h.class, Late: h.late}
		want[k] = Total{h.class, h.late, want[k].Count + 1, want[k].Amount + h.amount}
	}
	for _, got := range s.Totals {
		k := Total{Class: got.Class, Late: got.Late}
		if want[k] != got {
			r.Fatalf("sheet %d has %+v, want %+v", s.Number, got, want[k])
		}
		delete(want, k)
	}
	if len(want) > 0 {
		r.Fatalf("sheet %d lacks %+v", s.Number, want)
	}
	for _, d := range s.Drawers {
		if d.Closing != r.m.drawer[d.Cashier] || d.Opening+d.Float+d.Taken+d.Given+d.Dropped+d.Difference != d.Closing {
			r.Fatalf("drawer %+v, want %v", d, r.m.drawer[d.Cashier])
		}
	}
	if !s.Signed {
		r.Fatalf("sheet %d is not signed", s.Number)
	}
}

// Random work of a clinic over days, against the model; then every sheet is
// folded anew.
func TestDaysFollowTheirModel(t *testing.T) {
	w := newWorld(t, false)
	m := &model{
		drawer: map[string]money.Amount{}, counted: map[string]bool{}, rounds: map[string]int{},
		agreed: map[string]bool{}, floated: map[string]bool{}, used: map[string]bool{},
	}
	if checks := flag.Lookup("rapid.checks").Value; checks.String() == "100" { // unless a campaign asks for more
		w.must(checks.Set("25"))
		defer checks.Set("100")
	}
	rapid.Check(t, func(rt *rapid.T) {
		r := &trial{rt, w, m}
		rt.Repeat(rapid.StateMachineActions(r))
	})
	if m.sheets < 10 {
		t.Errorf("only %d days were sealed", m.sheets)
	}
	w.sound()
}

// Check compares the drawers after each step.
func (r *trial) Check(*rapid.T) {
	r.w.do(func(tx *vault.Tx) error {
		for who, want := range r.m.drawer {
			got, err := books.Balance(tx, books.Drawers, books.Sub(who))
			if err != nil || got != want {
				r.Fatalf("the drawer of %s holds %v, want %v: %v", who, got, want, err)
			}
		}
		return nil
	})
}
