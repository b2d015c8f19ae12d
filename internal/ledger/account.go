package ledger

// Code is an account's number in the chart of accounts, such as "1060".
type Code string

// SafeString returns the code.
func (c Code) SafeString() string { return string(c) }

// Sub is a sub-ledger key under a control account: a client account number
// ("P-004217"), a terminal's batch, a claim, the code of a member of staff.
// The books know clients by nothing else.
type Sub string

// SafeString returns the key: an account number is a pseudonym.
func (s Sub) SafeString() string { return string(s) }

// IsClient reports whether the key is a client account number: "P-" and six
// digits.
func (s Sub) IsClient() bool {
	if len(s) != 8 || s[:2] != "P-" {
		return false
	}
	for _, r := range s[2:] {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// subLengthMax is the most bytes in a sub-ledger key.
const subLengthMax = 40

func (s Sub) wellFormed() bool {
	if s == "" || len(s) > subLengthMax {
		return false
	}
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && r != '-' && r != '.' && r != ':' && r != '/' && r != '_' {
			return false
		}
	}
	return true
}

// Class is the part of the financial statements to which an account belongs.
type Class string

// The classes.
const (
	Asset     Class = "asset"
	Liability Class = "liability"
	Equity    Class = "equity"
	Income    Class = "income"
	Expense   Class = "expense"
)

// Side is the side on which an account normally has its balance.
type Side int8

// The sides.
const (
	Debit  Side = 1
	Credit Side = -1
)

// String returns "Dr" or "Cr".
func (s Side) String() string {
	if s == Debit {
		return "Dr"
	}
	return "Cr"
}

// SubKind says what the sub-ledger keys of a control account stand for.
type SubKind string

// The kinds of sub-ledger keys. An account of SubNone takes no key.
const (
	SubNone   SubKind = "none"
	SubClient SubKind = "client" // client account numbers, P-nnnnnn
	SubStaff  SubKind = "staff"  // the code of a member of staff or a drawer
	SubBatch  SubKind = "batch"  // a terminal, or its batch
	SubClaim  SubKind = "claim"
	SubVendor SubKind = "vendor"
)

// Account is a line of the chart of accounts.
type Account struct {
	Code   Code
	Name   string
	Class  Class
	Contra bool // its normal side is the opposite of its class's
	Sub    SubKind
}

// Normal returns the side on which the account normally has its balance.
func (a Account) Normal() Side {
	side := Credit
	if a.Class == Asset || a.Class == Expense {
		side = Debit
	}
	if a.Contra {
		side = -side
	}
	return side
}

// accepts returns the fault of a key that the account does not take.
func (a Account) accepts(s Sub) error {
	switch a.Sub {
	case SubNone:
		if s != "" {
			return ErrSubUnwanted
		}
	case SubClient:
		if !s.IsClient() {
			return ErrSubMissing
		}
	default:
		if !s.wellFormed() {
			return ErrSubMissing
		}
	}
	return nil
}

// Validate returns the fault of an account that can't stand in a chart.
func (a Account) Validate() error {
	if len(a.Code) != 4 || a.Name == "" {
		return ErrAccount
	}
	for _, r := range a.Code {
		if r < '0' || r > '9' {
			return ErrAccount
		}
	}
	switch a.Class {
	case Asset, Liability, Equity, Income, Expense:
	default:
		return ErrAccount
	}
	switch a.Sub {
	case SubNone, SubClient, SubStaff, SubBatch, SubClaim, SubVendor:
		return nil
	}
	return ErrAccount
}

// Chart answers what account a code stands for.
type Chart interface {
	// Account returns the account of a code, and whether there is one.
	Account(Code) (Account, bool)
}

// ChartMap is a Chart in memory.
type ChartMap map[Code]Account

// Account returns the account of a code, and whether there is one.
func (m ChartMap) Account(c Code) (Account, bool) { a, ok := m[c]; return a, ok }
