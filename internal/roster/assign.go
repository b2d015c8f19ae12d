package roster

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// Forever is the last day of an assignment that nobody has ended.
const Forever = civil.Date(1 << 30)

// Assignment says that a therapist cares for a client on the days of During.
type Assignment struct {
	Therapist ident.ID[ident.Staff]  `cbor:"1,keyasint"`
	Client    ident.ID[ident.Client] `cbor:"2,keyasint"`
	From      civil.Date             `cbor:"3,keyasint"`
	Until     civil.Date             `cbor:"4,keyasint"` // last day, or Forever
}

// During returns the days of the assignment.
func (a Assignment) During() civil.Range { return civil.Range{First: a.From, Last: a.Until} }

type assignmentRow = vault.Row[Assignment, vault.None]

var assignments = vault.NewTable(vault.BucketAssignments,
	vault.NewIndex("pair", func(r assignmentRow) []string {
		return []string{pair(r.Shared.Therapist, r.Shared.Client)}
	}),
	vault.NewIndex("client", func(r assignmentRow) []string {
		return []string{string(r.Shared.Client[:])}
	}))

func pair(therapist ident.ID[ident.Staff], client ident.ID[ident.Client]) string {
	return string(therapist[:]) + string(client[:])
}

// Assign lets a therapist care for a client, and so know the client, during
// the days given.
func (r *Roster) Assign(ctx context.Context, agent access.Agent, a Assignment) error {
	return r.vault.Update(ctx, request(agent, access.AssignmentWrite, access.Client(a.Client)), func(tx *vault.Tx) error {
		return Assign(tx, a)
	})
}

// Assign adds an assignment within a transaction that is allowed
// assignment.write.
func Assign(tx *vault.Tx, a Assignment) error {
	if a.Until < a.From {
		return fault.New(fault.Invalid, "The assignment ends before it begins. Correct its dates.")
	}
	if a.Therapist.IsZero() {
		return fault.New(fault.Invalid, "Choose a therapist.")
	}
	if _, err := rowOf(tx, a.Client); err != nil {
		return err
	}
	tx.Detail("therapist", a.Therapist)
	_, err := assignments.Insert(tx, assignmentRow{Shared: a})
	return err
}

// Unassign ends, with the day before today, whatever lets the therapist know
// the client now.
func (r *Roster) Unassign(ctx context.Context, agent access.Agent, therapist ident.ID[ident.Staff], client ident.ID[ident.Client]) error {
	return r.vault.Update(ctx, request(agent, access.AssignmentWrite, access.Client(client)), func(tx *vault.Tx) error {
		tx.Detail("therapist", therapist)
		running, err := inForce(tx, therapist, client, tx.Today())
		if err != nil {
			return err
		}
		for _, row := range running {
			row.Shared.Until = tx.Today().AddDays(-1)
			if err := assignments.Replace(tx, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// Assigned reports whether the member of staff cares for the client today.
func Assigned(tx *vault.Tx, staff ident.ID[ident.Staff], client ident.ID[ident.Client]) (bool, error) {
	return AssignedOn(tx, staff, client, tx.Today())
}

// AssignedOn reports whether the member of staff cares for the client on day.
func AssignedOn(tx *vault.Tx, staff ident.ID[ident.Staff], client ident.ID[ident.Client], day civil.Date) (bool, error) {
	running, err := inForce(tx, staff, client, day)
	return len(running) > 0, err
}

func inForce(tx *vault.Tx, staff ident.ID[ident.Staff], client ident.ID[ident.Client], day civil.Date) ([]assignmentRow, error) {
	var running []assignmentRow
	for row, err := range assignments.Find(tx, "pair", pair(staff, client)) {
		if err != nil {
			return nil, err
		}
		if row.Shared.During().Contains(day) {
			running = append(running, row)
		}
	}
	return running, nil
}

// Therapists returns who cares for the client today.
func Therapists(tx *vault.Tx, client ident.ID[ident.Client]) ([]ident.ID[ident.Staff], error) {
	var staff []ident.ID[ident.Staff]
	for row, err := range assignments.Find(tx, "client", string(client[:])) {
		if err != nil {
			return nil, err
		}
		if row.Shared.During().Contains(tx.Today()) {
			staff = append(staff, row.Shared.Therapist)
		}
	}
	return staff, nil
}
