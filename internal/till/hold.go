package till

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// hold is a terminal that must not be used until somebody of IT has looked at
// it, and why. It outlives a restart.
type hold struct {
	Terminal ident.ID[ident.Terminal] `cbor:"1,keyasint"`
	Reason   protocol.Reason          `cbor:"2,keyasint"`
	At       time.Time                `cbor:"3,keyasint"`
}

var holds = vault.NewTable(vault.BucketTerminals,
	vault.NewIndex(indexTerminal, func(r vault.Row[hold, vault.None]) []string { return []string{r.Shared.Terminal.String()} }),
)

// ReleaseTerminal lifts the lock of a terminal (TerminalStatus.Quarantined):
// IT has looked at it. The next handshake may impose it again.
func (t *Till) ReleaseTerminal(ctx context.Context, agent access.Agent, id ident.ID[ident.Terminal]) error {
	l := t.lanes[id]
	if l == nil {
		return ErrNoTerminal
	}
	req := access.Request{Agent: agent, Action: access.TerminalWrite, Entity: access.Of(access.KindTerminal, id), Purpose: access.Operations}
	err := t.vault.Update(ctx, req, func(tx *vault.Tx) error {
		row, ok, err := holds.First(tx, indexTerminal, id.String())
		if err != nil || !ok {
			return err
		}
		return holds.Delete(tx, row.Key)
	})
	if err != nil {
		return err
	}
	l.terminal.Release()
	l.nudge()
	t.bell(TopicTerminals)
	return nil
}

// keepHold makes it durable that a terminal was locked.
func (t *Till) keepHold(id ident.ID[ident.Terminal], why protocol.Reason) error {
	req := access.Request{Agent: t.agent, Action: access.TerminalLock, Entity: access.Of(access.KindTerminal, id), Purpose: access.Operations}
	return t.vault.Update(context.Background(), req, func(tx *vault.Tx) error {
		tx.Detail("reason", fault.Code(why))
		row, ok, err := holds.First(tx, indexTerminal, id.String())
		if err != nil || ok {
			return err
		}
		row.Shared = hold{Terminal: id, Reason: why, At: tx.Now()}
		_, err = holds.Insert(tx, row)
		return err
	})
}

// lockAgain locks the terminals that an earlier run has found reason to lock.
func (t *Till) lockAgain(ctx context.Context) error {
	req := access.Request{Agent: t.agent, Action: access.TerminalLock, Entity: access.Entity{Kind: access.KindTerminal}, Purpose: access.Operations}
	return t.vault.View(ctx, req, func(tx *vault.Tx) error {
		for row, err := range holds.All(tx) {
			if err != nil {
				return err
			}
			if l := t.lanes[row.Shared.Terminal]; l != nil {
				l.terminal.Lock(row.Shared.Reason)
			}
		}
		return nil
	})
}
