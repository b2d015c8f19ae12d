package sim

import (
	"slices"
	"strings"

	"coffer/internal/terminal/pax"
)

// Judging what a message says.

// Groups of a money command, and items of a look-up.
const (
	groupType, groupAmounts, groupAccount, groupTrace, groupAfter = 0, 1, 2, 3, 4

	findRecord, findTerminal, findAuth, findRef = 3, 4, 5, 6
)

// commands are the protocol's messages that a driver may send, whether this
// terminal can carry them out or not.
var commands = []string{
	"A00", "A04", "A08", "A10", "A12", "A14", "A16", "A20", "A26", "A54", "A78",
	"B00", "B08", "R00", "R02", "R10", "T00", "T02",
}

// Transaction types: those that move or hold an amount, those that undo, and
// those without an amount.
var (
	amountTypes = []string{pax.TypeSale, pax.TypeReturn, "03", "04", "06"}
	undoTypes   = []string{pax.TypeVoid, pax.TypeVoidSale, "18"}
	otherTypes  = []string{"24", "32", "99"}
)

func (o paxOrder) judge(w *watch) {
	req := o.req
	if !isVersion(req.Version) {
		w.report(BadMessage, "a message does not state the version of its layout, such as 1.35")
	}
	switch {
	case forbidden(req.Command):
		w.report(Forbidden, "this message can return card data")
	case !slices.Contains(commands, req.Command):
		w.report(UnknownCommand, "the protocol has no message of this name")
	case isMoney(req.Command):
		o.judgeMoney(w)
	case req.Command == pax.FindRecord:
		w.find(req)
	}
}

func isMoney(command string) bool { return command == "T00" || command == "T02" }

// forbidden lists the messages that can return a card number, a track or a PIN
// block.
func forbidden(command string) bool {
	switch command {
	case "A28", "A30", "A32", "A36", "A40", "A42", "A46", "A48", "A50", "A52":
		return true
	}
	return command >= "T04" && command <= "T13"
}

func (o paxOrder) judgeMoney(w *watch) {
	req := o.req
	for i := range 3 {
		if field(req, groupAccount, i) != "" {
			w.report(AccountFilled, "a card number, expiry or security code stands in a command")
			break
		}
	}
	typ := field(req, groupType, 0)
	w.amounts(req, typ)
	switch {
	case slices.Contains(undoTypes, typ):
		if !original(req) {
			w.report(OriginalMissing, "a void names nothing that it voids: HREF, the terminal's or the ECR reference")
		}
	case !slices.Contains(amountTypes, typ) && !slices.Contains(otherTypes, typ):
		w.report(UnknownType, "the protocol has no transaction of this type")
	}
	o.judgeRef(w)
}

// amounts judges the group of amounts: cents, in digits.
func (w *watch) amounts(req pax.Request, typ string) {
	sum := field(req, groupAmounts, 0)
	bad := slices.Contains(amountTypes, typ) && strings.Trim(sum, "0") == ""
	if len(req.Groups) > groupAmounts {
		for _, a := range req.Groups[groupAmounts] {
			bad = bad || a != "" && (!isDigits(a) || len(a) > 12)
		}
	}
	if bad {
		w.report(BadAmount, "an amount is 1 to 12 digits: cents, more than none, without sign or point")
	}
}

// original reports whether a void says what it voids.
func original(req pax.Request) bool {
	if field(req, groupTrace, 3) != "" || field(req, groupTrace, 6) != "" {
		return true
	}
	for _, g := range req.Groups[min(groupAfter, len(req.Groups)):] {
		if pax.Ext(g)["HREF"] != "" {
			return true
		}
	}
	return false
}

// key is the ECR reference of a money command, and its type and amount.
func (o paxOrder) key() (ref, sense string) {
	return field(o.req, groupTrace, 0), field(o.req, groupType, 0) + " " + strings.TrimLeft(field(o.req, groupAmounts, 0), "0")
}

// judgeRef judges the ECR reference of a money command.
func (o paxOrder) judgeRef(w *watch) {
	ref, _ := o.key()
	if ref == "" {
		w.report(RefMissing, "a money command has no ECR reference: its end could not be looked up")
		return
	}
	w.ref(ref)
	w.once(o)
}

// refMax is how long an ECR reference may be.
const refMax = 16

func (w *watch) ref(ref string) {
	odd := func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z')
	}
	if len(ref) > refMax || strings.ContainsFunc(ref, odd) {
		w.report(BadRef, "an ECR reference is up to 16 letters, digits and dashes")
	}
}

// find judges a look-up.
func (w *watch) find(req pax.Request) {
	record := field(req, findRecord, 0)
	switch {
	case record != "" && !isDigits(record):
		w.report(BadRef, "the number of a record is digits")
	case field(req, findRef, 0) != "":
		w.ref(field(req, findRef, 0))
	case record+field(req, findTerminal, 0)+field(req, findAuth, 0) == "":
		w.report(OriginalMissing, "a look-up says neither a record's number nor a reference")
	}
}

// isVersion reports whether s is digits, a point and digits.
func isVersion(s string) bool {
	major, minor, ok := strings.Cut(s, ".")
	return ok && isDigits(major) && isDigits(minor)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
