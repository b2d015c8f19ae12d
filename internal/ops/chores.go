package ops

import (
	"context"
	"errors"
	"slices"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/day"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// BooksVerified is the result of CheckBooks.
type BooksVerified struct {
	OK       bool            `json:"ok"`
	Books    BooksChecked    `json:"books"`
	Payments PaymentsChecked `json:"payments"`
	Days     DaysChecked     `json:"days"`
	Findings []PartFinding   `json:"findings,omitempty"`
}

// CheckBooks folds the whole journal anew and compares every balance, open
// item, payment and sealed day with it. It runs each night and on demand; its result is
// kept and on record.
func (o *Ops) CheckBooks(ctx context.Context, agent access.Agent) (BooksVerified, error) {
	store, err := o.open(ctx, agent, access.BooksCheck)
	if err != nil {
		return BooksVerified{}, err
	}
	var report books.Report
	var payments []till.Finding
	var sheets []day.Finding
	b := BooksVerified{Findings: []PartFinding{}}
	err = store.Vault.View(ctx, request(agent, access.BooksCheck), func(tx *vault.Tx) error {
		var err error
		if report, err = books.Check(tx); err != nil || store.Till == nil {
			return err
		}
		if payments, b.Payments.Attempts, err = till.Check(tx); err != nil || store.Day == nil {
			return err
		}
		sheets, b.Days.Sheets, err = day.Check(tx)
		return err
	})
	var f *fault.Error
	if errors.As(err, &f) && f.Kind() == fault.Corrupt {
		b.Findings = append(b.Findings, unreadableBooks)
	} else if err != nil {
		return BooksVerified{}, err
	}
	b.Books = booksChecked(report)
	b.Findings = slices.Concat(b.Findings, booksFindings(report), paymentFindings(payments), sheetFindings(sheets))
	b.OK = len(b.Findings) == 0
	r := upkeepRecord{Chore: choreBooks, OK: b.OK}
	if !b.OK {
		r.Code = "BOOKS-001"
	}
	return b, o.note(ctx, store, agent, access.BooksCheck, r)
}

// SealState is how the root key is sealed, and what a start would meet now.
type SealState struct {
	State  State        `json:"state"`
	Reason *Reason      `json:"reason,omitempty"` // why the store is shut
	Seal   *seal.Status `json:"seal,omitempty"`   // nil when it can't be read; with Next, what it claims
	Next   *Reason      `json:"next,omitempty"`   // why the next start would not open
}

// SealState looks at the seal. It is never refused for the store being shut.
func (o *Ops) SealState(ctx context.Context, agent access.Agent) (SealState, error) {
	store, _, sealed := o.look()
	if err := o.permit(ctx, agent, access.SealRead, store); err != nil {
		return SealState{}, err
	}
	if store != nil {
		if err := store.Vault.View(ctx, request(agent, access.SealRead), func(*vault.Tx) error { return nil }); err != nil {
			return SealState{}, err
		}
	}
	s := SealState{State: state(sealed, store)}
	if sealed != nil {
		s.Reason = reasonOf(sealed)
	}
	status, err := o.inspect(ctx)
	if err != nil {
		s.Next = reasonOf(err)
	}
	if status.Level != "" {
		s.Seal = &status
	}
	return s, nil
}
