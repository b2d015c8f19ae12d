package protocol

import (
	"coffer/internal/fault"
	"coffer/internal/money"
)

// ErrCommand is returned for a command that no terminal may be sent.
var ErrCommand = fault.New(fault.Invalid, "This payment cannot be sent: its reference, amount or original is not valid.")

// Sendable reports whether the command may go to a terminal.
func (c Command) Sendable() bool {
	switch {
	case Ref(c.Ref) == "", c.Amount <= 0, c.Amount > money.Max, len(c.Invoice) > 16, !isID(c.Invoice):
		return false
	case !isID(c.OriginalHostRef), !isID(c.OriginalTerminalRef), c.OriginalRef != "" && Ref(c.OriginalRef) == "":
		return false
	}
	if !c.Health.within(c.Amount) || c.Kind != Sale && c.Health != (Health{}) {
		return false
	}
	original := c.OriginalRef+c.OriginalHostRef+c.OriginalTerminalRef != ""
	switch c.Kind {
	case Sale:
		return !original
	case Void, Refund:
		return original
	}
	return false
}

// Agree compares an approval with the amount that was asked for. Only a sale
// may be approved in part; an approval of anything else is in doubt.
func (o Outcome) Agree(kind Kind, requested money.Amount) Outcome {
	o.Requested = requested
	switch {
	case o.Result != Approved:
	case o.Approved == requested:
	case kind == Sale && o.Approved > 0 && o.Approved < requested:
		o.Result, o.Reason = Partial, ReasonPartial
	default:
		o.Result, o.Reason = InDoubt, ReasonMismatch
	}
	return o
}
