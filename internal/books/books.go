package books

import (
	"context"
	_ "embed"
	"strings"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ledger"
	"coffer/internal/vault"
)

// The accounts that the program itself posts to.
const (
	Drawers      ledger.Code = "1000"
	Bank         ledger.Code = "1010"
	Checks       ledger.Code = "1050"
	CardClearing ledger.Code = "1060"
	Receivables  ledger.Code = "1100"
	Credits      ledger.Code = "2100"
	Equity       ledger.Code = "3000"
	Individual   ledger.Code = "4000"
	Evaluation   ledger.Code = "4010"
	Group        ledger.Code = "4030"
	OtherIncome  ledger.Code = "4190"
	SlidingScale ledger.Code = "4910"
	Courtesy     ledger.Code = "4920"
	SmallBalance ledger.Code = "4930"
	OverShort    ledger.Code = "6120"
	BadDebt      ledger.Code = "6200"
)

// Books answers people's questions about the journal.
type Books struct{ v *vault.Vault }

// New returns the books kept in v, which must have been opened with Tables.
func New(v *vault.Vault) *Books { return &Books{v} }

// Tables returns what the books keep in the vault.
func Tables() []vault.AnyTable {
	return []vault.AnyTable{accounts, entries, items, totals}
}

//go:embed chart.tsv
var chartText string

// template is the chart of accounts that a clinic starts with.
var template = parseChart(chartText)

// parseChart reads the embedded chart; it panics on text that is not one,
// since the text is part of the program.
func parseChart(text string) []ledger.Account {
	var chart []ledger.Account
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 5 {
			panic("books: bad line in the chart of accounts: " + line)
		}
		a := ledger.Account{
			Code: ledger.Code(f[0]), Class: ledger.Class(f[1]), Contra: f[2] == "contra",
			Sub: ledger.SubKind(f[3]), Name: f[4],
		}
		if a.Validate() != nil {
			panic("books: bad account in the chart of accounts: " + line)
		}
		chart = append(chart, a)
	}
	return chart
}

// Template returns the chart of accounts that Setup lays down, in the order
// of the codes.
func Template() []ledger.Account { return append([]ledger.Account(nil), template...) }

// Setup lays down the chart of accounts. Accounts that are there already stay
// as they are, so it may be repeated.
func (b *Books) Setup(ctx context.Context, agent access.Agent) error {
	req := access.Request{Agent: agent, Action: access.BooksSetup, Entity: access.None, Purpose: access.Operations}
	return b.v.Update(ctx, req, func(tx *vault.Tx) error {
		for _, a := range template {
			_, ok, err := accounts.First(tx, "code", string(a.Code))
			if err != nil {
				return err
			}
			if ok {
				continue
			}
			if _, err := accounts.Insert(tx, vault.Row[accountRecord, vault.None]{Shared: accountRecord(a)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// chart is the chart of accounts as one transaction sees it. It remembers
// the first failure to read.
type chart struct {
	tx  *vault.Tx
	err error
}

// Account returns the account of a code, and whether there is one.
func (c *chart) Account(code ledger.Code) (ledger.Account, bool) {
	row, ok, err := accounts.First(c.tx, "code", string(code))
	if err != nil {
		c.err = err
		return ledger.Account{}, false
	}
	return ledger.Account(row.Shared), ok
}

// validate checks an entry's form against the chart.
func validate(tx *vault.Tx, e ledger.Entry) error {
	c := &chart{tx: tx}
	err := e.Validate(c)
	if c.err != nil {
		return c.err
	}
	return err
}

// The faults of the books.
var (
	ErrNoEntry   = fault.New(fault.NotFound, "There is no such entry in the journal. Check the reference.")
	ErrNoAccount = fault.New(fault.NotFound, "There is no such account. Choose an account of the chart.")
	ErrSource    = fault.New(fault.Conflict, "This was posted before, with another amount or kind. Look at the entry that is there.")
	ErrFuture    = fault.New(fault.Invalid, "An entry can't be dated in the future. Use today's date.")
	ErrResolved  = fault.New(fault.Conflict, "This pending entry was posted or released already. Read it again.")
	ErrReversed  = fault.New(fault.Conflict, "This entry was reversed already. Look at its reversal.")
	ErrReversal  = fault.New(fault.Conflict, "A reversal can't be reversed. Post the entry anew.")
	ErrDerived   = fault.New(fault.Conflict, "This entry only moves money between a client's charges and credit. Reverse the receipt or the charge.")
	ErrNotOpen   = fault.New(fault.Conflict, "Less than this is open. Look at the client's open items and post at most what is open.")
	ErrAdjusted  = fault.New(fault.Conflict, "The charge was adjusted. Reverse the adjustment first, then the charge.")
	ErrRefunded  = fault.New(fault.Conflict, "Part of this money was refunded or moved on. Reverse that first.")
	ErrAgainst   = fault.New(fault.Invalid, "Only a posted credit to a receivable can name the charge that it settles. Leave the charge out.")
	ErrReceipt   = fault.New(fault.Invalid, "A receipt has one debit, and credits one client's account. Post one receipt for each.")
)
