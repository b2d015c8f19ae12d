package till

import (
	"context"
	"errors"
	"time"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Terminals returns the terminals in the order of Options.
func (t *Till) Terminals(ctx context.Context, agent access.Agent) ([]TerminalStatus, error) {
	var list []TerminalStatus
	req := access.Request{Agent: agent, Action: access.TerminalStatus, Entity: access.Entity{Kind: access.KindTerminal}, Purpose: access.Operations}
	err := t.vault.View(ctx, req, func(tx *vault.Tx) error {
		usual, err := usualTerminal(tx)
		if err != nil {
			return err
		}
		for _, l := range t.order {
			s, err := l.status(tx)
			if err != nil {
				return err
			}
			s.Usual = s.ID == usual
			list = append(list, s)
		}
		return nil
	})
	return list, err
}

// usualMax is how many payments are looked at for the latest of one person.
const usualMax = 100

// usualTerminal returns where the agent took the latest card payment; zero if
// that is long ago.
func usualTerminal(tx *vault.Tx) (ident.ID[ident.Terminal], error) {
	seen := 0
	for row, err := range attempts.Backward(tx, indexDay, "", timeKey(tx.Now().Add(time.Millisecond))) {
		if err != nil || seen == usualMax {
			return ident.ID[ident.Terminal]{}, err
		}
		if a := row.Shared; a.Cashier == tx.Agent().Name() && a.Tender == TenderCard {
			return a.Terminal, nil
		}
		seen++
	}
	return ident.ID[ident.Terminal]{}, nil
}

func (l *lane) status(tx *vault.Tx) (TerminalStatus, error) {
	s := l.terminal.Status()
	v, err := l.verdict(tx, s.Device)
	if err != nil {
		return TerminalStatus{}, err
	}
	if s.Attached && !s.Quarantined && v.Reason != protocol.ReasonNone {
		s.Quarantined, s.Reason = true, v.Reason
	}
	held, err := l.free(tx)
	p := TerminalStatus{
		ID: l.id, Name: l.terminal.Name(), Ready: err == nil,
		Attached: s.Attached, Quarantined: s.Quarantined, Busy: errors.Is(err, ErrBusy),
		Recovering: errors.Is(err, ErrRecovering), Running: held,
		Serial: s.Device.Serial, Model: s.Device.Model, Since: s.Since.In(tx.Now().Location()),
	}
	p.Words, p.Next = terminalWords(p, s)
	if p.Ready && v.Overdue {
		p.Notice = "Its inspection is overdue: ask IT to inspect it (page Terminals)."
	}
	p.Waits = s.Quarantined && registerReason(s.Reason)
	for _, expected := range []error{ErrBusy, ErrRecovering, ErrQuarantined, ErrInspection, ErrUnplugged} {
		if errors.Is(err, expected) {
			return p, nil
		}
	}
	return p, err
}

// terminalWords says how a terminal is and what to do about it.
func terminalWords(p TerminalStatus, s terminal.Status) (what, next string) {
	switch {
	case p.Quarantined:
		w := protocol.Words(s.Reason)
		return w.What, w.Next
	case p.Busy:
		return "A payment is running at this terminal.", "Wait until it has ended, or use another terminal."
	case p.Recovering && p.Attached:
		return "Coffer is asking this terminal about an earlier payment.", "Wait a moment, or use another terminal."
	case p.Recovering:
		return "This terminal went away before the result of a payment came.", "Plug it in and switch it on. Coffer then finds out what happened."
	case !p.Attached && s.Reason != protocol.ReasonNone:
		w := protocol.Words(s.Reason)
		return w.What, w.Next
	case !p.Attached:
		return "The terminal does not answer.", "Check its cable and power."
	}
	return "Ready.", ""
}

// registerReason reports whether a terminal is barred by the register, which
// ReleaseTerminal does not change.
func registerReason(r protocol.Reason) bool {
	switch r {
	case protocol.ReasonSubstitute, protocol.ReasonUnregistered, protocol.ReasonFirmware, protocol.ReasonInspection,
		protocol.ReasonTampered, protocol.ReasonUnchecked:
		return true
	}
	return false
}
