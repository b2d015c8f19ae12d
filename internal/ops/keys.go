package ops

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/roster"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// SealChange says how to seal anew.
type SealChange struct {
	Level  string // seal.Level; empty: as it is
	PIN    string // the present PIN, if there is one
	NewPIN string // empty with ClearPIN false: as it is
	NoPIN  bool   // from now on without PIN
}

// Resealed is the result of Reseal.
type Resealed struct {
	At   time.Time   `json:"at"`
	Seal seal.Status `json:"seal"`
}

// Reseal seals the root key anew: to the present firmware state, with another
// level or PIN. The former seal is dead from then on.
func (o *Ops) Reseal(ctx context.Context, agent access.Agent, c SealChange) (Resealed, error) {
	err := o.changeSeal(ctx, agent, access.SealWrite, "reseal", func(store *Store) ([]fact, error) {
		setup, err := o.resealSetup(store, c)
		if err != nil {
			return nil, err
		}
		if err := seal.Reseal(ctx, o.machine.TPM, o.machine.Header, o.proof(store, c.PIN), setup); err != nil {
			return nil, err
		}
		return []fact{{Key: "level", Value: string(setup.Level)}, {Key: "pin", Value: yesNo(setup.PIN != "")}}, o.sealChanged(ctx)
	})
	if err != nil {
		return Resealed{}, err
	}
	store, _, _ := o.look()
	return Resealed{At: o.machine.Now(), Seal: store.Seal}, nil
}

var errPINs = fault.New(fault.Invalid, "Give a new PIN, or say that there is to be none, not both.")

// resealSetup returns how the key is to be sealed from now on.
func (o *Ops) resealSetup(store *Store, c SealChange) (seal.Setup, error) {
	setup, err := o.machine.Setup()
	if err != nil {
		return seal.Setup{}, err
	}
	if c.NoPIN && c.NewPIN != "" {
		return seal.Setup{}, errPINs
	}
	setup.Now, setup.PIN = o.machine.Now(), c.PIN
	if c.Level != "" {
		setup.Level = seal.Level(c.Level)
	} else {
		setup.Level = store.Seal.Level
	}
	if c.NewPIN != "" {
		setup.PIN = c.NewPIN
	}
	if c.NoPIN {
		setup.PIN = ""
	}
	return setup, nil
}

// Rotated is the result of RotateRoot and RekeyAll.
type Rotated struct {
	At         time.Time `json:"at"`
	Generation uint32    `json:"generation"` // of the root key
	Buckets    int       `json:"buckets"`    // that got new data keys
}

// RotateRoot replaces the root key and wraps every key of the store anew.
func (o *Ops) RotateRoot(ctx context.Context, agent access.Agent, pin string) (Rotated, error) {
	var r Rotated
	err := o.changeSeal(ctx, agent, access.KeyRotate, "rotate", func(store *Store) ([]fact, error) {
		var err error
		r, err = o.rotate(ctx, agent, store, pin)
		return []fact{{Key: "generation", Value: strconv.FormatUint(uint64(r.Generation), 10)}}, err
	})
	return r, err
}

// rotate makes the next root key, has the store use it, and drops the former.
// Cut short anywhere, the next opening goes on with it.
func (o *Ops) rotate(ctx context.Context, agent access.Agent, store *Store, pin string) (Rotated, error) {
	next, err := seal.BeginRotation(ctx, o.machine.TPM, o.machine.Header, o.proof(store, pin))
	if err != nil {
		return Rotated{}, err
	}
	if err := store.Vault.Rotate(ctx, request(agent, access.KeyRotate), next); err != nil {
		next.Wipe()
		return Rotated{}, err
	}
	p := o.machine.Proof(pin)
	p.Key = next
	// EndRotation wipes the former root in next: nobody may have it from there.
	// Until then the former key serves, which has both.
	err = seal.EndRotation(ctx, o.machine.TPM, o.machine.Header, p)
	o.newKey(next)
	if err != nil {
		return Rotated{}, err
	}
	return Rotated{At: o.machine.Now(), Generation: next.Generation()}, o.sealChanged(ctx)
}

// newKey takes over the root key that the store uses from now on.
func (o *Ops) newKey(next *seal.Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	changed := *o.store
	changed.Key = next
	o.former = append(o.former, o.store.Key)
	o.store = &changed
}

// RootKey returns the root key of the open store, of the present generation.
func (o *Ops) RootKey() *seal.Key {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.store == nil {
		return nil
	}
	return o.store.Key
}

// finishRotation goes on with an exchange of the root key that was cut short.
func (o *Ops) finishRotation(ctx context.Context) error {
	if store, _, _ := o.look(); !store.Seal.Rotating {
		return nil
	}
	return o.changeSeal(ctx, o.machine.Daemon, access.KeyRotate, "rotate.finish", func(store *Store) ([]fact, error) {
		r, err := o.rotate(ctx, o.machine.Daemon, store, "")
		return []fact{{Key: "generation", Value: strconv.FormatUint(uint64(r.Generation), 10)}}, err
	})
}

