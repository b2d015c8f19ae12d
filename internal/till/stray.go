package till

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/roster"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// stray is an approval that belongs to no attempt of the journal: its
// reference is not known here, or its attempt has moved money by another
// approval. It is kept until two people say what it was.
type stray struct {
	ID       ident.ID[ident.Attempt]  `cbor:"1,keyasint"`
	At       time.Time                `cbor:"2,keyasint"`
	Terminal ident.ID[ident.Terminal] `cbor:"3,keyasint"`
	Serial   string                   `cbor:"4,keyasint,omitempty"`
	Kind     Kind                     `cbor:"5,keyasint"`
	Ref      string                   `cbor:"6,keyasint"`
	Approved money.Amount             `cbor:"7,keyasint"`
	AuthCode string                   `cbor:"8,keyasint,omitempty"`
	HostRef  string                   `cbor:"9,keyasint,omitempty"`
	TermRef  string                   `cbor:"10,keyasint,omitempty"`
	Batch    string                   `cbor:"11,keyasint,omitempty"`
	Of       ident.ID[ident.Attempt]  `cbor:"12,keyasint"` // the attempt of its reference, if there is one
	Client   ident.ID[ident.Client]   `cbor:"13,keyasint"` // of that attempt
	Proposal *proposal                `cbor:"14,keyasint,omitempty"`
	Settled  bool                     `cbor:"15,keyasint,omitempty"` // two people have decided
	Made     ident.ID[ident.Attempt]  `cbor:"16,keyasint"`           // the payment that they made of it
}

type strayRow = vault.Row[stray, vault.None]

const indexOpen = "open"

var strays = vault.NewTable(vault.BucketStrays,
	vault.NewIndex(indexID, func(r strayRow) []string { return []string{r.Shared.ID.String()} }),
	vault.NewIndex(indexRef, func(r strayRow) []string { return []string{r.Shared.Ref} }),
	vault.NewIndex(indexOpen, func(r strayRow) []string { return only(!r.Shared.Settled, indexOpen) }),
)

// stray keeps an answer that belongs to no running command. It resolves the
// attempt whose reference it bears, if that is not known yet; money that moved
// although the terminal had said otherwise comes into the books now; and an
// approval that belongs to no attempt waits for people.
func (l *lane) stray(o protocol.Outcome) error {
	t := l.till
	var touched ident.ID[ident.Attempt]
	err := t.vault.Update(context.Background(), t.request(access.PaymentStep, touched), func(tx *vault.Tx) error {
		row, ok, err := byRef(tx, o.Ref)
		if err != nil {
			return err
		}
		touched = row.Shared.ID
		if err := note(tx, touched, event{Name: "stray", Reason: code(string(o.Reason)), Amount: o.Approved, Ref: code(o.Ref)}); err != nil {
			return err
		}
		switch {
		case !ok:
			return l.keepStray(tx, nil, o)
		case row.Shared.atTerminal():
			return t.resolve(tx, row, o)
		}
		return l.late(tx, row, o)
	})
	if err != nil {
		return err
	}
	t.after("stray")
	if !touched.IsZero() {
		t.bell(topic(touched))
		l.reread(touched)
	}
	t.bell(TopicDay)
	return nil
}

// late brings an approval into the books that came after the terminal had
// said that no money moved. One that came after another approval waits for
// people.
func (l *lane) late(tx *vault.Tx, row attemptRow, o protocol.Outcome) error {
	a := &row.Shared
	if !isApproval(o) {
		return nil
	}
	if a.asks() || a.Result == Same || a.Result == Duplicate || a.Result.moved() && isSecond(a, o) {
		return l.keepStray(tx, a, o)
	}
	if a.Result.moved() {
		return nil
	}
	v := decideApproval(a, o, "late")
	if v.state != Resulted {
		v = verdict{state: Manual, reason: v.reason}
	}
	if v.state == Manual && a.State == Manual {
		return nil
	}
	e, err := l.till.enact(tx, a, v, o)
	if err != nil {
		return err
	}
	if a.State == Resulted {
		a.State = Closed
	}
	if err := attempts.Replace(tx, row); err != nil {
		return err
	}
	return note(tx, a.ID, *e)
}

