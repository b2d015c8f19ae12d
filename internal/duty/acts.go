package duty

import (
	"context"
	"slices"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/phi"
	"coffer/internal/vault"
)

// Acts shows people the acts that wait, and takes their decisions.
type Acts struct{ v *vault.Vault }

// New returns the acts kept in v, which must have been opened with Tables.
func New(v *vault.Vault) *Acts { return &Acts{v} }

// Shown is an act with what was noted about it.
type Shown struct {
	Act
	Note phi.Text
	Mine bool // the one who asks has proposed it
}

// Open returns the acts that wait for approval or to be carried out, the newest
// first.
func (a *Acts) Open(ctx context.Context, agent access.Agent) ([]Shown, error) {
	var list []Shown
	req := access.Request{Agent: agent, Action: access.ActRead, Entity: access.Entity{Kind: access.KindDay}, Purpose: access.Payment}
	err := a.v.View(ctx, req, func(tx *vault.Tx) error {
		for row, err := range acts.Between(tx, "open", "", "~") {
			if err != nil {
				return err
			}
			if !row.Shared.Expired(tx.Now()) {
				list = append(list, Shown{row.Shared, row.Private.Text, row.Shared.Staff == agent.StaffID()})
			}
		}
		slices.SortFunc(list, func(x, y Shown) int { return y.At.Compare(x.At) })
		return nil
	})
	return list, err
}

// Approve approves an act, as another person than the one who proposed it. It
// can be carried out then.
func (a *Acts) Approve(ctx context.Context, agent access.Agent, id ident.ID[ident.Act]) error {
	return a.v.Update(ctx, request(agent, access.ActApprove, id), func(tx *vault.Tx) error {
		act, err := Approve(tx, id)
		if err == nil && act.Action == access.AccountAdjust {
			err = ErrNoAct // an adjustment is posted with its approval
		}
		return err
	})
}

// Refuse refuses an act: it ends.
func (a *Acts) Refuse(ctx context.Context, agent access.Agent, id ident.ID[ident.Act]) error {
	return a.v.Update(ctx, request(agent, access.ActApprove, id), func(tx *vault.Tx) error {
		_, err := change(tx, id, Refused, func(act *Act) error {
			if act.Staff == agent.StaffID() {
				return ErrOwnAct
			}
			return nil
		})
		return err
	})
}

// Withdraw ends an act that the agent has proposed and that is not carried out.
func (a *Acts) Withdraw(ctx context.Context, agent access.Agent, id ident.ID[ident.Act]) error {
	return a.v.Update(ctx, request(agent, access.ActPropose, id), func(tx *vault.Tx) error {
		_, err := change(tx, id, Withdrawn, func(act *Act) error {
			if act.Staff != agent.StaffID() {
				return ErrNotOwnAct
			}
			return nil
		})
		return err
	})
}

// ErrNotOwnAct: only who proposed an act withdraws it.
var ErrNotOwnAct = fault.New(fault.Denied, "Somebody else asked for this. Only that person can withdraw it; who may approve it can refuse it.")

func request(agent access.Agent, action access.Action, id ident.ID[ident.Act]) access.Request {
	return access.Request{Agent: agent, Action: action, Entity: access.Of(access.KindAct, id), Purpose: access.Payment}
}
