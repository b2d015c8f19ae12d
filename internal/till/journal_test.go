package till

import (
	"context"
	"slices"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/books"
	"coffer/internal/custody"
	"coffer/internal/custody/custodytest"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// bench is a till without its lane: what terminals say is put in by hand.
type bench struct {
	*Till
	t     *testing.T
	lane  *lane
	rang  []string
	agent access.Agent
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchAt(t, terminal.Config{
		ID: ident.New[ident.Terminal](time.Now()), Address: "tcp:127.0.0.1:1",
		Profile: protocol.Profile{Protocol: "pax", Timers: protocol.Timers{RetryMin: 1000, RetryMax: 1000}},
	})
}

// benchSerial is the serial number of the bench's terminal.
const benchSerial = "53236566"

// newBenchAt is newBench with a terminal of that configuration.
func newBenchAt(t *testing.T, cfg terminal.Config) *bench {
	t.Helper()
	v := vaulttest.Open(t, nil, slices.Concat(duty.Tables(), books.Tables(), roster.Tables(), custody.Tables(), Tables())...)
	b := &bench{t: t, agent: accesstest.System("till")}
	m := terminal.Start(cfg)
	register := custodytest.Register(v)
	if err := custodytest.Pair(t.Context(), register, cfg.ID, benchSerial); err != nil {
		t.Fatal(err)
	}
	b.Till = New(Options{Vault: v, Agent: b.agent, Register: register, Terminals: []*terminal.Terminal{m}, Bell: func(s string) { b.rang = append(b.rang, s) }})
	b.lane = b.order[0]
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := books.New(v).Setup(t.Context(), b.agent); err != nil {
		t.Fatal(err)
	}
	return b
}

// sale records a sale of 90.00 for a new client who owes it.
func (b *bench) sale() (a attempt) {
	b.t.Helper()
	req := access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.ClientWrite, Entity: access.None, Purpose: access.Operations}
	if err := b.vault.Update(b.t.Context(), req, func(tx *vault.Tx) error {
		c, err := roster.Create(tx, roster.Details{Name: phi.NewText("Avery Example")})
		if err != nil {
			return err
		}
		if _, err := books.Post(tx, ledger.Draft{Event: ledger.EventChargeSession, Postings: []ledger.Posting{
			{Account: books.Receivables, Sub: ledger.Sub(c.Account), Amount: 9000},
			{Account: books.Individual, Amount: -9000},
		}}); err != nil {
			return err
		}
		made, err := b.create(tx, intent{
			command: ident.New[ident.Command](tx.Now()), kind: KindSale, tender: TenderCard,
			client: c.ID, amount: 9000, terminal: b.lane.id,
		}, b.lane)
		a = made.attempt
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return a
}

// approval is what a terminal says of an approved attempt.
func approval(a attempt) protocol.Outcome {
	return protocol.Outcome{Result: protocol.Approved, Kind: protocol.Kind(a.Kind), Ref: a.Ref, Requested: a.Amount, Approved: a.Amount, HostRef: "1234567890123", AuthCode: "A1"}
}

// now returns the attempt as the journal has it, and what Check finds.
func (b *bench) now(a attempt) (now attempt, found []Finding) {
	b.t.Helper()
	if err := b.vault.View(b.t.Context(), b.request(access.PaymentRead, a.ID), func(tx *vault.Tx) error {
		row, err := rowOf(tx, a.ID)
		if err != nil {
			return err
		}
		now = row.Shared
		found, _, err = Check(tx)
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return now, found
}

func (b *bench) ok(a attempt, s State, r Result) attempt {
	b.t.Helper()
	now, found := b.now(a)
	if now.State != s || now.Result != r || len(found) != 0 {
		b.t.Errorf("got %s %s, %v; want %s %s", now.State, now.Result, found, s, r)
	}
	return now
}

func (b *bench) apply(a attempt, o protocol.Outcome) {
	b.t.Helper()
	if _, err := b.Till.apply(a.ID, o); err != nil {
		b.t.Fatal(err)
	}
}

func TestOutcomesAreAppliedOnce(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	for range 3 {
		b.apply(a, approval(a))
	}
	now := b.ok(a, Resulted, Approved)
	if now.HostRef != "1234567890123" {
		t.Errorf("the processor's reference is %q", now.HostRef)
	}
	other := approval(a)
	other.Result, other.Approved = protocol.Declined, 0
	b.apply(a, other) // what is known is not made unknown
	b.ok(a, Resulted, Approved)
}

func TestStrayResolvesWhatIsInDoubt(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	b.apply(a, protocol.Outcome{Result: protocol.InDoubt, Reason: protocol.ReasonUnplugged})
	b.ok(a, InDoubt, ResultNone)
	wrong := approval(a)
	wrong.Ref = "999999999999"
	if err := b.lane.stray(wrong); err != nil {
		t.Fatal(err)
	}
	if now, found := b.now(a); now.State != InDoubt || len(found) != 1 {
		t.Errorf("got %s, found %v", now.State, found)
	}
	if err := b.lane.stray(approval(a)); err != nil {
		t.Fatal(err)
	}
	b.ok(a, Resulted, Approved)
	if err := b.lane.stray(approval(a)); err != nil {
		t.Fatal(err)
	}
	b.ok(a, Resulted, Approved)
	if !slices.Contains(b.rang, topic(a.ID)) {
		t.Error("the bell did not ring")
	}
}

// The terminal proved that nothing was charged, the pending entry is gone, and
// then the approval comes after all: the money comes into the books.
func TestLateApprovalIsNotLost(t *testing.T) {
	for name, o := range map[string]protocol.Outcome{
		"not charged": {Result: protocol.NotCharged, Evidence: protocol.EvidenceOlder},
		"cancelled":   {Result: protocol.Cancelled, Reason: protocol.ReasonAborted},
		"declined":    {Result: protocol.Declined},
		"not sent":    {Result: protocol.NotSent, Reason: protocol.ReasonBusy},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := b.sale()
			b.apply(a, o)
			if _, err := b.close(a.ID); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := b.lane.stray(approval(a)); err != nil {
					t.Fatal(err)
				}
			}
			now, found := b.now(a)
			if !now.Result.moved() || now.Approved != 9000 || now.Receipt != 1 || len(found) != 0 {
				t.Errorf("got %+v, %v", now, found)
			}
		})
	}
}

// A terminal that calls an attempt a duplicate of itself has proved nothing:
// its record decides.
func TestDuplicateThatIsThisVeryAttempt(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	o := approval(a)
	o.Result = protocol.Duplicate
	b.apply(a, o)
	if now := b.ok(a, InDoubt, ResultNone); now.HostRef != "" {
		t.Errorf("the original's reference is kept as the attempt's own: %q", now.HostRef)
	}
	b.apply(a, protocol.Outcome{Result: protocol.NotCharged, Ref: a.Ref, Evidence: protocol.EvidenceOlder})
	b.ok(a, NotCharged, ProvenNever)
}

// A command whose attempt has ended may not be sent.
func TestOnlyANewCommandIsSent(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	for range 2 {
		if err := b.mark(a.ID, Sent); err != nil {
			t.Fatal(err)
		}
	}
	b.apply(a, protocol.Outcome{Result: protocol.Declined})
	if err := b.mark(a.ID, Sent); err == nil {
		t.Error("a declined payment may be sent")
	}
	if err := b.mark(a.ID, Acked); err != nil {
		t.Error(err)
	}
	b.ok(a, Resulted, Declined)
}

// One person's word is not enough for money: the terminal's own record of the
// original must agree.
func TestSameNeedsTheTerminalsRecord(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*protocol.Outcome)
		state State
	}{
		"agrees":            {func(*protocol.Outcome) {}, Closed},
		"no record":         {func(o *protocol.Outcome) { *o = protocol.Outcome{} }, Manual},
		"not charged":       {func(o *protocol.Outcome) { o.Result, o.Approved = protocol.NotCharged, 0 }, Manual},
		"another amount":    {func(o *protocol.Outcome) { o.Approved-- }, Manual},
		"another payment":   {func(o *protocol.Outcome) { o.Ref = "100000000099" }, Manual},
		"another reference": {func(o *protocol.Outcome) { o.HostRef = "1111" }, Manual},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := b.sale()
			o := approval(a)
			o.Result, o.Ref = protocol.Duplicate, "100000000777"
			b.apply(a, o)
			b.ok(a, Resulted, Duplicate)
			record := o
			record.Result = protocol.Approved
			c.spoil(&record)
			if _, err := b.journal(t.Context(), a.ID, func(tx *vault.Tx, a *attempt) (*event, error) { return b.same(tx, a, record) }); err != nil {
				t.Fatal(err)
			}
			now, found := b.now(a)
			if now.State != c.state || len(found) != 0 || now.State == Closed && (now.Reason != reasonDesk || now.Evidence != evidenceRecord) || now.State == Manual && !now.Entry.IsZero() {
				t.Errorf("got %+v, %v", now, found)
			}
		})
	}
}

