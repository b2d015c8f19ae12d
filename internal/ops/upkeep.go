package ops

import (
	"context"
	"strconv"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// chore is something that is done again and again, and of which the last time
// matters.
type chore string

// The chores.
const (
	choreBackup    chore = "backup"
	choreVerify    chore = "verify"
	choreDrill     chore = "drill"
	choreBooks     chore = "books"
	choreRehearsal chore = "rehearsal"
)

// upkeepRecord is one time that a chore was done. Of a backup it names target,
// backup and commit.
type upkeepRecord struct {
	At       int64  `cbor:"1,keyasint"` // Unix milliseconds
	Chore    chore  `cbor:"2,keyasint"`
	OK       bool   `cbor:"3,keyasint"`
	Code     string `cbor:"4,keyasint,omitempty"` // why not
	Target   string `cbor:"5,keyasint,omitempty"`
	Name     string `cbor:"6,keyasint,omitempty"`
	Made     int64  `cbor:"7,keyasint,omitempty"` // of the backup, Unix milliseconds
	Sequence uint64 `cbor:"8,keyasint,omitempty"`
	Records  uint64 `cbor:"9,keyasint,omitempty"`
	Events   uint64 `cbor:"10,keyasint,omitempty"`
	Level    int    `cbor:"11,keyasint,omitempty"`
	Took     int64  `cbor:"12,keyasint,omitempty"` // milliseconds
}

func (r upkeepRecord) at() time.Time { return time.UnixMilli(r.At) }

func (r upkeepRecord) made() time.Time {
	if r.Made == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.Made)
}

var upkeep = vault.NewJournal[upkeepRecord, vault.None](vault.BucketUpkeep)

// Tables are what this package keeps in the store.
func Tables() []vault.AnyTable { return []vault.AnyTable{upkeep} }

// memory is what is known of past upkeep, by chore and by backup.
type memory struct {
	last     map[chore]upkeepRecord
	good     map[chore]upkeepRecord  // the last that went well
	verified map[string]upkeepRecord // by target and name: the highest level that was reached
	failed   map[string]upkeepRecord // by target and name: the last that did not
}

func newMemory() *memory {
	return &memory{map[chore]upkeepRecord{}, map[chore]upkeepRecord{}, map[string]upkeepRecord{}, map[string]upkeepRecord{}}
}

func (m *memory) add(r upkeepRecord) {
	m.last[r.Chore] = r
	if r.OK {
		m.good[r.Chore] = r
	}
	if r.Name == "" || r.Chore == choreBackup {
		return
	}
	key := r.Target + "/" + r.Name
	switch {
	case !r.OK:
		m.failed[key] = r
	case r.Level >= m.verified[key].Level:
		m.verified[key] = r
		delete(m.failed, key)
	}
}

// recall reads all upkeep of the store.
func (o *Ops) recall(ctx context.Context, v *vault.Vault) (*memory, error) {
	m := newMemory()
	err := v.View(ctx, request(o.machine.System, access.StoreOpen), func(tx *vault.Tx) error {
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
		if r.Name != "" {
			tx.Detail("target", fault.Code(r.Target))
			tx.Detail("backup", fault.Code(r.Name))
			tx.Detail("sequence", fault.Code(strconv.FormatUint(r.Sequence, 10)))
		}
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
