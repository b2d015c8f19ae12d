package till

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Payment returns what a page shows of one payment.
func (t *Till) Payment(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) (Payment, error) {
	var p Payment
	err := t.vault.View(ctx, readRequest(agent, access.Of(access.KindAttempt, id)), func(tx *vault.Tx) error {
		s, ok, err := strays.First(tx, indexID, id.String())
		if err != nil {
			return err
		}
		if ok {
			p, err = t.viewStray(tx, &s.Shared)
			return err
		}
		row, err := rowOf(tx, id)
		if err != nil {
			return err
		}
		if p, err = t.view(tx, &row.Shared); err != nil {
			return err
		}
		if p.Steps, err = history(tx, &row.Shared); err == nil {
			err = allocated(tx, &row.Shared, &p)
		}
		return err
	})
	return p, err
}

// Payments returns a client's payments, the newest first, at most limit.
func (t *Till) Payments(ctx context.Context, agent access.Agent, client ident.ID[ident.Client], limit int) ([]Payment, error) {
	var list []Payment
	err := t.vault.View(ctx, readRequest(agent, access.Client(client)), func(tx *vault.Tx) error {
		for row, err := range attempts.Backward(tx, indexClient, client.String()+"/", client.String()+"0") {
			if err != nil || len(list) == limit {
				return err
			}
			p, err := t.view(tx, &row.Shared)
			if err != nil {
				return err
			}
			list = append(list, p)
		}
		return nil
	})
	return list, err
}

func readRequest(agent access.Agent, e access.Entity) access.Request {
	return access.Request{Agent: agent, Action: access.PaymentRead, Entity: e, Purpose: access.Payment}
}

// view returns what a page shows of an attempt, without its history.
func (t *Till) view(tx *vault.Tx, a *attempt) (Payment, error) {
	balance, err := books.Client(tx, sub(a))
	if err != nil {
		return Payment{}, err
	}
	p := Payment{
		ID: a.ID, Kind: a.Kind, Tender: a.Tender, Client: a.Client, Original: a.Original,
		Terminal: a.Terminal, Amount: a.Amount, Approved: a.Approved, Due: balance.Net(),
		Tendered: a.Tendered, AuthCode: a.AuthCode, Receipt: a.Receipt, Ref: a.Ref,
		Started: a.At.In(tx.Now().Location()),
		Choice:  a.asks(), Voided: a.Voided, Returned: a.sumReturned(), Cashier: a.Cashier,
		Check: a.Check, Bounced: !a.Bounced.IsZero(),
		Entry: a.Entry, Barred: a.barred(), Serial: a.Serial, Deposited: a.Deposit,
	}
	p.MayVoid, p.MayRefund = returnable(tx, a)
	if p.Act, err = duty.OpenOf(tx, a.ID); err != nil {
		return Payment{}, err
	}
	if a.Tender == TenderCash && a.Kind == KindSale {
		p.Change = a.Tendered - a.Amount
	}
	if a.Result == Partial {
		p.Remaining = a.Amount - a.Approved
	}
	now, running, ends := t.liveOf(a)
	if l := t.lanes[a.Terminal]; l != nil {
		p.TerminalName = l.terminal.Name()
		p.Asked, p.AskAgain = l.asking(a.ID)
	}
	p.Stage = stage(a, now, running, ends)
	if p.MayResolve = t.resolvable(a); p.MayResolve {
		p.Proposal = a.Proposal.shown(tx.Now().Location())
	}
	p.Unknown = a.State == InDoubt || a.atTerminal() && !running || a.State == Manual
	p.MayCancel = running && p.Stage == StagePresent && !now.cancelling
	p.Title, p.Words, p.Next = words(a, p.Stage)
	p.Final = final(p.Stage)
	p.Elapsed = elapsed(a, tx.Now(), p.Final)
	if err := cardFacts(tx, a, &p); err != nil {
		return Payment{}, err
	}
	return p, nil
}

// allocated adds what the entry of a payment settled and left as credit.
func allocated(tx *vault.Tx, a *attempt, p *Payment) error {
	if a.Entry.IsZero() || a.Kind != KindSale {
		return nil
	}
	made, err := books.Allocations(tx, a.Entry)
	for _, one := range made {
		if one.Account == books.Receivables {
			p.ToCharges -= one.Amount
		} else {
			p.ToCredit -= one.Amount
		}
	}
	return err
}

// cardFacts adds what the receipt knows of the card.
func cardFacts(tx *vault.Tx, a *attempt, p *Payment) error {
	if a.Receipt == 0 || a.Tender != TenderCard {
		return nil
	}
	row, ok, err := receipts.First(tx, indexAttempt, a.ID.String())
	if ok {
		p.Brand, p.LastFour = row.Private.Card.Brand, row.Private.Card.LastFour
	}
	return err
}

// reach says how a terminal can be reached at the moment.
type reach struct{ attached, quarantined bool }

// liveOf returns what the attempt's terminal shows at the moment.
func (t *Till) liveOf(a *attempt) (now live, running bool, r reach) {
	l := t.lanes[a.Terminal]
	if l == nil {
		return live{}, false, reach{}
	}
	s := l.terminal.Status()
	now, running = l.stepOf(a.ID)
	return now, running && !now.checking, reach{s.Attached, s.Quarantined}
}

func elapsed(a *attempt, now time.Time, final bool) time.Duration {
	if final && !a.Ended.IsZero() {
		return a.Ended.Sub(a.At)
	}
	return max(0, now.Sub(a.At))
}

