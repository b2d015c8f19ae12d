package duty

import (
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/vault"
)

// OpenFor is how long a proposal waits: after that it has to be made anew.
const OpenFor = 7 * 24 * time.Hour

// NoteMax bounds what may be noted about an act, in characters.
const NoteMax = 140

// Limits are what one person may decide alone. A larger amount needs a second
// person.
type Limits struct {
	Void   money.Amount // of an own payment of the same day
	Refund money.Amount // all refunds of one payment together
	Adjust money.Amount // adjustments and write-offs of one account on one day
}

// UsualLimits are the limits of a clinic that sets none.
var UsualLimits = Limits{Void: 200_00, Refund: 0, Adjust: 25_00}

// State is where an act stands.
type State string

// The states. Proposed and Approved are open; the others are ends.
const (
	Proposed  State = "proposed"
	Approved  State = "approved" // and not carried out yet
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Alone     State = "alone" // within what one person may decide
	Done      State = "done"
)

// Act is money that goes back to a client, or is not asked for any more.
type Act struct {
	ID      ident.ID[ident.Act]     `cbor:"1,keyasint"`
	Command ident.ID[ident.Command] `cbor:"2,keyasint"`
	Action  access.Action           `cbor:"3,keyasint"` // what is to be done
	Client  ident.ID[ident.Client]  `cbor:"4,keyasint"`
	Account string                  `cbor:"5,keyasint"`
	Amount  money.Amount            `cbor:"6,keyasint"`
	Reason  string                  `cbor:"7,keyasint"` // a code of the package that carries it out

	// Of a void or refund: the payment, as an approver must know it.
	Payment ident.ID[ident.Attempt] `cbor:"8,keyasint"`
	Receipt uint64                  `cbor:"9,keyasint,omitempty"`
	Tender  string                  `cbor:"10,keyasint,omitempty"`
	Paid    money.Amount            `cbor:"11,keyasint,omitempty"`
	Taker   string                  `cbor:"12,keyasint,omitempty"` // sign-in name of who took it
	Check   string                  `cbor:"13,keyasint,omitempty"` // number of the clinic's own check

	// Of an adjustment: the account of the chart, and the charge, if one is named.
	To      string                `cbor:"14,keyasint,omitempty"`
	Against ident.ID[ident.Entry] `cbor:"15,keyasint"`

	By     string                `cbor:"16,keyasint"` // sign-in name of who asks for it
	Staff  ident.ID[ident.Staff] `cbor:"17,keyasint"`
	At     time.Time             `cbor:"18,keyasint"`
	State  State                 `cbor:"19,keyasint"`
	Second string                `cbor:"20,keyasint,omitempty"` // sign-in name of who approved or refused it
	Ended  time.Time             `cbor:"21,keyasint"`           // when the second person decided, or it was done
}

// Expired reports whether a proposal has waited too long at an instant.
func (a *Act) Expired(now time.Time) bool { return now.Sub(a.At) > OpenFor }

// note is what was written about an act. It may name a client.
type note struct {
	Text phi.Text `cbor:"1,keyasint"`
}

type actRow = vault.Row[Act, note]

func (a *Act) open() bool { return a.State == Proposed || a.State == Approved }

var acts = vault.NewTable(vault.BucketActs,
	vault.NewIndex("id", func(r actRow) []string { return []string{r.Shared.ID.String()} }),
	vault.NewIndex("command", func(r actRow) []string { return []string{r.Shared.Command.String()} }),
	vault.NewIndex("client", func(r actRow) []string { return []string{r.Shared.Client.String()} }),
	vault.NewIndex("staff", func(r actRow) []string { return []string{r.Shared.Staff.String()} }),
	vault.NewIndex("open", func(r actRow) []string {
		if !r.Shared.open() {
			return nil
		}
		return []string{r.Shared.Payment.String()}
	}))

// The faults of acts.
var (
	// ErrSecond: more than one person may decide alone. It can be proposed.
	ErrSecond = fault.New(fault.Denied, "This is more than one person may decide alone. Ask a second person to approve it.")
	// ErrNoAct: there is no such act, or it waits for nobody any more.
	ErrNoAct = fault.New(fault.NotFound, "This waits for nobody any more. Look at the list of approvals for what is left.")
	// ErrOwnAct: rule 1 of the separation of duties.
	ErrOwnAct = fault.New(fault.Denied, "You asked for this yourself, so another person must decide.")
	// ErrNotApproved: nobody has approved it yet.
	ErrNotApproved = fault.New(fault.Conflict, "A second person has not approved this yet. Wait for it, or withdraw it.")
	// ErrOpenAct: the same is proposed already.
	ErrOpenAct = fault.New(fault.Conflict, "This was proposed already and waits. Look at the list of approvals.")
	// ErrCommand: the command was used for something else.
	ErrCommand = fault.New(fault.Invalid, "This form was used before for something else. Reload the page and send it again.")
	// ErrNote: the note is too long.
	ErrNote = fault.New(fault.Invalid, "The note may have at most %v characters. Shorten it.", fault.Int(NoteMax))
)

