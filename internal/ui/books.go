package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
)

// rowsShown is how many rows a page of the books shows.
const rowsShown = 50

// trialView is the trial balance at the end of a day.
type trialView struct {
	AsOf            string
	Problem         string
	Approvals       int // acts that wait for this person's decision
	Rows            []trialRow
	Debits, Credits string
	Balanced        string
}

type trialRow struct{ Code, Name, Debit, Credit string }

// journalView is a page of entries, the newest first.
type journalView struct {
	Rows           []journalRow
	Previous, Next string // paths of the pages beside this one
}

type journalRow struct{ ID, Short, Date, Event, Kind, Accounts, Amount string }

// accountView is a page of an account's postings, the newest first.
type accountView struct {
	Code, Name, Sub, Balance string
	Rows                     []accountRow
	Previous, Next           string
	MayAdjust                bool
}

type accountRow struct{ ID, Date, Event, Code, Sub, Debit, Credit, Balance string }

// entryView is one entry with its postings.
type entryView struct {
	ID              string
	Facts           []fact
	Postings        []postingRow
	Debits, Credits string
}

type postingRow struct{ Code, Name, Sub, Debit, Credit string }

var errAsOf = fault.New(fault.Invalid, "Enter the day as year-month-day, not after today, such as 2026-03-31. Today's balances are shown.")

// GET /books
func (s *server) trial(c *call) error {
	v, asOf, status := trialView{}, s.date(), http.StatusOK
	if typed := c.QueryParam("date"); typed != "" {
		day, err := civil.Parse(typed)
		if err != nil || day > asOf {
			v.Problem, status = fault.Message(errAsOf), http.StatusUnprocessableEntity
		} else {
			asOf = day
		}
	}
	balance, err := s.Books.TrialBalance(c.Request().Context(), c.agent, asOf)
	if err != nil {
		return err
	}
	if v.Approvals, err = s.toApprove(c); err != nil {
		return err
	}
	v.AsOf, v.Debits, v.Credits = asOf.String(), balance.Debit.String(), balance.Credit.String()
	for _, line := range balance.Lines {
		v.Rows = append(v.Rows, trialRow{
			Code: string(line.Account.Code), Name: line.Account.Name, Debit: column(line.Debit), Credit: column(line.Credit),
		})
	}
	v.Balanced = "Debits and credits are equal."
	if balance.Debit != balance.Credit {
		v.Balanced = "Debits and credits differ. Stop, and tell IT to run cofferctl verify."
	}
	return render(c, trialPage, status, v)
}

// column writes an amount into its column; zero leaves the column empty.
func column(a money.Amount) string {
	if a == 0 {
		return ""
	}
	return a.String()
}

// GET /books/journal
func (s *server) journal(c *call) error {
	page, err := s.Books.Journal(c.Request().Context(), c.agent, books.Filter{}, pageOf(c))
	if err != nil {
		return err
	}
	v := journalView{Previous: newer(c, "/books/journal", nil), Next: older("/books/journal", page.Next, nil)}
	for _, e := range page.Entries {
		v.Rows = append(v.Rows, journalRow{
			ID: e.ID.String(), Short: short(e.Number), Date: e.Effective.String(), Event: e.Label(),
			Kind: kindLabel(string(e.Kind)), Accounts: accountsOf(e), Amount: e.Total().String(),
		})
	}
	return render(c, journalPage, http.StatusOK, v)
}

// short writes an entry's place in the journal, "No. 17".
func short(number uint64) string { return "No. " + strconv.FormatUint(number, 10) }

var entryKinds = map[string]string{
	"posted": "Posted", "pending": "Pending", "post_pending": "Settles a pending entry",
	"void_pending": "Releases a pending entry", "reversal": "Reversal",
}

func kindLabel(kind string) string {
	if words := entryKinds[kind]; words != "" {
		return words
	}
	return kind
}

