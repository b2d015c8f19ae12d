package till

import (
	"fmt"
	"time"

	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// State is where an attempt stands in the journal.
type State string

// The states. Money is unresolved in created, sent, acked, in_doubt and manual,
// and in resulted with a duplicate that a person has not judged.
const (
	Created    State = "created"     // durable, nothing sent
	Sent       State = "sent"        // durable before the first byte
	Acked      State = "acked"       // the terminal has the command
	Resulted   State = "resulted"    // the outcome is durable
	InDoubt    State = "in_doubt"    // the outcome is not known yet
	NotCharged State = "not_charged" // proven: no money moved
	Manual     State = "manual"      // contradiction: two people decide
	Closed     State = "closed"      // nothing will follow
)

// SafeString returns the state's name.
func (s State) SafeString() string { return string(s) }

// Result is what an attempt came to.
type Result string

// The results of an attempt; empty while there is none.
const (
	Approved    Result = "approved"
	Partial     Result = "partial"
	Declined    Result = "declined"
	Cancelled   Result = "cancelled"
	Duplicate   Result = "duplicate" // the terminal named an earlier payment
	Same        Result = "same"      // a duplicate, judged to be the same payment
	NotSent     Result = "not_sent"
	ResultNone  Result = ""
	ProvenNever Result = "not_charged"
)

// SafeString returns the result's name.
func (r Result) SafeString() string { return string(r) }

// moved reports whether money moved.
func (r Result) moved() bool { return r == Approved || r == Partial }

// attempt is one record of the journal. It names the client by identifier and
// holds nothing about the card; the receipt has that, under the client's key.
type attempt struct {
	ID       ident.ID[ident.Attempt]  `cbor:"1,keyasint"`
	Command  ident.ID[ident.Command]  `cbor:"2,keyasint"`
	Client   ident.ID[ident.Client]   `cbor:"3,keyasint"`
	Account  string                   `cbor:"4,keyasint"`
	Terminal ident.ID[ident.Terminal] `cbor:"5,keyasint"`
	Serial   string                   `cbor:"6,keyasint,omitempty"` // of the terminal, when it began
	Kind     Kind                     `cbor:"7,keyasint"`
	Tender   Tender                   `cbor:"8,keyasint"`
	Ref      string                   `cbor:"9,keyasint,omitempty"` // what the terminal is told; never used twice
	Amount   money.Amount             `cbor:"10,keyasint"`
	Original ident.ID[ident.Attempt]  `cbor:"11,keyasint"`           // of a void or refund
	Again    bool                     `cbor:"12,keyasint,omitempty"` // a person confirmed a second payment

	State       State                   `cbor:"20,keyasint"`
	Result      Result                  `cbor:"21,keyasint,omitempty"`
	Approved    money.Amount            `cbor:"22,keyasint,omitempty"`
	Device      string                  `cbor:"23,keyasint,omitempty"` // codes of the outcome
	Host        string                  `cbor:"24,keyasint,omitempty"`
	Reason      string                  `cbor:"25,keyasint,omitempty"`
	Evidence    string                  `cbor:"26,keyasint,omitempty"`
	AuthCode    string                  `cbor:"27,keyasint,omitempty"`
	HostRef     string                  `cbor:"28,keyasint,omitempty"`
	TermRef     string                  `cbor:"29,keyasint,omitempty"`
	Batch       string                  `cbor:"30,keyasint,omitempty"`
	Other       string                  `cbor:"31,keyasint,omitempty"` // of a duplicate: the reference of the original
	OtherAmount money.Amount            `cbor:"33,keyasint,omitempty"` // what the original took
	Twin        ident.ID[ident.Attempt] `cbor:"32,keyasint"`           // of a duplicate: the original, if it is in this journal

	Pending  ident.ID[ident.Entry] `cbor:"40,keyasint"` // ledger entry of the intent
	Entry    ident.ID[ident.Entry] `cbor:"41,keyasint"` // ledger entry of the money that moved
	Receipt  uint64                `cbor:"42,keyasint,omitempty"`
	Tendered money.Amount          `cbor:"43,keyasint,omitempty"`
	Voided   bool                  `cbor:"44,keyasint,omitempty"` // a void of it was approved
	Returned money.Amount          `cbor:"45,keyasint,omitempty"` // refunds of it that were approved

	Cashier string                `cbor:"50,keyasint"` // sign-in name
	Staff   ident.ID[ident.Staff] `cbor:"51,keyasint"`
	At      time.Time             `cbor:"52,keyasint"`
	Ended   time.Time             `cbor:"53,keyasint"`
	Tries   uint32                `cbor:"54,keyasint,omitempty"` // questions asked about an unknown outcome

	OfHost string `cbor:"55,keyasint,omitempty"` // of a void or refund: the processor's and the
	OfTerm string `cbor:"56,keyasint,omitempty"` // terminal's numbers of the payment it gives back
	OfRef  string `cbor:"57,keyasint,omitempty"` // and that payment's reference

	Check   string                  `cbor:"61,keyasint,omitempty"` // number printed on the check
	Deposit uint64                  `cbor:"58,keyasint,omitempty"` // slip with which it went to the bank
	Bounced ident.ID[ident.Command] `cbor:"59,keyasint"`           // recorded that the bank returned it

	Act ident.ID[ident.Act] `cbor:"62,keyasint"` // of a void or refund: who asked for it, who approved it, and why

	Proposal *proposal `cbor:"60,keyasint,omitempty"` // first person's decision
}

// proposal is what one person says became of an attempt.
type proposal struct {
	Staff    ident.ID[ident.Staff] `cbor:"1,keyasint"`
	Charged  bool                  `cbor:"2,keyasint"`
	Approved money.Amount          `cbor:"3,keyasint"`
	Evidence Evidence              `cbor:"4,keyasint"`

	By     string                 `cbor:"5,keyasint,omitempty"` // sign-in name
	At     time.Time              `cbor:"6,keyasint"`
	Client ident.ID[ident.Client] `cbor:"7,keyasint"` // of a stray approval
}

// atTerminal reports whether the attempt still needs its terminal: it may have
// been sent and its outcome is not durable.
func (a *attempt) atTerminal() bool {
	switch a.State {
	case Created, Sent, Acked, InDoubt:
		return true
	}
	return false
}

// asks reports whether the attempt waits for a person's answer to the
// duplicate question.
func (a *attempt) asks() bool { return a.State == Resulted && a.Result == Duplicate }

// unresolved reports whether it is not known what money moved. Such an attempt
// has a pending ledger entry and locks its client.
func (a *attempt) unresolved() bool {
	return a.atTerminal() || a.State == Manual || a.asks()
}

// left returns what of a payment was not given back.
func (a *attempt) left() money.Amount {
	if a.Voided || !a.Bounced.IsZero() || !a.Result.moved() || a.Kind != KindSale {
		return 0
	}
	return a.Approved - a.Returned
}

// event is one change of one attempt. Events are never changed.
type event struct {
	Attempt  ident.ID[ident.Attempt] `cbor:"1,keyasint"`
	At       time.Time               `cbor:"2,keyasint"`
	Name     string                  `cbor:"3,keyasint"` // a State, "stray", "answered", "proposed", "asked"
	Result   Result                  `cbor:"4,keyasint,omitempty"`
	Amount   money.Amount            `cbor:"5,keyasint,omitempty"`
	Reason   string                  `cbor:"6,keyasint,omitempty"`
	Evidence string                  `cbor:"7,keyasint,omitempty"`
	By       string                  `cbor:"8,keyasint"` // sign-in name, or the system part's
	Ref      string                  `cbor:"9,keyasint,omitempty"`
}

// counter holds what is counted and never used twice.
type counter struct {
	Epoch   uint32 `cbor:"1,keyasint"`           // of references; raised when the store has lost commits
	Ref     uint64 `cbor:"2,keyasint"`           // last reference of the epoch
	Receipt uint64 `cbor:"3,keyasint"`           // last receipt
	Lost    uint64 `cbor:"4,keyasint,omitempty"` // lost commit for which the epoch was raised last
}

type (
	attemptRow = vault.Row[attempt, vault.None]
	receiptRow = vault.Row[receiptHead, receiptBody]
)

// The indexes of attempts.
const (
	indexID       = "id"
	indexWaiting  = "waiting" // checks that are not deposited
	indexCommand  = "command"
	indexRef      = "ref"
	indexClient   = "client"   // client and time
	indexLock     = "lock"     // client, while unresolved
	indexTerminal = "terminal" // terminal, while it needs it
	indexState    = "state"    // while not closed
	indexDay      = "day"      // time alone
	indexAttempt  = "attempt"
	indexHost     = "host" // the processor's reference
)

func only(use bool, key string) []string {
	if !use {
		return nil
	}
	return []string{key}
}

var attempts = vault.NewTable(vault.BucketAttempts,
	vault.NewIndex(indexID, func(r attemptRow) []string { return []string{r.Shared.ID.String()} }),
	vault.NewIndex(indexCommand, func(r attemptRow) []string { return []string{r.Shared.Command.String()} }),
	vault.NewIndex(indexRef, func(r attemptRow) []string { return only(r.Shared.Ref != "", r.Shared.Ref) }),
	vault.NewIndex(indexClient, func(r attemptRow) []string { return []string{clientKey(r.Shared.Client, r.Shared.At)} }),
	vault.NewIndex(indexLock, func(r attemptRow) []string { return only(r.Shared.unresolved(), r.Shared.Client.String()) }),
	vault.NewIndex(indexTerminal, func(r attemptRow) []string { return only(r.Shared.atTerminal(), r.Shared.Terminal.String()) }),
	vault.NewIndex(indexState, func(r attemptRow) []string { return only(r.Shared.State != Closed, string(r.Shared.State)) }),
	vault.NewIndex(indexHost, func(r attemptRow) []string { return only(r.Shared.HostRef != "", r.Shared.HostRef) }),
	vault.NewIndex(indexWaiting, func(r attemptRow) []string { return only(r.Shared.waits(), string(TenderCheck)) }),
	vault.NewIndex(indexDay, func(r attemptRow) []string { return []string{timeKey(r.Shared.At)} }),
)

var attemptEvents = vault.NewJournal(vault.BucketAttemptEvents,
	vault.NewIndex(indexAttempt, func(r vault.Row[event, vault.None]) []string { return []string{r.Shared.Attempt.String()} }),
)

var counters = vault.NewTable[counter, vault.None](vault.BucketTillCounters)

func clientKey(id ident.ID[ident.Client], at time.Time) string {
	return id.String() + "/" + timeKey(at)
}

func timeKey(at time.Time) string { return vault.Uint64Key(uint64(at.UnixMilli())) }

// epochFirst keeps every reference at twelve digits: two of the epoch, ten of
// the count.
const (
	epochFirst = 10
	epochLast  = 99
	refLast    = 9_999_999_999
)

func (c counter) ref() string { return fmt.Sprintf("%02d%010d", c.Epoch, c.Ref) }
