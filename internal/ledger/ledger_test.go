package ledger

import (
	"errors"
	"math"
	"math/big"
	"math/rand"
	"slices"
	"testing"
	"time"

	"coffer/internal/ident"
	"coffer/internal/money"

	"pgregory.net/rapid"
)

var chart = ChartMap{
	"1010": {"1010", "Bank", Asset, false, SubNone},
	"1060": {"1060", "Card clearing", Asset, false, SubBatch},
	"1100": {"1100", "Receivables", Asset, false, SubClient},
	"2100": {"2100", "Credits", Liability, false, SubClient},
	"4000": {"4000", "Individual", Income, false, SubNone},
	"4910": {"4910", "Sliding scale", Income, true, SubNone},
}

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newID() ident.ID[ident.Entry] { return ident.New[ident.Entry](now) }

// keys are the sub-ledgers that generated postings use.
var keys = []Key{{"1010", ""}, {"1060", "T1"}, {"1100", "P-000001"}, {"1100", "P-000002"}, {"2100", "P-000001"}, {"4000", ""}, {"4910", ""}}

// balanced draws postings that sum to zero.
func balanced(t *rapid.T) []Posting {
	for {
		var sum money.Amount
		var postings []Posting
		for i := rapid.IntRange(1, 5).Draw(t, "legs"); i > 0; i-- {
			k := rapid.SampledFrom(keys).Draw(t, "key")
			a := money.Amount(rapid.Int64Range(-1e9, 1e9).Filter(func(n int64) bool { return n != 0 }).Draw(t, "amount"))
			postings = append(postings, Posting{k.Account, k.Sub, a})
			sum += a
		}
		if sum != 0 {
			k := rapid.SampledFrom(keys).Draw(t, "last")
			return append(postings, Posting{k.Account, k.Sub, -sum})
		}
	}
}

// history draws a journal in which every kind of entry occurs in its place.
func history(t *rapid.T) []Entry {
	var journal, pending []Entry
	for i := rapid.IntRange(1, 30).Draw(t, "entries"); i > 0; i-- {
		e := Entry{Kind: Posted, Event: EventChargeSession, Postings: balanced(t)}
		switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); {
		case kind == 1:
			e.Kind = Pending
		case kind == 2 && len(pending) > 0:
			e, pending = must(Post(pending[0], must(Total(pending[0].Postings)))), pending[1:]
		case kind == 3 && len(pending) > 0:
			e, pending = must(Void(pending[0])), pending[1:]
			e.Reason = "declined"
		case kind == 4 && len(journal) > 0 && journal[0].Kind == Posted:
			e = must(Reverse(journal[0]))
			e.Reason = "mistake"
		}
		e.ID = newID()
		if err := e.Validate(chart); err != nil {
			t.Fatalf("a drawn entry is refused: %v", err)
		}
		if e.Kind == Pending {
			pending = append(pending, e)
		}
		journal = append(journal, e)
	}
	return journal
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestNormalSide(t *testing.T) {
	for class, want := range map[Class]Side{Asset: Debit, Expense: Debit, Liability: Credit, Equity: Credit, Income: Credit} {
		if got := (Account{Class: class}).Normal(); got != want {
			t.Errorf("%s: %v, want %v", class, got, want)
		}
		if got := (Account{Class: class, Contra: true}).Normal(); got != -want {
			t.Errorf("contra %s: %v, want %v", class, got, -want)
		}
	}
}

