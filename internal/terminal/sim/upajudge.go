package sim

import (
	"slices"

	"coffer/internal/terminal/upa"
)

// upaCommands are the messages that a driver may send, whether this terminal can
// carry them out or not.
var upaCommands = []string{
	upa.Ping, upa.GetAppInfo, upa.Sale, upa.Void, upa.Refund, upa.Cancel, upa.GetBatch,
	"Reversal", "PreAuth", "AuthCompletion", "CardVerify", "EODProcessing", "GetBatchReport", "AvailableBatches", "GetLastEOD",
	"GetSAFReport", "ReturnToIdle", "Reboot",
}

// upaForbidden are those that can return a card number, a track or a PIN block.
var upaForbidden = []string{
	"StartCardTransaction", "ProcessCardTransaction", "ContinueEMVTransaction", "ContinueCardTransaction", "CompleteEMVTransaction",
	"EnterPIN", "GetPIN", "PromptForPIN", "Scan", "GetConfigContents",
}

func (o upaOrder) judge(w *watch) {
	switch {
	case o.leak:
		w.report(AccountFilled, "a command holds what looks like card data")
		return
	case slices.Contains(upaForbidden, o.r.Command):
		w.report(Forbidden, "this message can return card data")
	case !slices.Contains(upaCommands, o.r.Command):
		w.report(UnknownCommand, "the protocol has no message of this name")
	}
	if o.r.ID == "" {
		w.report(BadMessage, "a command has no requestId: its answer could not be told from others")
	}
	if o.class() == moving {
		o.judgeMoney(w)
	}
}

func (o upaOrder) judgeMoney(w *watch) {
	if o.r.Command != upa.Void && o.r.Amount <= 0 {
		w.report(BadAmount, "an amount is dollars with two decimals: more than none, without a sign")
	}
	if o.r.Command == upa.Void && o.r.HostRef+o.r.TerminalRef == "" {
		w.report(OriginalMissing, "a void names nothing that it voids: referenceNumber or tranNo")
	}
	if o.r.Ref == "" {
		w.report(RefMissing, "a money command has no invoiceNbr: its end could not be looked up")
		return
	}
	w.ref(o.r.Ref)
	w.once(o)
}

// key is the invoiceNbr of a money command, and its name and amount.
func (o upaOrder) key() (ref, sense string) {
	return o.r.Ref, o.r.Command + " " + o.r.Amount.String()
}
