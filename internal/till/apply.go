package till

import (
	"context"
	"time"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// errNotNew keeps a command from being sent whose attempt has ended.
var errNotNew = fault.New(fault.Conflict, "This payment has ended already, so it is not sent. Reload the page.")

// mark journals that a command is about to be sent, or that the terminal has
// it. A command whose attempt is further on may not be sent; that the terminal
// has it changes nothing then.
func (t *Till) mark(id ident.ID[ident.Attempt], s State) error {
	_, err := t.journal(context.Background(), id, func(_ *vault.Tx, a *attempt) (*event, error) {
		switch {
		case s == Sent && a.State != Created && a.State != Sent:
			return nil, errNotNew
		case a.State == s, s == Acked && a.State != Sent:
			return nil, nil
		}
		a.State = s
		return &event{Name: string(s)}, nil
	})
	return err
}

// close journals that nothing more will follow, if that is so, and reports
// whether the outcome is known.
func (t *Till) close(id ident.ID[ident.Attempt]) (bool, error) {
	a, err := t.journal(context.Background(), id, func(_ *vault.Tx, a *attempt) (*event, error) {
		if a.unresolved() || a.State == Closed {
			return nil, nil
		}
		a.State = Closed
		return &event{Name: string(Closed)}, nil
	})
	return err == nil && !a.atTerminal(), err
}

// apply brings a terminal's outcome into the journal and the books, in one
// commit. It is the same for an outcome that comes live, late or by recovery,
// and repeating it changes nothing.
func (t *Till) apply(id ident.ID[ident.Attempt], o protocol.Outcome) (attempt, error) {
	return t.journal(context.Background(), id, func(tx *vault.Tx, a *attempt) (*event, error) {
		return t.outcome(tx, a, o)
	})
}

// outcome applies o to a within tx.
func (t *Till) outcome(tx *vault.Tx, a *attempt, o protocol.Outcome) (*event, error) {
	if !a.atTerminal() {
		return nil, nil
	}
	if o.Result == protocol.Duplicate {
		return t.duplicate(tx, a, o)
	}
	v := decide(a, o)
	if v.state == NotCharged {
		proven, err := isProof(tx, a, o.Evidence)
		if err != nil {
			return nil, err
		}
		if !proven {
			v = verdict{state: Manual, reason: reasonEmpty}
		}
	}
	if v.state == InDoubt && a.State == InDoubt && v.reason == a.Reason {
		return nil, nil
	}
	return t.enact(tx, a, v, o)
}

// enact carries a verdict out: journal, books and receipt.
func (t *Till) enact(tx *vault.Tx, a *attempt, v verdict, o protocol.Outcome) (*event, error) {
	a.State, a.Result, a.Approved, a.Reason = v.state, v.result, v.approved, v.reason
	keepCodes(a, o)
	e := &event{Name: string(v.state), Result: v.result, Amount: v.approved, Reason: v.reason, Evidence: a.Evidence}
	switch {
	case v.state == InDoubt || v.state == Manual:
		return e, nil
	case !v.result.moved():
		a.Ended = tx.Now()
		return e, release(tx, a, outcomeWord(v))
	}
	a.Ended = tx.Now()
	if err := post(tx, a); err != nil {
		return nil, err
	}
	if err := giveBack(tx, a); err != nil {
		return nil, err
	}
	return e, t.writeReceipt(tx, a, receiptBody{Card: cardOf(o), Token: o.Token})
}

// outcomeWord is the reason that the ledger gives for a release.
func outcomeWord(v verdict) string {
	if v.result == ResultNone {
		return string(v.state)
	}
	return string(v.result)
}

// keepCodes keeps what the journal may know of an outcome.
func keepCodes(a *attempt, o protocol.Outcome) {
	a.Device, a.Host = code(o.DeviceCode), code(o.HostCode)
	a.AuthCode, a.Batch = code(o.AuthCode), code(o.Batch)
	a.HostRef, a.TermRef = reference(o.HostRef), reference(o.TerminalRef)
	a.Evidence = code(o.Evidence)
	if s := code(o.Serial); s != "" && a.Serial == "" {
		a.Serial = s
	}
}

// reference returns s if it has the form of a processor's reference, which may
// be a long number.
func reference(s string) string {
	if !codeForm.MatchString(s) {
		return ""
	}
	return s
}

// isProof reports whether the evidence proves that a was not charged. That there
// is no record proves it for the open batch only.
func isProof(tx *vault.Tx, a *attempt, evidence string) (bool, error) {
	switch evidence {
	case protocol.EvidenceEmpty:
		return emptyIsProof(tx, a)
	case protocol.EvidenceHost:
		return emptyProves(a, tx.Now(), false), nil
	}
	return true, nil
}

// emptyIsProof reports whether a terminal without records proves that a was
// not charged; see emptyProves.
func emptyIsProof(tx *vault.Tx, a *attempt) (bool, error) {
	midnight := tx.Today().In(tx.Now().Location())
	for row, err := range attempts.Between(tx, indexDay, timeKey(midnight), timeKey(tx.Now().Add(time.Millisecond))) {
		if err != nil {
			return false, err
		}
		b := &row.Shared
		if b.Terminal == a.Terminal && b.Serial == a.Serial && b.Tender == TenderCard && b.Result.moved() {
			return emptyProves(a, tx.Now(), true), nil
		}
	}
	return emptyProves(a, tx.Now(), false), nil
}

// duplicate applies the terminal's word that the payment was made before; o
// describes the original. If it names this very attempt, the terminal's own
// record has to say what became of it. If that is one of the same client and
// amount whose outcome is not known, it is the missing result. Else a person
// has to say.
func (t *Till) duplicate(tx *vault.Tx, a *attempt, o protocol.Outcome) (*event, error) {
	if o.Ref == a.Ref {
		codes := protocol.Outcome{DeviceCode: o.DeviceCode, HostCode: o.HostCode}
		return t.enact(tx, a, verdict{state: InDoubt, reason: code(string(o.Reason))}, codes)
	}
	if a.Kind != KindSale {
		return t.enact(tx, a, verdict{state: Manual, reason: reasonRef}, o)
	}
	original, known, err := byRef(tx, o.Ref)
	if err != nil {
		return nil, err
	}
	if known {
		a.Twin = original.Shared.ID
	}
	if known && original.Shared.atTerminal() {
		if err := t.resolve(tx, original, asApproval(&original.Shared, o)); err != nil {
			return nil, err
		}
		if sameSale(a, &original.Shared) {
			return t.enact(tx, a, verdict{state: Resulted, result: Same, reason: reasonTaken}, protocol.Outcome{})
		}
	}
	a.Other = code(o.Ref)
	a.State, a.Result, a.Reason = Resulted, Duplicate, code(string(o.Reason))
	a.OtherAmount = o.Approved
	keepCodes(a, o)
	return &event{Name: string(Resulted), Result: Duplicate, Amount: o.Approved, Reason: a.Reason, Ref: a.Other}, nil
}

// sameSale reports whether two sales ask for the same.
func sameSale(a, b *attempt) bool {
	return a.Client == b.Client && a.Amount == b.Amount && b.Kind == KindSale
}

// asApproval reads what a duplicate says of its original as the original's own
// outcome.
func asApproval(a *attempt, o protocol.Outcome) protocol.Outcome {
	o.Result = protocol.Approved
	o.Kind = protocol.Kind(a.Kind)
	if o.Requested == 0 {
		o.Requested = a.Amount
	}
	return o
}

// resolve applies an outcome to another attempt than the one at hand, within
// the same commit.
func (t *Till) resolve(tx *vault.Tx, row attemptRow, o protocol.Outcome) error {
	e, err := t.outcome(tx, &row.Shared, o)
	if err != nil || e == nil {
		return err
	}
	if err := attempts.Replace(tx, row); err != nil {
		return err
	}
	return note(tx, row.Shared.ID, *e)
}

// byRef returns the attempt of a reference, if this journal has it.
func byRef(tx *vault.Tx, ref string) (attemptRow, bool, error) {
	if ref == "" {
		return attemptRow{}, false, nil
	}
	return attempts.First(tx, indexRef, ref)
}