// accountsOf lists the accounts that an entry touches: "1060 / 1100".
func accountsOf(e books.EntryView) string {
	var codes []string
	for _, line := range e.Lines {
		codes = append(codes, string(line.Account))
	}
	return strings.Join(codes, " / ")
}

// pageOf reads which page of a list is asked for.
func pageOf(c *call) books.Page {
	before, err := strconv.ParseUint(c.QueryParam("before"), 10, 64)
	if err != nil {
		before = 0 // the newest rows
	}
	return books.Page{Before: before, Size: rowsShown}
}

// older returns the path of the next page; newer the path of the first one.
func older(path string, before uint64, query url.Values) string {
	if before == 0 {
		return ""
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("before", strconv.FormatUint(before, 10))
	return path + "?" + query.Encode()
}

func newer(c *call, path string, query url.Values) string {
	if c.QueryParam("before") == "" {
		return ""
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// GET /books/accounts/:code
func (s *server) account(c *call) error {
	code, sub := c.Param("code"), c.QueryParam("sub")
	page, err := s.Books.Account(c.Request().Context(), c.agent, books.Code(code), books.Sub(sub), pageOf(c))
	if err != nil {
		return err
	}
	path, query := "/books/accounts/"+url.PathEscape(code), url.Values{}
	if sub != "" {
		query.Set("sub", sub)
	}
	v := accountView{
		Code: code, Name: page.Account.Name, Sub: sub, Balance: page.Balance.String(),
		Previous: newer(c, path, query), Next: older(path, page.Next, query),
		MayAdjust: books.Code(code) == books.Receivables && sub != "" && c.agent.May(access.AccountAdjust),
	}
	for _, line := range page.Lines {
		v.Rows = append(v.Rows, accountRow{
			ID: line.Entry.String(), Date: line.Effective.String(), Event: line.Label(),
			Code: code, Sub: string(line.Sub), Debit: column(line.Debit), Credit: column(line.Credit), Balance: line.Balance.String(),
		})
	}
	return render(c, accountPage, http.StatusOK, v)
}

// GET /books/entries/:id
func (s *server) entry(c *call) error {
	id, err := ident.Parse[ident.Entry](c.Param("id"))
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	e, err := s.Books.Entry(ctx, c.agent, id)
	if err != nil {
		return err
	}
	group, charged, err := s.Billing.GroupOf(ctx, c.agent, id)
	if err != nil {
		return err
	}
	v := entryView{ID: id.String(), Facts: s.entryFacts(e)}
	if charged {
		v.Facts = append(v.Facts, fact{Name: "Service group", Value: group.Label()})
	}
	var debits, credits money.Amount
	for _, line := range e.Lines {
		debits, credits = debits+line.Debit, credits+line.Credit
		v.Postings = append(v.Postings, postingRow{
			Code: string(line.Account), Name: line.Name, Sub: string(line.Sub),
			Debit: column(line.Debit), Credit: column(line.Credit),
		})
	}
	v.Debits, v.Credits = debits.String(), credits.String()
	return render(c, entryPage, http.StatusOK, v)
}

func (s *server) entryFacts(e books.EntryDetail) []fact {
	facts := []fact{
		{Name: "Number", Value: short(e.Number)},
		{Name: "Business date", Value: e.Effective.String()},
		{Name: "Recorded", Value: e.Recorded.In(s.Zone).Format("2006-01-02 15:04:05")},
		{Name: "Event", Value: e.Label()},
		{Name: "Kind", Value: kindLabel(string(e.Kind))},
	}
	if e.Reason != "" {
		facts = append(facts, fact{Name: "Reason", Value: string(e.Reason)})
	}
	for _, link := range e.Links {
		name := "Linked with"
		if words := entryKinds[string(link.Kind)]; words != "" {
			name = words
		}
		facts = append(facts, fact{Name: name, Value: short(link.Number), Link: "/books/entries/" + link.ID.String()})
	}
	return facts
}
