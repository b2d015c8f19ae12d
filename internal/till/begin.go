package till

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/vault"
)

// intent is what somebody asks the till for, of any kind and tender.
type intent struct {
	command  ident.ID[ident.Command]
	kind     Kind
	tender   Tender
	client   ident.ID[ident.Client]
	amount   money.Amount
	tendered money.Amount
	original ident.ID[ident.Attempt]
	terminal ident.ID[ident.Terminal]
	again    bool                // a person confirmed a second payment
	dueOnly  bool                // more than is due is refused
	check    string              // number of a check
	of       *attempt            // the payment to give back
	act      ident.ID[ident.Act] // the approved act that is carried out
	reason   Reason
	note     phi.Text
}

// Begin records a card payment and hands it to the terminal; it does not wait
// for the outcome, which Payment tells. One commit holds the attempt, its
// reference and its pending ledger entry. The same Command gives the same
// attempt, however often and whenever it is asked.
//
// With ErrDuplicate, ErrLocked, ErrBusy and ErrRecovering the identifier is
// that of the payment that stands in the way, if there is one.
func (t *Till) Begin(ctx context.Context, agent access.Agent, s Sale) (ident.ID[ident.Attempt], error) {
	return t.begin(ctx, agent, access.PaymentTake, access.Client(s.Client), intent{
		command: s.Command, kind: KindSale, tender: TenderCard, client: s.Client,
		amount: s.Amount, terminal: s.Terminal, again: s.ConfirmDuplicate, dueOnly: s.DueOnly,
	})
}

// Cash records a cash payment, which is final at once: attempt, ledger entry
// (the cashier's drawer against the client) and receipt are one commit. It
// returns the attempt; with ErrDuplicate and ErrLocked the one in the way.
func (t *Till) Cash(ctx context.Context, agent access.Agent, s CashSale) (ident.ID[ident.Attempt], error) {
	if s.Tendered == 0 {
		s.Tendered = s.Amount
	}
	if s.Tendered < s.Amount || s.Tendered > money.Max {
		return ident.ID[ident.Attempt]{}, ErrTendered
	}
	return t.begin(ctx, agent, access.PaymentTake, access.Client(s.Client), intent{
		command: s.Command, kind: KindSale, tender: TenderCash, client: s.Client,
		amount: s.Amount, tendered: s.Tendered, again: s.ConfirmDuplicate, dueOnly: s.DueOnly,
	})
}

func (t *Till) begin(ctx context.Context, agent access.Agent, action access.Action, e access.Entity, in intent) (ident.ID[ident.Attempt], error) {
	if in.command.IsZero() {
		return ident.ID[ident.Attempt]{}, ErrCommand
	}
	if in.kind == KindSale && (in.amount <= 0 || in.amount > money.Max) {
		return ident.ID[ident.Attempt]{}, ErrAmount
	}
	if in.kind == KindSale && in.amount > AmountMax {
		return ident.ID[ident.Attempt]{}, ErrTooMuch
	}
	if !t.enter() {
		return ident.ID[ident.Attempt]{}, ErrClosed
	}
	defer t.entered.Done()
	var made begun
	req := access.Request{Agent: agent, Action: action, Entity: e, Purpose: access.Payment}
	err := t.vault.Update(ctx, req, func(tx *vault.Tx) (err error) {
		made, err = t.intend(tx, in)
		return err
	})
	if err == nil && made.fresh {
		t.announce(made)
	}
	return made.id, err
}

// enter counts a payment that begins, unless the till is closing. Close waits
// until entered is done.
func (t *Till) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closing {
		t.entered.Add(1)
	}
	return !t.closing
}

// begun is what intend did.
type begun struct {
	attempt attempt
	id      ident.ID[ident.Attempt]
	fresh   bool // made now; else it is an earlier one
	final   bool // cash: nothing is left to do
	lane    *lane
}

// announce tells everybody of a fresh attempt, after its commit.
func (t *Till) announce(m begun) {
	t.after(string(Created))
	if m.final {
		t.after(string(Closed))
		t.bell(TopicDay)
	} else {
		m.lane.run(m.attempt)
	}
	t.bell(topic(m.id))
}

