package sim

import (
	"slices"
	"strings"

	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/simplify"
)

// simplifyTypes are the messages that a driver may send, whether this terminal
// can carry them out or not.
var simplifyTypes = []string{
	"01", simplify.TypeSale, simplify.TypeReturn, simplify.TypeVoid, simplify.TypeCloseBatch, simplify.TypeVoidReturn,
	simplify.TypeInquiry, "36", simplify.TypeReversal, simplify.TypeHealth, simplify.TypeCancel,
}

// accountFields can hold track, security code, PIN block and encrypted account
// data in a command.
var accountFields = []simplify.Field{4, 5, 18, 19, 50}

func (o simplifyOrder) judge(w *watch) {
	if !slices.Contains(simplifyTypes, o.name()) {
		w.report(UnknownType, "the protocol has no transaction of this type")
	}
	account := o.m[simplify.FieldAccount]
	if account != "" && !strings.HasPrefix(account, "ID:") || slices.ContainsFunc(accountFields, func(f simplify.Field) bool { return o.m[f] != "" }) {
		w.report(AccountFilled, "a card number, expiry or security code stands in a command")
	}
	switch c := o.class(); {
	case c == moving:
		o.judgeRef(w)
		o.judgeMoney(w)
	case c == seeking:
		o.judgeRef(w)
		o.judgeInquiry(w)
	}
}

// judgeRef judges field 7: it counts upwards and is never padded.
func (o simplifyOrder) judgeRef(w *watch) {
	ref := o.m[simplify.FieldRef]
	switch {
	case ref == "":
		w.report(RefMissing, "a money command or an inquiry has no reference: its end could not be looked up")
	case protocol.Ref(ref) == "" || ref[0] == '0':
		w.report(BadRef, "a reference is up to 12 digits, without leading zeros")
	}
}

func (o simplifyOrder) judgeMoney(w *watch) {
	sum, err := simplify.ParseAmount(o.m[simplify.FieldAmount])
	if err != nil || sum <= 0 {
		w.report(BadAmount, "an amount is 1.00, or digits that are cents; more than none")
	}
	if protocol.Digits(o.m[simplify.FieldDate], 6) == "" || protocol.Digits(o.m[simplify.FieldTime], 6) == "" {
		w.report(StampMissing, "a financial message has no date MMDDYY or no time HHMMSS")
	}
	if o.name() == simplify.TypeVoid && o.m[simplify.FieldAccount] == "" {
		w.report(OriginalMissing, "a void has not the token of what it voids")
	}
	// A void bears the reference of what it voids, and is sent again unmodified
	// until the host answers.
	if o.name() == simplify.TypeSale || o.name() == simplify.TypeReturn {
		w.once(o)
	}
}

// judgeInquiry compares an inquiry with the command that it asks about: it has
// all its elements.
func (o simplifyOrder) judgeInquiry(w *watch) {
	ref, _ := o.key()
	old := w.money[ref]
	if old != nil && old.sense != simplify.TypeSale+" "+o.m[simplify.FieldAmount] && old.sense != simplify.TypeReturn+" "+o.m[simplify.FieldAmount] ||
		o.m[simplify.FieldAmount] == "" {
		w.report(OriginalMissing, "an inquiry has not all elements of the command that it asks about")
	}
}

// key is the reference of a money command, and its type and amount.
func (o simplifyOrder) key() (ref, sense string) {
	return o.m[simplify.FieldRef], o.name() + " " + o.m[simplify.FieldAmount]
}