// Asking in vain, or a terminal that is away, leaves nothing in the store.
func TestAskingInVainLeavesNoTrace(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	if err := b.mark(a.ID, Sent); err != nil {
		t.Fatal(err)
	}
	b.lane.doubt(a.ID)
	before := uint64(0)
	for n := range 5 {
		if id, ok := b.lane.nextUnknown(); !ok || b.lane.settleUnknown(t.Context(), id) {
			t.Fatal("the attempt is known")
		}
		if n == 0 {
			before = b.vault.Status().Events
		}
	}
	if got := b.vault.Status().Events; got != before {
		t.Errorf("%d events were recorded", got-before)
	}
	b.ok(a, InDoubt, ResultNone)
	if err := b.lane.stray(approval(a)); err != nil { // the answer comes by itself
		t.Fatal(err)
	}
	if id, ok := b.lane.nextUnknown(); !ok || !b.lane.settleUnknown(t.Context(), id) {
		t.Error("the lane does not see that the attempt is known")
	}
	b.ok(a, Closed, Approved)
	if !slices.Contains(b.rang, TopicDay) {
		t.Error("the day's bell did not ring when the payment ended")
	}
}

// A defect in a lane locks its terminal, and the program goes on.
func TestLaneSurvivesADefect(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	b.lane.run(a)
	armed := true
	b.bell = func(string) {
		if armed {
			armed = false
			panic("a defect")
		}
	}
	if _, more := b.lane.turn(t.Context(), 0); more {
		t.Error("the lane goes on at once")
	}
	if s := b.lane.terminal.Status(); !s.Quarantined || s.Reason != protocol.ReasonDefect {
		t.Errorf("got %+v", s)
	}
	if id, ok := b.lane.nextUnknown(); !ok || id != a.ID {
		t.Error("what ran is forgotten")
	}
}

