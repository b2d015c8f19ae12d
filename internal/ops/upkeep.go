package ops

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/backup"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// chore is something that is done again and again, and of which the last time
// matters.
type chore string

// The chores.
const (
	choreBooks     chore = "books"
	choreRehearsal chore = "rehearsal"
	choreWitness   chore = "witness" // a browser's complaint of the trail, or that it was judged
)

// upkeepRecord is one time that a chore was done. (Package backup keeps its
// own.)
type upkeepRecord struct {
	At    int64  `cbor:"1,keyasint"` // Unix milliseconds
	Chore chore  `cbor:"2,keyasint"`
	OK    bool   `cbor:"3,keyasint"`
	Code  string `cbor:"4,keyasint,omitempty"` // why not
}

func (r upkeepRecord) at() time.Time { return time.UnixMilli(r.At) }

var upkeep = vault.NewJournal[upkeepRecord, vault.None](vault.BucketUpkeep)

// Tables are what this package and package backup keep in the store.
func Tables() []vault.AnyTable { return append(backup.Tables(), upkeep) }

// memory is what is known of past upkeep: the last time of each chore, and the
// last that went well.
type memory struct {
	last, good map[chore]upkeepRecord
	restored   *Restoration // the last one; nil: there was none
	looked     bool         // for it
}

func newMemory() *memory {
	return &memory{last: map[chore]upkeepRecord{}, good: map[chore]upkeepRecord{}}
}

func (m *memory) add(r upkeepRecord) {
	m.last[r.Chore] = r
	if r.OK {
		m.good[r.Chore] = r
	}
}

// recall reads all upkeep of the store.
func (o *Ops) recall(ctx context.Context, v *vault.Vault) (*memory, error) {
	m := newMemory()
	err := v.View(ctx, request(o.machine.Daemon, access.StoreOpen), func(tx *vault.Tx) error {
		for row, err := range upkeep.All(tx) {
			if err != nil {
				return err
			}
			m.add(row.Shared)
		}
		return nil
	})
	return m, err
}

// note keeps that a chore was done, with its result, in one commit with the
// event of it.
func (o *Ops) note(ctx context.Context, store *Store, agent access.Agent, action access.Action, r upkeepRecord) error {
	r.At = o.machine.Now().UnixMilli()
	err := store.Vault.Update(context.WithoutCancel(ctx), request(agent, action), func(tx *vault.Tx) error {
		tx.Detail("chore", fault.Code(r.Chore))
		tx.Detail("result", fault.Code(resultOf(r)))
		_, err := upkeep.Insert(tx, vault.Row[upkeepRecord, vault.None]{Shared: r})
		return err
	})
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.memory.add(r)
	return nil
}

func resultOf(r upkeepRecord) string {
	if r.OK {
		return string(audit.OK)
	}
	return "failed " + r.Code
}

// lastOf returns the last time of a chore, and the last that went well.
func (o *Ops) lastOf(c chore) (last, good upkeepRecord) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.memory.last[c], o.memory.good[c]
}