// finishRekey goes on with the re-key of buckets that was cut short, in the
// daemon's name. Work goes on meanwhile.
func (o *Ops) finishRekey(ctx context.Context) error {
	store, _, _ := o.look()
	if store == nil || len(store.Vault.Rekeying()) == 0 {
		return nil
	}
	return o.changeSeal(ctx, o.machine.Daemon, access.KeyRotate, "rekey.finish", func(store *Store) ([]fact, error) {
		begun := store.Vault.Rekeying()
		for _, b := range begun {
			if err := store.Vault.Rekey(ctx, request(o.machine.Daemon, access.KeyRotate), b); err != nil {
				return nil, err
			}
		}
		return []fact{{Key: "buckets", Value: strconv.Itoa(len(begun))}}, nil
	})
}

// RekeyAll writes every record anew under fresh data keys, then rotates the
// root. Work goes on meanwhile.
func (o *Ops) RekeyAll(ctx context.Context, agent access.Agent, pin string) (Rotated, error) {
	var r Rotated
	err := o.changeSeal(ctx, agent, access.KeyRotate, "rekey", func(store *Store) ([]fact, error) {
		buckets := store.Vault.Buckets()
		for _, b := range buckets {
			if err := store.Vault.Rekey(ctx, request(agent, access.KeyRotate), b); err != nil {
				return nil, err
			}
		}
		var err error
		r, err = o.rotate(ctx, agent, store, pin)
		r.Buckets = len(buckets)
		return []fact{{Key: "buckets", Value: strconv.Itoa(len(buckets))}, {Key: "generation", Value: strconv.FormatUint(uint64(r.Generation), 10)}}, err
	})
	return r, err
}

// Shredded is the result of ShredClient.
type Shredded struct {
	At         time.Time `json:"at"`
	Generation uint32    `json:"generation"`
}

// ShredClient destroys the key of a client's private data for ever: what the
// ledger needs stays. The reason goes on record. Account is the client's
// account number, typed as the proof that this client is meant. The root is
// rotated after, so that the old wrapped key in a free page of the store opens
// nothing.
func (o *Ops) ShredClient(ctx context.Context, agent access.Agent, client ident.ID[ident.Client], account, reason, pin string) (Shredded, error) {
	var s Shredded
	err := o.changeSeal(ctx, agent, access.ClientShred, "shred", func(store *Store) ([]fact, error) {
		if !validReason(reason) {
			return nil, errShredReason
		}
		r := access.Request{Agent: agent, Action: access.ClientShred, Entity: access.Client(client), Purpose: access.Operations}
		if err := store.Vault.View(ctx, r, func(tx *vault.Tx) error { return isAccount(tx, client, account) }); err != nil {
			return nil, err
		}
		if err := store.Vault.Shred(ctx, r, client); err != nil {
			return nil, err
		}
		rotated, err := o.rotate(ctx, o.machine.Daemon, store, pin)
		s = Shredded{At: o.machine.Now(), Generation: rotated.Generation}
		return []fact{{Key: "client", Value: client.String()}, {Key: "reason", Value: reason}}, err
	})
	return s, err
}

var (
	errShredReason = fault.New(fault.Invalid, "Say why this client's data is to be destroyed, in 10 to 500 characters. It goes on record.")
	errAccount     = fault.New(fault.Invalid, "The account number that you typed is not this client's. Nothing was destroyed.")
)

// isAccount gives errAccount unless the client has that account number.
func isAccount(tx *vault.Tx, client ident.ID[ident.Client], account string) error {
	c, err := roster.ByAccount(tx, roster.Account(strings.ToUpper(strings.TrimSpace(account))))
	if fault.KindOf(err) == fault.NotFound || err == nil && c.ID != client {
		return errAccount
	}
	return err
}

// Certificate says what was destroyed when a box was retired.
type Certificate struct {
	At       time.Time             `json:"at"`
	Clinic   string                `json:"clinic"`
	Store    ident.ID[ident.Store] `json:"store"`
	Sequence uint64                `json:"sequence"`
	Events   uint64                `json:"events"`
	Root     string                `json:"root"`  // hex, of the audit tree
	Lines    []string              `json:"lines"` // what was done
}

var errName = fault.New(fault.Invalid, "What you typed is not the clinic's name as the boot file has it. Nothing was destroyed.")

// Retire destroys what opens this store on this box: the secret sealed in the
// TPM, the counters and the header. What is left on the disk opens with the
// recovery sheet alone, and backups are the owner's to keep or destroy. Name
// is the clinic's name, typed. The daemon serves nothing after.
func (o *Ops) Retire(ctx context.Context, agent access.Agent, name string) (Certificate, error) {
	var c Certificate
	if strings.TrimSpace(name) != o.machine.Clinic {
		return c, errName
	}
	err := o.changeSeal(ctx, agent, access.StoreRetire, "retire", func(store *Store) ([]fact, error) {
		if _, err := o.SignCheckpoint(ctx, o.machine.Daemon); err != nil {
			return nil, err
		}
		v := store.Vault.Status()
		c = Certificate{
			Clinic: o.machine.Clinic, Store: v.StoreID, Sequence: v.Sequence, Events: v.Events, Root: hex.EncodeToString(v.Root[:]),
		}
		return nil, seal.Retire(ctx, o.machine.TPM, o.machine.Header)
	})
	if err != nil {
		return Certificate{}, err
	}
	o.retired()
	c.At = o.machine.Now()
	c.Lines = []string{
		"The secret sealed in this box's TPM was made useless: its generation counter was removed.",
		"The seal file and the copy before it were overwritten and removed.",
		"The store's file, copied elsewhere before or after, opens with the recovery sheet and a backup alone.",
	}
	return c, nil
}