// Only the attempt that was meant is cancelled, never the next one.
func TestCancelIsForOneAttempt(t *testing.T) {
	b := newBench(t)
	first, second := b.sale(), b.sale()
	b.lane.live = live{id: second.ID, step: protocol.StepPresent}
	if err := b.lane.askCancel(first.ID); err == nil || b.lane.live.cancelling {
		t.Errorf("the next payment is cancelled: %v", err)
	}
	if err := b.lane.askCancel(second.ID); err != nil || !b.lane.live.cancelling {
		t.Errorf("the running payment is not: %v", err)
	}
}

func TestPaymentsNewestFirstUpToALimit(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	var made []ident.ID[ident.Attempt]
	for n := range 5 {
		if err := b.vault.Update(t.Context(), b.request(access.PaymentStep, a.ID), func(tx *vault.Tx) error {
			c := a
			c.ID, c.Command, c.Ref, c.State = ident.New[ident.Attempt](tx.Now()), ident.New[ident.Command](tx.Now()), "", Closed
			c.Result, c.Pending, c.At = Declined, ident.ID[ident.Entry]{}, a.At.Add(time.Duration(n+1)*time.Second)
			made = append(made, c.ID)
			_, err := attempts.Insert(tx, attemptRow{Shared: c})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := b.Payments(t.Context(), accesstest.Agent(access.FrontDesk), a.Client, 3)
	if err != nil || len(list) != 3 || list[0].ID != made[4] || list[1].ID != made[3] || list[2].ID != made[2] {
		t.Errorf("got %d payments, %v", len(list), err)
	}
	if list, err = b.Payments(t.Context(), accesstest.Agent(access.FrontDesk), a.Client, 9); err != nil || len(list) != 6 || list[5].ID != a.ID {
		t.Errorf("got %d payments, %v", len(list), err)
	}
}

func TestDuplicateThatIsAnUnknownAttempt(t *testing.T) {
	b := newBench(t)
	first, second := b.sale(), b.sale()
	b.apply(first, protocol.Outcome{Result: protocol.InDoubt, Reason: protocol.ReasonNoAnswer})
	o := approval(first)
	o.Result = protocol.Duplicate
	b.apply(second, o)
	b.ok(first, Resulted, Approved)
	b.ok(second, Resulted, Duplicate) // of another client: a person says
}

func TestEmptyTerminalAfterABatchProvesNothing(t *testing.T) {
	b := newBench(t)
	empty := protocol.Outcome{Result: protocol.NotCharged, Evidence: protocol.EvidenceEmpty}
	early := b.sale()
	b.apply(early, empty)
	b.ok(early, NotCharged, ProvenNever)
	b.apply(b.sale(), protocol.Outcome{Result: protocol.Declined})
	paid := b.sale()
	b.apply(paid, approval(paid))
	late := b.sale()
	b.apply(late, empty)
	b.ok(late, Manual, ResultNone)
}

// Check must find what it is there for.
func TestCheckFinds(t *testing.T) {
	for name, spoil := range map[string]func(*attempt){
		"approved, not posted":  func(a *attempt) { a.State, a.Result, a.Approved = Closed, Approved, 9000 },
		"declined, but pending": func(a *attempt) { a.State, a.Result = Closed, Declined },
		"unknown, but released": func(a *attempt) { a.Pending = ident.ID[ident.Entry]{} },
		"unknown, but posted":   func(a *attempt) { a.Entry = a.Pending },
	} {
		b := newBench(t)
		a := b.sale()
		b.spoil(a, spoil)
		if _, found := b.now(a); len(found) != 1 || found[0].Attempt != a.ID {
			t.Errorf("%s: found %v", name, found)
		}
	}
	for name, spoil := range map[string]func(*attempt){
		"another amount":     func(a *attempt) { a.Approved-- },
		"another receipt":    func(a *attempt) { a.Receipt++ },
		"unknown after all":  func(a *attempt) { a.State = InDoubt },
		"too much returned":  func(a *attempt) { a.Returned = a.Approved + 1 },
		"declined after all": func(a *attempt) { a.Result = Declined },
	} {
		b := newBench(t)
		a := b.sale()
		b.apply(a, approval(a))
		b.spoil(a, spoil)
		if _, found := b.now(a); len(found) != 1 || found[0].Attempt != a.ID {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

func (b *bench) spoil(a attempt, f func(*attempt)) {
	b.t.Helper()
	if err := b.vault.Update(b.t.Context(), b.request(access.PaymentStep, a.ID), func(tx *vault.Tx) error {
		row, err := rowOf(tx, a.ID)
		if err != nil {
			return err
		}
		f(&row.Shared)
		return attempts.Replace(tx, row)
	}); err != nil {
		b.t.Fatal(err)
	}
}

// The references' counter and its epoch end, and do not turn over.
func TestReferencesEnd(t *testing.T) {
	if got := (counter{Epoch: epochFirst, Ref: 1}).ref(); got != "100000000001" {
		t.Errorf("the first reference is %s", got)
	}
	if got := (counter{Epoch: epochLast, Ref: refLast}).ref(); got != "999999999999" {
		t.Errorf("the last reference is %s", got)
	}
	b := newBench(t)
	for e := epochFirst; e < epochLast; e++ {
		if err := b.BeginEpoch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.BeginEpoch(t.Context()); err == nil {
		t.Error("an epoch after the last")
	}
}
