package ops

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/day"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// Verification is the result of a check of everything that is stored.
type Verification struct {
	OK       bool            `json:"ok"`
	At       time.Time       `json:"at"` // when it ended
	Store    StoreChecked    `json:"store"`
	Books    BooksChecked    `json:"books"`
	Payments PaymentsChecked `json:"payments"`
	Days     DaysChecked     `json:"days"`
	Audit    AuditChecked    `json:"audit"`
	Findings []PartFinding   `json:"findings"`
}

// StoreChecked is what was read of the store file.
type StoreChecked struct {
	ID       ident.ID[ident.Store] `json:"id"`
	Sequence uint64                `json:"sequence"` // of the commit that was checked
	Pages    uint64                `json:"pages"`
	Records  uint64                `json:"records"` // each decrypted and compared
	Keys     uint64                `json:"keys"`
}

// BooksChecked is what was read of the books, counted.
type BooksChecked struct {
	Entries  uint64 `json:"entries"`  // each balanced on its own
	Postings uint64 `json:"postings"` // folded anew into every balance kept
	Items    uint64 `json:"items"`
	Pending  int    `json:"pending"` // payments whose result is not known yet
}

// PaymentsChecked is what was read of the payments, counted.
type PaymentsChecked struct {
	Attempts uint64 `json:"attempts"` // each compared with its ledger entries
}

// DaysChecked is what was read of the sealed days, counted.
type DaysChecked struct {
	Sheets uint64 `json:"sheets"` // each chained to the one before and folded anew from the journal
}

// AuditChecked is what was read of the audit trail.
type AuditChecked struct {
	Events uint64 `json:"events"`
	Root   string `json:"root"` // hex; recomputed over all events and equal to the kept one
}

// PartFinding is something that is not as it was written.
type PartFinding struct {
	Part     string `json:"part"`     // "store", "audit", "books", "payments" or "days"
	Where    string `json:"where"`    // which bucket or structure, "entry", or a payment's identifier
	Position uint64 `json:"position"` // page, record, key, event, entry or sheet number; 0 of a payment
	What     string `json:"what"`
}

// Verify reads and checks the whole store, the audit tree, the books, every
// payment against the books, and every sealed day against the journal. It
// returns a Verification with OK false and its findings when something is
// wrong, and an error only when it could not look. Payments go on meanwhile.
// It is refused as Sealed while there is no store, with the reason.
func (o *Ops) Verify(ctx context.Context, agent access.Agent) (Verification, error) {
	store, _, sealed := o.look()
	if err := o.permit(ctx, agent, access.StoreVerify, store); err != nil {
		return Verification{}, err
	}
	switch {
	case sealed != nil:
		return Verification{}, sealed
	case store == nil:
		return Verification{}, errStarting
	case !o.verifying.TryLock():
		return Verification{}, errBusy
	}
	defer o.verifying.Unlock()
	v, err := verify(ctx, agent, store)
	if err != nil {
		return Verification{}, err
	}
	v.At, v.OK = o.machine.Now(), len(v.Findings) == 0
	o.mu.Lock()
	o.checked = check{at: v.At, ok: v.OK}
	o.mu.Unlock()
	return v, nil
}

// verify checks the store with its audit tree, then books, payments and sealed days.
func verify(ctx context.Context, agent access.Agent, store *Store) (Verification, error) {
	c, err := store.Vault.Check(ctx, request(agent, access.StoreVerify))
	if err != nil && c.Finding == nil {
		return Verification{}, err
	}
	v := Verification{
		Store:    StoreChecked{ID: c.StoreID, Sequence: c.Sequence, Pages: c.Pages, Records: c.Records, Keys: c.Keys},
		Audit:    AuditChecked{Events: c.Events, Root: hex.EncodeToString(c.Root[:])},
		Findings: []PartFinding{},
	}
	if c.Finding != nil {
		v.Findings = append(v.Findings, storeFinding(*c.Finding))
	}
	report, err := store.Books.Check(ctx, agent)
	if err != nil {
		return unreadable(v, err)
	}
	v.Books = booksChecked(report)
	v.Findings = append(v.Findings, booksFindings(report)...)
	if store.Till == nil {
		return v, nil
	}
	payments, compared, err := store.Till.Check(ctx, agent)
	if err != nil {
		return unreadable(v, err)
	}
	v.Payments.Attempts = compared
	v.Findings = append(v.Findings, paymentFindings(payments)...)
	return v.withDays(ctx, agent, store)
}

