package till

import (
	"context"
	"slices"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Recover must be called once at start. It reads what the last run left
// unfinished and leaves it to each terminal's lane, which asks the terminal as
// soon as it is attached and before it gets any new command. What the journal
// alone proves (a command that was never sent, a conversation that has ended)
// is closed before Recover returns. What belongs to a terminal that is not set
// up any more is for two people (Resolve). Terminals that an earlier run has
// locked are locked again. Until Recover has been called no card payment
// begins.
func (t *Till) Recover(ctx context.Context) error {
	lost, err := t.afterLoss(ctx)
	if err != nil {
		return err
	}
	left, err := t.unfinished(ctx)
	if err != nil {
		return err
	}
	unknown := map[ident.ID[ident.Terminal]][]ident.ID[ident.Attempt]{}
	for _, a := range left {
		known, err := t.proveFromJournal(a, lost)
		if err != nil {
			return err
		}
		if !known {
			unknown[a.Terminal] = append(unknown[a.Terminal], a.ID)
		}
	}
	if err := t.lockAgain(ctx); err != nil {
		return err
	}
	for _, l := range t.order {
		l.start(unknown[l.id])
		delete(unknown, l.id)
	}
	if t.register != nil {
		t.register.OnChange(t.recheck)
	}
	for _, ids := range unknown {
		for _, id := range ids {
			t.log.Error("the terminal of an unknown payment is not set up any more; two people must decide", "attempt", id.String())
			if _, err := t.suspect(id, reasonNoTerminal); err != nil {
				return err
			}
		}
	}
	return nil
}

// unfinished returns the attempts that are not closed and wait for nobody,
// the oldest first within each state.
func (t *Till) unfinished(ctx context.Context) ([]attempt, error) {
	var left []attempt
	req := access.Request{Agent: t.agent, Action: access.PaymentRead, Entity: access.None, Purpose: access.Payment}
	err := t.vault.View(ctx, req, func(tx *vault.Tx) error {
		for _, s := range []State{Created, Sent, Acked, InDoubt, Resulted, NotCharged} {
			for row, err := range attempts.Find(tx, indexState, string(s)) {
				if err != nil {
					return err
				}
				if !row.Shared.asks() {
					left = append(left, row.Shared)
				}
			}
		}
		return nil
	})
	return left, err
}

// proveFromJournal closes what needs no terminal, and reports whether the
// outcome is known. An attempt that was only created was provably not sent,
// unless the store has lost a commit, which may have been the one that says so.
func (t *Till) proveFromJournal(a attempt, lost bool) (bool, error) {
	if a.State == Created && lost {
		return false, t.mark(a.ID, Sent)
	}
	if a.State == Created {
		_, err := t.apply(a.ID, protocol.Outcome{
			Result: protocol.NotSent, Kind: protocol.Kind(a.Kind), Ref: a.Ref, Requested: a.Amount, Evidence: evidenceUnsent,
		})
		if err != nil {
			return false, err
		}
	}
	return t.close(a.ID)
}

// settleUnknown tries to find out what became of an attempt, and reports
// whether it need not be asked again. What the journal has of it is read once
// and kept in memory, so that asking in vain leaves no trace in the store.
func (l *lane) settleUnknown(ctx context.Context, id ident.ID[ident.Attempt]) bool {
	defer l.quiet()
	a, err := l.suspected(id)
	var token protocol.Token
	if err == nil {
		token, err = l.till.token(&a)
	}
	if err == nil && a.atTerminal() && l.terminal.Status().Attached {
		var o protocol.Outcome
		l.asks(id)
		if o, err = l.terminal.Lookup(ctx, question(&a, token)); err == nil && ctx.Err() == nil && !saysNothing(&a, o) {
			a, err = l.till.lookedUp(id, o)
			l.remember(a, err)
		}
	}
	if err == nil && !a.atTerminal() {
		_, err = l.till.close(id)
	}
	if err != nil && ctx.Err() == nil {
		l.till.log.Warn("an unknown payment could not be settled yet", "attempt", id.String(), "error", err.Error())
	}
	known := err == nil && !a.atTerminal()
	if known {
		l.found(id)
		l.till.bell(topic(id))
		l.till.bell(TopicTerminals)
	}
	return known
}

// saysNothing reports whether an answer changes nothing of what is known.
func saysNothing(a *attempt, o protocol.Outcome) bool {
	return o.Result == protocol.InDoubt && !contradicts(o.Reason) && a.State == InDoubt && a.Reason == code(string(o.Reason))
}

// suspected returns an unknown attempt as the journal has it; the first time
// it journals that it is unknown.
func (l *lane) suspected(id ident.ID[ident.Attempt]) (attempt, error) {
	l.mu.Lock()
	a, ok := l.read[id]
	l.mu.Unlock()
	if ok {
		return a, nil
	}
	a, err := l.till.suspect(id, reasonRestart)
	l.remember(a, err)
	return a, err
}

// remember keeps an unknown attempt as the journal has it.
func (l *lane) remember(a attempt, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.read[a.ID] = a
	}
}

// found takes an unknown attempt off the list.
func (l *lane) found(id ident.ID[ident.Attempt]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unknown = slices.DeleteFunc(l.unknown, func(u ident.ID[ident.Attempt]) bool { return u == id })
	delete(l.read, id)
	delete(l.asked, id)
}

// suspect journals that the outcome of an attempt is not known, or that it was
// never sent, and returns it as it stands.
func (t *Till) suspect(id ident.ID[ident.Attempt], why string) (attempt, error) {
	return t.journal(context.Background(), id, func(tx *vault.Tx, a *attempt) (*event, error) {
		switch a.State {
		case Created:
			o := protocol.Outcome{Result: protocol.NotSent, Evidence: evidenceUnsent}
			return t.enact(tx, a, verdict{state: Resulted, result: NotSent}, o)
		case Sent, Acked:
			a.State, a.Reason = InDoubt, why
			return &event{Name: string(InDoubt), Reason: why}, nil
		}
		return nil, nil
	})
}

// askMax is how often a terminal may contradict an attempt, or say that it
// knows nothing of it and prove nothing either, before two people decide: one
// such answer may be the fault of the wire.
const askMax = 4

// lookedUp applies the answer to a question about an unknown attempt. An
// answer that contradicts the attempt or proves nothing however often it is
// given is for people.
func (t *Till) lookedUp(id ident.ID[ident.Attempt], o protocol.Outcome) (attempt, error) {
	return t.journal(context.Background(), id, func(tx *vault.Tx, a *attempt) (*event, error) {
		if a.atTerminal() && o.Result == protocol.InDoubt && contradicts(o.Reason) {
			if a.Tries++; a.Tries >= askMax {
				return t.enact(tx, a, verdict{state: Manual, reason: string(o.Reason)}, o)
			}
			return &event{Name: "asked", Reason: string(o.Reason)}, nil
		}
		return t.outcome(tx, a, o)
	})
}

// contradicts reports whether the answer is one that asking again may not
// change.
func contradicts(r protocol.Reason) bool {
	switch r {
	case protocol.ReasonMismatch, protocol.ReasonVoided, protocol.ReasonUnproven, protocol.ReasonHostDuplicate:
		return true
	}
	return false
}
