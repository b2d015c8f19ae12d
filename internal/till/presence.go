package till

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/audit"
)

// presence is whether a terminal answers, as far as the audit trail knows.
type presence string

const (
	present presence = "attached"
	absent  presence = "detached"
)

// note puts on record that the terminal was plugged in or out, and which
// device answers: one that was exchanged must not go unseen (PCI DSS 9.5.1).
func (l *lane) note() {
	s := l.terminal.Status()
	now := absent
	if s.Attached {
		now = present
	}
	l.mu.Lock()
	same := l.noted == now
	l.noted = now
	l.mu.Unlock()
	if same {
		return
	}
	details := []audit.Detail{{Key: "terminal", Value: string(now)}}
	if s.Attached {
		details = append(details, audit.Detail{Key: "serial", Value: s.Device.Serial})
	} else {
		details = append(details, audit.Detail{Key: "reason", Value: string(s.Reason)})
	}
	r := access.Request{Agent: l.till.agent, Action: access.TerminalAttach, Entity: access.Of(access.KindTerminal, l.id), Purpose: access.Operations}
	if err := l.till.vault.Record(context.Background(), r, audit.OK, details...); err != nil {
		l.till.log.Error("that a terminal was plugged in or out could not be recorded", "error", err.Error())
	}
}
