package vault

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"log/slog"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
)

// Faults of the trail against its last checkpoint.
var (
	// ErrAuditFork is returned by Open when the trail is not the one that was
	// signed.
	ErrAuditFork = fault.New(fault.Corrupt, "The audit trail is not the one that the box signed. Keep the store as it is, and call the privacy officer (STORE-011).")
	// ErrAuditTruncated is returned by Open when the trail is shorter than it
	// was when it was signed.
	ErrAuditTruncated = fault.New(fault.Corrupt, "Events are missing at the end of the audit trail. Keep the store as it is, and call the privacy officer (STORE-012).")
	// ErrNoCheckpoint is returned by ExportTrail before the first checkpoint.
	ErrNoCheckpoint = fault.New(fault.NotFound, "The audit trail was never signed. Sign a checkpoint, then export it.")
)

// headsBucket describes the bucket of checkpoints to the record format: the
// shared part is a headForm. They are numbered from 0.
var headsBucket = Bucket{headsID, "checkpoints", Audit, D0, 1}

// headForm is a stored checkpoint.
type headForm struct {
	Note        []byte `cbor:"1,keyasint"` // C2SP signed note
	Attestation []byte `cbor:"2,keyasint"` // PKIX form of the TPM's key; empty: no TPM signed
	Wall        int64  `cbor:"3,keyasint"` // microseconds since 1970
}

// origin returns the origin of the store's checkpoints.
func (v *Vault) origin() string { return audit.Origin(v.keys.storeID.String()) }

// signer returns what signs checkpoints.
func (v *Vault) signer(ctx context.Context, s *state) audit.Signer {
	k, _ := s.keys.Get(s.trail.signID) // Open makes sure that it is there
	signer := audit.Signer{Origin: v.origin(), Key: ed25519.NewKeyFromSeed(k.raw[:])}
	if a := v.options.Attestor; a != nil && len(a.Public()) > 0 {
		signer.Attestation = a.Public()
		signer.Quote = func(extra [32]byte) ([]byte, []byte, error) { return a.Quote(ctx, extra) }
	}
	return signer
}

// AuditKeys returns the public keys that sign checkpoints now: what the
// recovery sheet shows and an auditor compares.
func (v *Vault) AuditKeys() audit.Keys {
	return v.signer(context.Background(), v.published.Load().durable).Keys()
}

// LatestCheckpoint returns the last checkpoint and when it was signed, the zero
// Signed before the first. It tells nothing about a person.
func (v *Vault) LatestCheckpoint() (audit.Signed, time.Time) {
	h := v.published.Load().durable.trail.head
	if h == nil {
		return audit.Signed{}, time.Time{}
	}
	return h.signed, time.UnixMicro(h.wall).In(v.clock().Location())
}

// Checkpoint signs the head of the durable trail, with the TPM's quote if
// there is an Attestor, and stores it (action access.AuditCheckpoint). The act
// is itself the first event after the checkpoint.
func (v *Vault) Checkpoint(ctx context.Context, r access.Request) (audit.Signed, error) {
	if r.Action != access.AuditCheckpoint {
		return audit.Signed{}, errAct
	}
	v.signing.Lock()
	defer v.signing.Unlock()
	var signed audit.Signed
	var keys audit.Keys
	var failure error
	if access.Decide(r) == access.Allow {
		s := v.published.Load().durable // never a trail that could still be lost
		signer := v.signer(ctx, s)
		signed, failure = signer.Sign(s.tree.Head())
		keys = signer.Keys()
	}
	err := v.Update(ctx, r, func(tx *Tx) error {
		if failure != nil {
			return failure
		}
		tx.Detail("size", fault.Int(signed.Size))
		return v.putHead(tx, storedHead{signed, keys, tx.now.UnixMicro()})
	})
	if err != nil {
		return audit.Signed{}, err
	}
	return signed, nil
}

// putHead stages a checkpoint.
func (v *Vault) putHead(tx *Tx, h storedHead) error {
	shared, err := encode(headForm{h.signed.Note, h.keys.Attestation, h.wall})
	if err != nil {
		return err
	}
	n := tx.state.trail.heads
	value, err := sealRecord(headsBucket, v.auditKey, nil, record{key: n, seq: tx.state.seq, shared: shared})
	if err != nil {
		return err
	}
	tx.staged.put(headsID, n, value)
	tx.state.trail.heads, tx.state.trail.head = n+1, &h
	return nil
}

// headOf reads and verifies a stored checkpoint under the signing key.
func headOf(r record, origin string, signing ed25519.PublicKey) (*storedHead, error) {
	var f headForm
	if err := decode(bytes.Clone(r.shared), &f); err != nil {
		return nil, err
	}
	k := audit.Keys{Origin: origin, Signing: signing}
	if len(f.Attestation) > 0 {
		k.Attestation = f.Attestation
	}
	s, err := audit.OpenCheckpoint(f.Note, k)
	if err != nil {
		return nil, err
	}
	return &storedHead{s, k, f.Wall}, nil
}

// signingKey returns the public key that signs the trail.
func signingKey(k *dataKey) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(k.raw[:]).Public().(ed25519.PublicKey)
}

// checkpointEvery is how often the vault signs its trail if there is something
// new; clockEvery how often it looks at the clock.
const (
	checkpointEvery = 15 * time.Minute
	clockEvery      = time.Minute
)

// keeper is the vault's own work on the trail while it is open: checkpoints,
// and the kernel's word on the clock.
func (v *Vault) keeper(stop <-chan struct{}) {
	defer close(v.kept)
	clock, sign := time.NewTicker(clockEvery), time.NewTicker(checkpointEvery)
	defer clock.Stop()
	defer sign.Stop()
	sync := v.clockSync
	for {
		select {
		case <-stop:
			v.checkpointIfNew()
			return
		case <-sign.C:
			v.checkpointIfNew()
		case <-clock.C:
			sync = v.noteSync(sync)
		}
	}
}

// checkpointWait bounds a checkpoint that nobody asked for.
const checkpointWait = 10 * time.Second

// checkpointIfNew signs the trail unless nothing but the last checkpoint's own
// event is new.
func (v *Vault) checkpointIfNew() {
	s := v.published.Load().durable
	if h := s.trail.head; h != nil && s.tree.Size() <= h.signed.Size+1 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkpointWait)
	defer cancel()
	r := access.Request{Agent: v.agent, Action: access.AuditCheckpoint, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	if _, err := v.Checkpoint(ctx, r); err != nil && v.stopped() == nil {
		v.options.Log.LogAttrs(ctx, slog.LevelError, "the audit trail could not be signed", slog.String("kind", fault.KindOf(err).String()))
	}
}

// noteSync records that the kernel's word on the clock has changed.
func (v *Vault) noteSync(before string) string {
	now := clockSync()
	if now == before {
		return before
	}
	err := v.Record(context.Background(), v.clockRequest(), audit.OK, audit.Detail{Key: factSync, Value: now})
	if err != nil {
		return before // again in a minute
	}
	return now
}

func (v *Vault) startKeeper() {
	v.stopKeeper, v.kept = make(chan struct{}), make(chan struct{})
	go v.keeper(v.stopKeeper)
}

// endKeeper lets the keeper sign the trail a last time, and waits for its end.
func (v *Vault) endKeeper() {
	if v.kept == nil { // Open failed before it was started
		return
	}
	v.endOnce.Do(func() { close(v.stopKeeper) })
	<-v.kept
}
