package till

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/custody"
	"coffer/internal/fault"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// presence is whether a terminal answers, as far as the audit trail knows.
type presence string

const (
	present presence = "attached"
	absent  presence = "detached"
)

// judging is the request in which a terminal is compared with the register.
func (l *lane) judging() access.Request {
	return access.Request{Agent: l.till.agent, Action: access.TerminalAttach, Entity: access.Of(access.KindTerminal, l.id), Purpose: access.Operations}
}

// attach has the register judge a device that has just answered, and puts on
// record that it does: one that was exchanged must not go unseen (PCI DSS
// 9.5.1).
func (l *lane) attach(d protocol.Device) (protocol.Reason, error) {
	l.mu.Lock()
	again := l.noted == present
	l.noted = present
	l.mu.Unlock()
	var v custody.Verdict
	err := l.till.vault.Update(context.Background(), l.judging(), func(tx *vault.Tx) (err error) {
		if again {
			tx.Detail("terminal", fault.Code("compared"))
		} else {
			tx.Detail("terminal", fault.Code(present))
		}
		tx.Detail("serial", fault.Code(d.Serial))
		if l.till.register == nil {
			v.Reason = protocol.ReasonUnregistered
			return nil
		}
		v, err = l.till.register.Attach(tx, l.id, d)
		return err
	})
	return v.Reason, err
}

// verdict is what the register says now of the device that answers.
func (l *lane) verdict(tx *vault.Tx, d protocol.Device) (custody.Verdict, error) {
	if l.till.register == nil {
		return custody.Verdict{Reason: protocol.ReasonUnregistered}, nil
	}
	return l.till.register.Judge(tx, l.id, d)
}

// recheck has every terminal compared with the register, which has changed.
func (t *Till) recheck() {
	for _, l := range t.order {
		l.terminal.Recheck()
		l.nudge()
	}
	t.bell(TopicTerminals)
}

// note puts on record that the terminal went away.
func (l *lane) note() {
	s := l.terminal.Status()
	l.mu.Lock()
	same := s.Attached || l.noted == absent
	if !same {
		l.noted = absent
	}
	l.mu.Unlock()
	if same {
		return
	}
	details := []audit.Detail{{Key: "terminal", Value: string(absent)}, {Key: "reason", Value: string(s.Reason)}}
	if err := l.till.vault.Record(context.Background(), l.judging(), audit.OK, details...); err != nil {
		l.till.log.Error("that a terminal was unplugged could not be recorded", "error", err.Error())
	}
}