// intend records an intent, or finds what stands in its way.
func (t *Till) intend(tx *vault.Tx, in intent) (begun, error) {
	earlier, ok, err := attempts.First(tx, indexCommand, in.command.String())
	if err != nil {
		return begun{}, err
	}
	if ok {
		return begun{id: earlier.Shared.ID}, sameIntent(&earlier.Shared, in)
	}
	if in.kind != KindSale {
		if in, err = t.returning(tx, in); err != nil {
			return begun{id: in.original}, err
		}
	}
	if held, err := locked(tx, in.client); err != nil {
		return begun{id: held}, err
	}
	if twin, err := repeated(tx, in); err != nil {
		return begun{id: twin}, err
	}
	if err := overDue(tx, in); err != nil {
		return begun{}, err
	}
	if in, err = t.permitted(tx, in); err != nil {
		return begun{id: in.original}, err
	}
	if in.tender != TenderCard {
		return t.takeAtDesk(tx, in)
	}
	lane, ok := t.lanes[in.terminal]
	if !ok {
		return begun{}, ErrNoTerminal
	}
	if held, err := lane.free(tx); err != nil {
		return begun{id: held}, err
	}
	return t.create(tx, in, lane)
}

// sameIntent refuses a command identifier that was used for something else.
func sameIntent(a *attempt, in intent) error {
	same := a.Kind == in.kind
	switch in.kind {
	case KindSale:
		same = same && a.Client == in.client && a.Amount == in.amount && a.Tender == in.tender && a.Check == in.check
	case KindRefund:
		same = same && a.Original == in.original && a.Amount == in.amount
	default:
		same = same && a.Original == in.original
	}
	if !same {
		return ErrCommand
	}
	return nil
}

// locked returns the attempt that holds the client's account, with ErrLocked.
// What is not resolved locks it at every terminal and for every tender.
func locked(tx *vault.Tx, client ident.ID[ident.Client]) (ident.ID[ident.Attempt], error) {
	row, ok, err := attempts.First(tx, indexLock, client.String())
	if err == nil && ok {
		err = ErrLocked
	}
	return row.Shared.ID, err
}

// repeated returns the payment of the same amount for the same client within
// DuplicateWindow, with ErrDuplicate, unless a person confirmed the second.
func repeated(tx *vault.Tx, in intent) (ident.ID[ident.Attempt], error) {
	if in.kind != KindSale || in.again {
		return ident.ID[ident.Attempt]{}, nil
	}
	from := clientKey(in.client, tx.Now().Add(-DuplicateWindow))
	for row, err := range attempts.Between(tx, indexClient, from, in.client.String()+"0") {
		if err != nil {
			return ident.ID[ident.Attempt]{}, err
		}
		a := &row.Shared
		if a.Kind == KindSale && a.Amount == in.amount && a.Result.moved() && !a.Voided {
			return a.ID, ErrDuplicate
		}
	}
	return ident.ID[ident.Attempt]{}, nil
}

// overDue refuses a sale of more than the client owes now, if the intent asks
// for that: what a form said when it was made may have been paid since.
func overDue(tx *vault.Tx, in intent) error {
	if in.kind != KindSale || !in.dueOnly {
		return nil
	}
	client, err := roster.Read(tx, in.client)
	if err != nil {
		return err
	}
	balance, err := books.Client(tx, ledger.Sub(client.Account))
	if err == nil && in.amount > max(balance.Net(), 0) {
		err = ErrOverDue
	}
	return err
}

// attemptOf returns the record that an intent begins with.
func attemptOf(tx *vault.Tx, in intent) (attempt, error) {
	client, err := roster.Read(tx, in.client)
	if err != nil {
		return attempt{}, err
	}
	return attempt{
		ID: ident.New[ident.Attempt](tx.Now()), Command: in.command, Client: in.client,
		Account: string(client.Account), Kind: in.kind, Tender: in.tender, Amount: in.amount,
		Original: in.original, Again: in.again, Tendered: in.tendered, Check: in.check,
		Act: in.act, State: Created, At: tx.Now(), Cashier: tx.Agent().Name(), Staff: tx.Agent().StaffID(),
	}, nil
}

// create makes the attempt of a card command durable, before the terminal is
// told anything.
func (t *Till) create(tx *vault.Tx, in intent, l *lane) (begun, error) {
	a, err := attemptOf(tx, in)
	if err != nil {
		return begun{}, err
	}
	a.Terminal, a.Serial = in.terminal, code(l.terminal.Status().Device.Serial)
	if in.of != nil {
		a.OfRef, a.OfHost, a.OfTerm = in.of.Ref, in.of.HostRef, in.of.TermRef
	}
	if a.Ref, err = nextRef(tx); err != nil {
		return begun{}, err
	}
	if err := pend(tx, &a); err != nil {
		return begun{}, err
	}
	tx.Detail("attempt", a.ID)
	tx.Detail("amount", a.Amount)
	if _, err := attempts.Insert(tx, attemptRow{Shared: a}); err != nil {
		return begun{}, err
	}
	return begun{id: a.ID, attempt: a, fresh: true, lane: l}, note(tx, a.ID, event{Name: string(Created), Amount: a.Amount, Ref: a.Ref})
}