// withDays adds the check of the sealed days.
func (v Verification) withDays(ctx context.Context, agent access.Agent, store *Store) (Verification, error) {
	if store.Day == nil {
		return v, nil
	}
	sheets, compared, err := store.Day.Check(ctx, agent)
	if err != nil {
		return unreadable(v, err)
	}
	v.Days.Sheets = compared
	v.Findings = append(v.Findings, sheetFindings(sheets)...)
	return v, nil
}

// unreadable returns the verification when the books cannot be read. With a
// finding in hand, or damage as the cause, that is a finding and no failure.
func unreadable(v Verification, err error) (Verification, error) {
	var f *fault.Error
	damaged := errors.As(err, &f) && f.Kind() == fault.Corrupt
	if len(v.Findings) == 0 && !damaged {
		return Verification{}, err
	}
	v.Findings = append(v.Findings, unreadableBooks)
	return v, nil
}

// unreadableBooks is the finding of books that are damaged.
var unreadableBooks = PartFinding{Part: "books", Where: "journal", What: "the journal cannot be read to its end"}

func booksChecked(r books.Report) BooksChecked {
	return BooksChecked{Entries: r.Entries, Postings: r.Postings, Items: r.Items, Pending: r.Pending}
}

func booksFindings(r books.Report) (all []PartFinding) {
	for _, f := range r.Findings {
		all = append(all, booksFinding(f))
	}
	return all
}

func paymentFindings(found []till.Finding) (all []PartFinding) {
	for _, f := range found {
		all = append(all, PartFinding{Part: "payments", Where: f.Attempt.String(), What: f.What})
	}
	return all
}

func sheetFindings(found []day.Finding) (all []PartFinding) {
	for _, f := range found {
		all = append(all, PartFinding{Part: "days", Where: "sheet", Position: f.Sheet, What: f.What})
	}
	return all
}

func storeFinding(f vault.Finding) PartFinding {
	part := "store"
	if f.Where == "audit" {
		part = "audit"
	}
	return PartFinding{Part: part, Where: string(f.Where), Position: f.Position, What: string(f.What)}
}

// booksWords says what each problem of the books means.
var booksWords = map[books.Problem]string{
	books.ProblemForm:       "an entry is malformed or does not balance",
	books.ProblemNumber:     "entries are missing or out of order",
	books.ProblemSource:     "one event was posted twice",
	books.ProblemLink:       "an entry resolves or reverses what it cannot",
	books.ProblemRunning:    "a running balance is not the sum of what came before",
	books.ProblemAllocation: "allocations do not come to the postings",
	books.ProblemItem:       "an open item is not what the journal says",
	books.ProblemControl:    "a control account is not the sum of its parts",
	books.ProblemTotal:      "the totals of a period are not what the journal says",
	books.ProblemTrial:      "debits and credits differ over the whole journal",
	books.ProblemChart:      "an account stands twice in the chart, or is malformed",
	books.ProblemCash:       "more was taken out of a drawer than was in it",
}

// booksFinding keeps the entry's number and drops account and sub-ledger: who
// looks after the box sees no client.
func booksFinding(f books.Finding) PartFinding {
	what := booksWords[f.Problem]
	if what == "" {
		what = "the books contradict themselves"
	}
	return PartFinding{Part: "books", Where: "entry", Position: f.Number, What: what}
}