// stage returns what the cashier is told: from the journal first, and while
// nothing is decided from what the terminal shows.
func stage(a *attempt, now live, running bool, r reach) Stage {
	switch a.State {
	case Created, Sent, Acked:
		if running {
			return liveStage(now)
		}
		return doubtStage(r)
	case InDoubt:
		return doubtStage(r)
	case Manual:
		return StageManual
	}
	return resultStage(a)
}

func liveStage(now live) Stage {
	if now.cancelling {
		return StageCancelling
	}
	switch now.step {
	case protocol.StepPresent:
		return StagePresent
	case protocol.StepProcessing, protocol.StepResult:
		return StageProcessing
	case protocol.StepCancelling:
		return StageCancelling
	}
	return StageWaiting
}

func doubtStage(r reach) Stage {
	switch {
	case r.quarantined:
		return StageQuarantined
	case !r.attached:
		return StageUnplugged
	}
	return StageUnknown
}

func resultStage(a *attempt) Stage {
	switch a.Result {
	case Approved:
		return StageApproved
	case Partial:
		return StagePartial
	case Declined:
		return StageDeclined
	case Cancelled:
		if a.Reason == string(protocol.ReasonTimeout) {
			return StageTimeout
		}
		return StageCancelled
	case NotSent:
		if a.Reason == string(protocol.ReasonBusy) {
			return StageBusy
		}
		return StageNotSent
	case Duplicate:
		if a.State == Resulted {
			return StageDuplicate
		}
		return StageSecond
	case Same:
		return StageSame
	}
	return StageNotCharged
}

// final reports whether a stage does not change by itself any more.
func final(s Stage) bool {
	switch s {
	case StageWaiting, StagePresent, StageProcessing, StageCancelling,
		StageUnknown, StageUnplugged, StageQuarantined, StageDuplicate, StageManual, StageStray:
		return false
	}
	return true
}

// words returns what a stage says. A decline or a refusal of the terminal says
// why, in the words of its reason.
func words(a *attempt, s Stage) (title, what, next string) {
	if a.Tender == TenderCheck && !a.Bounced.IsZero() {
		return bouncedWords.title, bouncedWords.words, bouncedWords.next
	}
	if a.Tender == TenderCheck && !a.Voided {
		w := checkWords[a.Kind]
		return w.title, w.words, w.next
	}
	if a.Tender == TenderCash && !a.Voided {
		w := cashWords[a.Kind]
		return w.title, w.words, w.next
	}
	w, ok := kindWords[a.Kind][s]
	if !ok {
		w = stageWords[s]
	}
	if s == StageApproved && a.Voided {
		w = voidedWords
	}
	if a.Kind == KindSale && a.Reason != "" && (s == StageDeclined || s == StageNotSent && a.Reason != evidenceUnsent) {
		sentence := protocol.Words(protocol.Reason(a.Reason))
		w.words, w.next = sentence.What, sentence.Next
	}
	if a.barred() {
		w.words, w.next = neverWhat, neverNext
	}
	return w.title, w.words, w.next
}

// eventWords says each event of the journal in a few words.
var eventWords = map[string]string{
	string(Created):    "Written down",
	string(Sent):       "Sent to the terminal",
	string(Acked):      "The terminal has it",
	string(InDoubt):    "No result came; the outcome is not known yet",
	string(NotCharged): "The terminal shows that nothing was charged",
	string(Manual):     "The terminal's answer does not match",
	string(Closed):     "Finished",
	"stray":            "A late answer came from the terminal",
	"asked":            "The terminal was asked what happened",
	"answered":         "A person answered the question",
	"proposed":         "A first person decided",
	"voided":           "Voided",
	"refunded":         "Refunded",
	"deposited":        "Taken to the bank",
	"returned":         "Returned by the bank",
}

var resultWords = map[Result]string{
	Approved: "Approved", Partial: "Partly approved", Declined: "Declined", Cancelled: "Cancelled",
	Duplicate: "The terminal reports a duplicate", Same: "The same payment", NotSent: "Not sent",
}

// history returns the attempt's events as lines of a page.
func history(tx *vault.Tx, a *attempt) ([]Step, error) {
	var steps []Step
	for row, err := range attemptEvents.Find(tx, indexAttempt, a.ID.String()) {
		if err != nil {
			return nil, err
		}
		e := row.Shared
		w := eventWords[e.Name]
		if e.Name == string(Resulted) {
			w = resultWords[e.Result]
		}
		steps = append(steps, Step{Name: e.Name, At: e.At.In(tx.Now().Location()), Words: w})
	}
	return steps, nil
}

// Cancel asks the terminal to stop a payment that waits for the card
// (Payment.MayCancel); else ErrTooLate. The result is still awaited: an
// approval may win.
func (t *Till) Cancel(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) error {
	var a attempt
	req := access.Request{Agent: agent, Action: access.PaymentCancel, Entity: access.Of(access.KindAttempt, id), Purpose: access.Payment}
	err := t.vault.View(ctx, req, func(tx *vault.Tx) error {
		row, err := rowOf(tx, id)
		a = row.Shared
		return err
	})
	if err != nil {
		return err
	}
	l := t.lanes[a.Terminal]
	if l == nil || !a.atTerminal() {
		return ErrTooLate
	}
	return l.askCancel(id)
}
