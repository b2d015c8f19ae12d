package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// incrementBytesMax bounds what one increment holds, as its commits are
// collected before its header is written.
const incrementBytesMax = 64 << 20

// increment ships the commits since the last backup at a target. Where the
// commit journal does not reach back so far, a full backup is made instead.
func (k *Keeper) increment(ctx context.Context, agent access.Agent, t *Target) Outcome {
	o := Outcome{Task: TaskIncrement, Target: t.Name, At: k.clock()}
	after, err := k.shipped(ctx, t)
	for more := true; err == nil && more; {
		after, more, err = k.writeIncrement(ctx, agent, t, after, &o)
	}
	if errors.Is(err, vault.ErrSegmentGone) || errors.Is(err, ErrNoBackup) {
		return k.full(ctx, agent, t)
	}
	if err == nil && o.Name != "" {
		o.Level = 1
	}
	o.end(k.clock(), err)
	return o
}

// shipped returns the number of the last commit that a target has, in the
// chain of its newest full backup.
func (k *Keeper) shipped(ctx context.Context, t *Target) (uint64, error) {
	list, _, err := t.List(ctx)
	if err != nil {
		return 0, err
	}
	full, increments, err := newestChain(list, k.key().StoreID(), k.clock())
	if err != nil {
		return 0, err
	}
	if len(increments) > 0 {
		return increments[len(increments)-1].Sequence, nil
	}
	return full.Sequence, nil
}

// newestChain returns the newest full backup of a store and the increments
// that follow it. With ErrNoBackup there is none; with ErrGap there are
// increments after one that is missing.
func newestChain(list []Entry, store ident.ID[ident.Store], now time.Time) (full Name, increments []Name, err error) {
	for _, e := range list {
		if e.Kind == Full && e.StoreID == store && (full.Kind == 0 || newer(e.Name, full, now)) {
			full = e.Name
		}
	}
	if full.Kind == 0 {
		return Name{}, nil, ErrNoBackup
	}
	increments, err = chainAfter(list, full)
	return full, increments, err
}

// chainAfter returns the increments that follow a full backup, each going on
// where the one before ends, up to the next full one.
func chainAfter(list []Entry, full Name) ([]Name, error) {
	var chain []Name
	at := full
	for i := len(list) - 1; i >= 0; i-- { // the oldest first
		e := list[i]
		switch {
		case e.StoreID != full.StoreID || !e.Time.After(full.Time):
		case e.Kind == Full:
			return chain, nil
		case e.From != at.Sequence:
			return chain, fault.New(fault.NotFound, textGap, fault.Int(at.Sequence))
		default:
			at = e.Name
			chain = append(chain, at)
		}
	}
	return chain, nil
}

// writeIncrement ships what one increment holds and verifies its sum. It
// returns the last commit that was shipped, and whether there is more.
func (k *Keeper) writeIncrement(ctx context.Context, agent access.Agent, t *Target, after uint64, o *Outcome) (last uint64, more bool, err error) {
	key, err := keyAt(k.key(), k.options.Vault.Status().Generation)
	if err != nil {
		return after, false, err
	}
	s, err := sealerOf(key)
	if err != nil {
		return after, false, err
	}
	values, more, err := k.collect(ctx, agent, after)
	if err != nil || len(values) == 0 {
		return after, false, err
	}
	h := &Header{
		Kind: Increment, StoreID: key.StoreID(), Time: k.clock().UTC(), From: after, Sequence: values[len(values)-1].Key,
		Generation: key.Generation(), Records: uint64(len(values)), Slot: key.Slot().Bytes(),
	}
	n := nameOf(h)
	o.of(n, h)
	k.at(t.Name, h.Records)
	var r Result
	err = t.add(ctx, n, func(w io.Writer) (err error) {
		r, err = write(w, h, s, k.counted(ctx, each(values)))
		return err
	})
	if err == nil {
		o.Bytes, o.Sum = r.Bytes, hex.EncodeToString(r.Sum[:])
		_, err = k.check(ctx, t, n, 1, o)
	}
	return h.Sequence, more, err
}

// collect returns the commits after a number, as values of the stream: bucket
// 0, the commit's number, the journal's bytes.
func (k *Keeper) collect(ctx context.Context, agent access.Agent, after uint64) (values []vault.Stored, more bool, err error) {
	size := 0
	for s, err := range k.options.Vault.Segment(ctx, request(agent, access.BackupWrite), after) {
		if err != nil {
			return nil, false, err
		}
		if size += len(s.Bytes); size > incrementBytesMax && len(values) > 0 {
			return values, true, nil
		}
		values = append(values, vault.Stored{Key: s.Seq, Value: append([]byte(nil), s.Bytes...)})
	}
	return values, false, nil
}

func each(values []vault.Stored) iter.Seq2[vault.Stored, error] {
	return func(yield func(vault.Stored, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// opener gives the stream key of a backup to whoever may have it: the box, or
// the holder of the recovery sheet.
type opener func(*Header) (streamKey, error)

// segments reads a chain of increments as the vault's segments. Every one must
// be of the generation of the full backup and go on where the last one ended.
func segments(ctx context.Context, t *Target, full *Header, chain []Name, open opener) iter.Seq2[vault.Segment, error] {
	return func(yield func(vault.Segment, error) bool) {
		at, stopped := full.Sequence, false
		for _, n := range chain {
			err := t.read(ctx, n, func(r io.Reader) error {
				d, err := follower(r, n, full, at)
				if err != nil {
					return err
				}
				key, err := open(d.Header)
				if err != nil {
					return err
				}
				for v, err := range d.frames(key) {
					if err != nil {
						return err
					}
					if stopped = !yield(vault.Segment{Seq: v.Key, Bytes: v.Value}, nil); stopped {
						return nil
					}
				}
				at = d.Header.Sequence
				return nil
			})
			if stopped {
				return
			}
			if err != nil {
				yield(vault.Segment{}, err)
				return
			}
		}
	}
}

// follower begins to read the increment that goes on from a commit.
func follower(r io.Reader, n Name, full *Header, at uint64) (*Reader, error) {
	d, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	h := d.Header
	switch {
	case h.StoreID != full.StoreID:
		return nil, ErrForeign
	case nameOf(h) != n, h.Generation != full.Generation, h.Kind != Increment, string(h.Signer) != string(full.Signer):
		return nil, ErrAuth
	case h.From != at:
		return nil, fault.New(fault.NotFound, textGap, fault.Int(at))
	}
	return d, nil
}