func isApproval(o protocol.Outcome) bool {
	return o.Result == protocol.Approved || o.Result == protocol.Partial
}

// isSecond reports whether an approval that bears the attempt's reference is
// another one than that which the attempt has moved money by.
func isSecond(a *attempt, o protocol.Outcome) bool {
	differ := func(x, y string) bool { return x != "" && y != "" && x != y }
	return o.Approved != a.Approved || differ(a.HostRef, reference(o.HostRef)) || differ(a.TermRef, reference(o.TerminalRef))
}

// keepStray makes an approval that belongs to no attempt durable, once. of is
// the attempt whose reference it bears, if there is one.
func (l *lane) keepStray(tx *vault.Tx, of *attempt, o protocol.Outcome) error {
	if !isApproval(o) || o.Approved <= 0 {
		return nil
	}
	s := stray{
		ID: ident.New[ident.Attempt](tx.Now()), At: tx.Now(), Terminal: l.id, Serial: code(o.Serial),
		Kind: Kind(o.Kind), Ref: code(o.Ref), Approved: o.Approved, AuthCode: code(o.AuthCode),
		HostRef: reference(o.HostRef), TermRef: reference(o.TerminalRef), Batch: code(o.Batch),
	}
	if s.Serial == "" {
		s.Serial = code(l.terminal.Status().Device.Serial)
	}
	if of != nil {
		s.Of, s.Client = of.ID, of.Client
	}
	for row, err := range strays.Find(tx, indexRef, s.Ref) {
		if err != nil {
			return err
		}
		if b := &row.Shared; b.HostRef == s.HostRef && b.TermRef == s.TermRef && b.Approved == s.Approved {
			return nil
		}
	}
	l.till.log.Error("an approval belongs to no payment; two people must look at it", "stray", s.ID.String())
	_, err := strays.Insert(tx, strayRow{Shared: s})
	return err
}

// explained reports whether a stray is the very approval by which an attempt
// has moved money: the terminal had said it under a wrong reference.
func explained(tx *vault.Tx, s *stray) (bool, error) {
	if s.HostRef == "" {
		return false, nil
	}
	for row, err := range attempts.Find(tx, indexHost, s.HostRef) {
		if err != nil {
			return false, err
		}
		a := &row.Shared
		if a.Result.moved() && a.Kind == s.Kind && a.TermRef == s.TermRef && a.Approved == s.Approved {
			return true, nil
		}
	}
	return false, nil
}

// eachOpenStray calls f for each stray that waits for people, the oldest first.
func eachOpenStray(tx *vault.Tx, f func(*stray) error) error {
	for row, err := range strays.Find(tx, indexOpen, indexOpen) {
		if err != nil {
			return err
		}
		done, err := explained(tx, &row.Shared)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		if err := f(&row.Shared); err != nil {
			return err
		}
	}
	return nil
}

// openStrays shows each stray that waits for people.
func (t *Till) openStrays(tx *vault.Tx, show func(Payment)) error {
	return eachOpenStray(tx, func(s *stray) error {
		p, err := t.viewStray(tx, s)
		if err == nil {
			show(p)
		}
		return err
	})
}

// viewStray returns what a page shows of a stray.
func (t *Till) viewStray(tx *vault.Tx, s *stray) (Payment, error) {
	done, err := explained(tx, s)
	if err != nil {
		return Payment{}, err
	}
	p := Payment{
		ID: s.ID, Kind: s.Kind, Tender: TenderCard, Client: s.Client, Original: s.Of, Terminal: s.Terminal,
		Amount: s.Approved, AuthCode: s.AuthCode, Ref: s.Ref, Stage: StageStray, Started: s.At.In(tx.Now().Location()),
	}
	if l := t.lanes[s.Terminal]; l != nil {
		p.TerminalName = l.terminal.Name()
	}
	p.MayResolve = !s.Settled && !done
	p.Final, p.Unknown = !p.MayResolve, p.MayResolve
	w := stageWords[StageStray]
	switch {
	case p.Final:
		w = strayEnded
	case !s.Of.IsZero():
		w = straySecond
	}
	p.Title, p.Words, p.Next = w.title, w.words, w.next
	if p.MayResolve {
		p.Proposal = s.Proposal.shown(tx.Now().Location())
		p.Elapsed = max(0, tx.Now().Sub(s.At))
	}
	return p, nil
}