// Record writes down an act as the transaction's agent asks for it, in the
// state that is given, and returns it. The same command again returns the act
// that is there.
func Record(tx *vault.Tx, a Act, s State, text phi.Text) (Act, error) {
	row, ok, err := acts.First(tx, "command", a.Command.String())
	if err != nil {
		return Act{}, err
	}
	if ok {
		if old := row.Shared; old.Action != a.Action || old.Client != a.Client || old.Payment != a.Payment || old.Amount != a.Amount {
			err = ErrCommand
		}
		return row.Shared, err
	}
	if !a.Payment.IsZero() && s == Proposed {
		waits, err := OpenOf(tx, a.Payment)
		if err != nil {
			return Act{}, err
		}
		if waits != nil {
			return *waits, ErrOpenAct
		}
	}
	agent := tx.Agent()
	a.ID, a.By, a.Staff, a.At, a.State = ident.New[ident.Act](tx.Now()), agent.Name(), agent.StaffID(), tx.Now(), s
	tx.Detail("act", a.ID)
	tx.Detail("act.state", fault.Code(s))
	tx.Detail("reason", fault.Code(a.Reason))
	tx.Detail("amount", a.Amount)
	_, err = acts.Insert(tx, actRow{Client: a.Client, Shared: a, Private: note{text}})
	return a, err
}

// Read returns an act, or ErrNoAct.
func Read(tx *vault.Tx, id ident.ID[ident.Act]) (Act, error) {
	row, err := actOf(tx, id)
	return row.Shared, err
}

func actOf(tx *vault.Tx, id ident.ID[ident.Act]) (actRow, error) {
	row, ok, err := acts.First(tx, "id", id.String())
	if err == nil && !ok {
		err = ErrNoAct
	}
	return row, err
}

// OpenOf returns the act that waits for a payment, or nil.
func OpenOf(tx *vault.Tx, payment ident.ID[ident.Attempt]) (*Act, error) {
	for row, err := range acts.Find(tx, "open", payment.String()) {
		if err != nil {
			return nil, err
		}
		if !row.Shared.Expired(tx.Now()) {
			return &row.Shared, nil
		}
	}
	return nil, nil
}

// SumAlone returns what one person alone has done of an action to a client's
// account since an instant.
func SumAlone(tx *vault.Tx, client ident.ID[ident.Client], action access.Action, since time.Time) (money.Amount, error) {
	var sum money.Amount
	for row, err := range acts.Find(tx, "client", client.String()) {
		if err != nil {
			return 0, err
		}
		if a := row.Shared; a.Action == action && a.Second == "" && a.State == Done && !a.At.Before(since) {
			if sum, err = sum.Add(a.Amount); err != nil {
				return 0, err
			}
		}
	}
	return sum, nil
}

// SumOwn returns what the transaction's agent alone has done of an action since
// an instant, or has begun.
func SumOwn(tx *vault.Tx, action access.Action, since time.Time) (money.Amount, error) {
	var sum money.Amount
	for row, err := range acts.Find(tx, "staff", tx.Agent().StaffID().String()) {
		if err != nil {
			return 0, err
		}
		if a := row.Shared; a.Action == action && a.Second == "" && (a.State == Alone || a.State == Done) && !a.At.Before(since) {
			if sum, err = sum.Add(a.Amount); err != nil {
				return 0, err
			}
		}
	}
	return sum, nil
}

// Approve records that the transaction's agent, who must be another person than
// the one who proposed it, approves an act, and returns it.
func Approve(tx *vault.Tx, id ident.ID[ident.Act]) (Act, error) {
	return change(tx, id, Approved, func(a *Act) error {
		if a.Staff == tx.Agent().StaffID() {
			return ErrOwnAct
		}
		return nil
	})
}

// Approvable returns an approved act that may be carried out now.
func Approvable(tx *vault.Tx, id ident.ID[ident.Act]) (Act, error) {
	row, err := actOf(tx, id)
	switch a := &row.Shared; {
	case err != nil:
		return Act{}, err
	case a.State == Proposed:
		return Act{}, ErrNotApproved
	case a.State != Approved || a.Expired(tx.Now()):
		return Act{}, ErrNoAct
	}
	return row.Shared, nil
}

// Finish records that an act was carried out.
func Finish(tx *vault.Tx, id ident.ID[ident.Act]) error {
	row, err := actOf(tx, id)
	if err != nil || row.Shared.State == Done {
		return err
	}
	row.Shared.State, row.Shared.Ended = Done, tx.Now()
	tx.Detail("act", id)
	return acts.Replace(tx, row)
}

// change moves a proposal that waits on, if may allows it.
func change(tx *vault.Tx, id ident.ID[ident.Act], to State, may func(*Act) error) (Act, error) {
	row, err := actOf(tx, id)
	if err != nil {
		return Act{}, err
	}
	a := &row.Shared
	if a.State != Proposed && (to != Withdrawn || a.State != Approved) || a.Expired(tx.Now()) {
		return Act{}, ErrNoAct
	}
	if err := may(a); err != nil {
		return Act{}, err
	}
	a.State, a.Ended = to, tx.Now()
	if to != Withdrawn {
		a.Second = tx.Agent().Name()
	}
	tx.Detail("act", a.ID)
	tx.Detail("act.state", fault.Code(to))
	tx.Detail("amount", a.Amount)
	return *a, acts.Replace(tx, row)
}