func TestAccountValidate(t *testing.T) {
	good := Account{"1010", "Bank", Asset, false, SubNone}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func(*Account){
		func(a *Account) { a.Code = "101" }, func(a *Account) { a.Code = "10x0" }, func(a *Account) { a.Name = "" },
		func(a *Account) { a.Class = "thing" }, func(a *Account) { a.Sub = "person" },
	} {
		a := good
		if spoil(&a); a.Validate() == nil {
			t.Errorf("%+v is accepted", a)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	p := func(code Code, sub Sub, a money.Amount) Posting { return Posting{code, sub, a} }
	for name, c := range map[string]struct {
		want error
		e    Entry
	}{
		"one posting":       {ErrPostings, Entry{Postings: []Posting{p("1010", "", 5)}}},
		"many postings":     {ErrPostings, Entry{Postings: make([]Posting, 101)}},
		"a zero":            {ErrZero, Entry{Postings: []Posting{p("1010", "", 0), p("4000", "", 0)}}},
		"unbalanced":        {ErrUnbalanced, Entry{Postings: []Posting{p("1010", "", 5), p("4000", "", -4)}}},
		"unknown account":   {ErrUnknown, Entry{Postings: []Posting{p("1234", "", 5), p("4000", "", -5)}}},
		"no client":         {ErrSubMissing, Entry{Postings: []Posting{p("1100", "", 5), p("4000", "", -5)}}},
		"name for client":   {ErrSubMissing, Entry{Postings: []Posting{p("1100", "Jane Roe", 5), p("4000", "", -5)}}},
		"short client":      {ErrSubMissing, Entry{Postings: []Posting{p("1100", "P-12345", 5), p("4000", "", -5)}}},
		"letters in client": {ErrSubMissing, Entry{Postings: []Posting{p("1100", "P-12345x", 5), p("4000", "", -5)}}},
		"no batch":          {ErrSubMissing, Entry{Postings: []Posting{p("1060", "", 5), p("4000", "", -5)}}},
		"spaced batch":      {ErrSubMissing, Entry{Postings: []Posting{p("1060", "a b", 5), p("4000", "", -5)}}},
		"sub unwanted":      {ErrSubUnwanted, Entry{Postings: []Posting{p("1010", "P-000001", 5), p("4000", "", -5)}}},
		"no negative":       {money.ErrOverflow, Entry{Postings: []Posting{p("1010", "", math.MinInt64), p("4000", "", math.MaxInt64), p("4910", "", 1)}}},
		"overflow to zero":  {money.ErrOverflow, Entry{Postings: []Posting{p("1010", "", math.MaxInt64), p("1010", "", math.MaxInt64), p("4910", "", 2)}}},
		"ref on posted":     {ErrKind, Entry{Ref: newID()}},
		"reversal of none":  {ErrKind, Entry{Kind: Reversal}},
		"unknown kind":      {ErrKind, Entry{Kind: "draft"}},
		"unknown event":     {ErrEvent, Entry{Event: "payment.magic"}},
		"spaced source":     {ErrSource, Entry{Source: "attempt of Jane"}},
		"no reason":         {ErrReason, Entry{Kind: VoidPending, Ref: newID()}},
		"wordy reason":      {ErrReason, Entry{Kind: Reversal, Ref: newID(), Reason: "Jane asked"}},
	} {
		e := c.e
		e.ID = newID()
		if e.Kind == "" {
			e.Kind = Posted
		}
		if e.Event == "" {
			e.Event = EventChargeSession
		}
		if e.Postings == nil {
			e.Postings = []Posting{p("1010", "", 5), p("4000", "", -5)}
		}
		if err := e.Validate(chart); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// No sum that overflows is taken for zero: what Validate accepts balances in
// arithmetic without bounds too.
func TestNoOverflowSlipsThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MinInt64 / 2, -2, -1, 0, 1, 2, math.MaxInt64 / 2, math.MaxInt64/2 + 1, math.MaxInt64 - 1, math.MaxInt64})
		amounts := rapid.SliceOfN(edge, 2, 6).Draw(t, "amounts")
		var postings []Posting
		sum, debits := new(big.Int), new(big.Int)
		for _, a := range amounts {
			postings = append(postings, Posting{"4000", "", money.Amount(a)})
			sum.Add(sum, big.NewInt(a))
			if a > 0 {
				debits.Add(debits, big.NewInt(a))
			}
		}
		accepted := ValidatePostings(postings, chart) == nil
		if accepted && (sum.Sign() != 0 || !debits.IsInt64()) {
			t.Fatalf("%v is accepted, and sums to %v", amounts, sum)
		}
	})
}

func TestEverySequenceSumsToZero(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &Balances{}
		for _, e := range history(t) {
			if err := b.Add(e); err != nil {
				t.Fatal(err)
			}
			var sum money.Amount
			for _, k := range b.Keys() {
				sum += b.Posted(k.Account, k.Sub)
			}
			if sum != 0 {
				t.Fatalf("the balances sum to %v after %s", sum, e.Kind)
			}
		}
		trial, err := b.TrialBalance(chart)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range trial.Lines {
			want, err := b.Account(l.Account.Code)
			if err != nil || l.Debit-l.Credit != want || l.Debit != 0 && l.Credit != 0 {
				t.Fatalf("%s: Dr %v Cr %v, want %v", l.Account.Code, l.Debit, l.Credit, want)
			}
		}
	})
}

func TestFoldIsOrderFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		journal := history(t)
		want := must(Fold(journal...))
		shuffled := slices.Clone(journal)
		seed := rapid.Int64().Draw(t, "seed")
		rand.New(rand.NewSource(seed)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := must(Fold(shuffled...)); !got.Equal(want) {
			t.Fatal("another order gives other balances")
		}
	})
}