// resolveStray takes a statement about a stray. When two people say that its
// money moved, it becomes a payment of its own, which can be voided.
func (t *Till) resolveStray(tx *vault.Tx, row strayRow, r Resolution) (*event, bool, error) {
	s := &row.Shared
	known, err := explained(tx, s)
	if err != nil {
		return nil, false, err
	}
	if known || s.Settled {
		return nil, false, ErrNotManual
	}
	if err := r.check(KindVoid, s.Approved); err != nil { // all of it, or nothing
		return nil, false, err
	}
	if r.Client.IsZero() == (r.Charged && s.Client.IsZero()) {
		return nil, false, ErrResolution
	}
	agreed, err := agree(tx, &s.Proposal, r)
	if err != nil {
		return nil, false, err
	}
	e := event{Name: "proposed", Amount: r.Approved, Evidence: string(r.Evidence)}
	if agreed {
		s.Settled, e.Name, e.Reason = true, string(Closed), reasonPeople
		if r.Charged {
			if s.Made, err = t.payStray(tx, s, r); err != nil {
				return nil, false, err
			}
		}
	}
	if err := strays.Replace(tx, row); err != nil {
		return nil, false, err
	}
	return &e, agreed, note(tx, s.ID, e)
}

// payStray brings the money of a stray into the books, as a payment.
func (t *Till) payStray(tx *vault.Tx, s *stray, r Resolution) (ident.ID[ident.Attempt], error) {
	id := s.Client
	if id.IsZero() {
		id = r.Client
	}
	client, err := roster.Read(tx, id)
	if err != nil {
		return ident.ID[ident.Attempt]{}, err
	}
	a := attempt{
		ID: ident.New[ident.Attempt](tx.Now()), Command: ident.New[ident.Command](tx.Now()), Client: id,
		Account: string(client.Account), Terminal: s.Terminal, Serial: s.Serial, Kind: s.Kind, Tender: TenderCard,
		Amount: s.Approved, State: Closed, Result: Approved, Approved: s.Approved, Reason: reasonPeople,
		Evidence: string(r.Evidence), AuthCode: s.AuthCode, HostRef: s.HostRef, TermRef: s.TermRef, Batch: s.Batch,
		Other: s.Ref, Cashier: tx.Agent().Name(), Staff: tx.Agent().StaffID(), At: tx.Now(), Ended: tx.Now(),
	}
	if a.Kind != KindSale {
		a.Kind = KindRefund
	}
	if err := postLate(tx, &a); err != nil {
		return a.ID, err
	}
	card := Card{AuthCode: a.AuthCode, HostRef: a.HostRef, Terminal: a.Serial, Batch: a.Batch, TerminalRef: a.TermRef}
	if err := t.writeReceipt(tx, &a, receiptBody{Card: card}); err != nil {
		return a.ID, err
	}
	if _, err := attempts.Insert(tx, attemptRow{Shared: a}); err != nil {
		return a.ID, err
	}
	return a.ID, note(tx, a.ID, event{Name: string(Closed), Result: Approved, Amount: a.Approved, Reason: reasonPeople, Evidence: a.Evidence, Ref: s.Ref})
}

// checkStrays returns a finding for each stray that waits for people.
func checkStrays(tx *vault.Tx) ([]Finding, error) {
	var found []Finding
	err := eachOpenStray(tx, func(s *stray) error {
		found = append(found, Finding{s.ID, "An approval belongs to no payment of the journal and waits for two people."})
		return nil
	})
	return found, err
}