func TestReverseUndoesPost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := history(t)
		before, after := must(Fold(base...)), must(Fold(base...))
		e := Entry{ID: newID(), Kind: Posted, Event: EventPaymentCard, Postings: balanced(t)}
		back := must(Reverse(e))
		back.ID = newID()
		if err := errors.Join(after.Add(e), after.Add(back)); err != nil {
			t.Fatal(err)
		}
		if !after.Equal(before) {
			t.Fatal("an entry and its reversal change the balances")
		}
		if back.Kind != Reversal || back.Ref != e.ID {
			t.Fatal("the reversal does not name what it reverses")
		}
	})
}

func TestOnlyPostedEntriesReverse(t *testing.T) {
	for _, k := range []Kind{Pending, VoidPending} {
		if _, err := Reverse(Entry{Kind: k}); !errors.Is(err, ErrNotPosted) {
			t.Errorf("%s: %v", k, err)
		}
	}
	for _, k := range []Kind{Posted, PostPending, VoidPending, Reversal} {
		if _, err := Post(Entry{Kind: k}, 1); !errors.Is(err, ErrNotPending) {
			t.Errorf("%s: %v", k, err)
		}
		if _, err := Void(Entry{Kind: k}); !errors.Is(err, ErrNotPending) {
			t.Errorf("%s: %v", k, err)
		}
	}
}

// Posting a pending entry for less releases the rest, and until then it shows
// in no posted balance.
func TestPostForLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pended := money.Amount(rapid.Int64Range(1, 1e9).Draw(t, "pended"))
		amount := money.Amount(rapid.Int64Range(1, int64(pended)).Draw(t, "amount"))
		p := Entry{ID: newID(), Kind: Pending, Event: EventPaymentCard, Postings: []Posting{{"1060", "T1", pended}, {"1100", "P-000001", -pended}}}
		b := must(Fold(p))
		if b.Posted("1060", "T1") != 0 || len(b.Keys()) != 0 {
			t.Fatal("a pending entry shows in a posted balance")
		}
		if got := must(b.Pending("1060", "T1")); got != pended {
			t.Fatalf("pending %v, want %v", got, pended)
		}
		e := must(Post(p, amount))
		e.ID = newID()
		if err := e.Validate(chart); err != nil {
			t.Fatal(err)
		}
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
		if b.Posted("1060", "T1") != amount || b.Posted("1100", "P-000001") != -amount {
			t.Fatal("what was posted is not the amount")
		}
		if must(b.Pending("1060", "T1")) != 0 || len(b.Unresolved()) != 0 {
			t.Fatal("the rest is not released")
		}
		if _, err := Post(p, pended+1); !errors.Is(err, ErrTooMuch) {
			t.Fatalf("more than pended: %v", err)
		}
	})
}

func TestPostRefuses(t *testing.T) {
	p := Entry{ID: newID(), Kind: Pending, Postings: []Posting{{"1060", "T1", 30}, {"1100", "P-000001", -20}, {"2100", "P-000001", -10}}}
	for amount, want := range map[money.Amount]error{0: ErrZero, -5: ErrZero, 31: ErrTooMuch, 29: ErrPartial} {
		if _, err := Post(p, amount); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", amount, err, want)
		}
	}
	if _, err := Post(p, 30); err != nil {
		t.Error(err)
	}
}

func TestVoidLeavesNothing(t *testing.T) {
	p := Entry{ID: newID(), Kind: Pending, Postings: []Posting{{"1060", "T1", 30}, {"1100", "P-000001", -30}}}
	b := must(Fold(p, must(Void(p))))
	if len(b.Keys()) != 0 || len(b.Unresolved()) != 0 {
		t.Error("a released entry left something behind")
	}
}

func TestTrialBalanceRefuses(t *testing.T) {
	if _, err := NewTrialBalance(map[Code]money.Amount{"1010": 5, "4000": -4}, chart); !errors.Is(err, ErrUnbalanced) {
		t.Error(err)
	}
	if _, err := NewTrialBalance(map[Code]money.Amount{"9999": 5, "4000": -5}, chart); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := NewTrialBalance(map[Code]money.Amount{"1010": math.MinInt64}, chart); !errors.Is(err, money.ErrOverflow) {
		t.Error(err)
	}
}

func TestEventsHaveLabels(t *testing.T) {
	for _, e := range Events() {
		if !e.Known() || e.Label() == "" {
			t.Errorf("%s has no label", e)
		}
	}
	if Event("").Known() {
		t.Error("the empty event is known")
	}
}
