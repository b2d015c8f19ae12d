package vault

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
)

// Names in the directory of a store.
const (
	fileName = "coffer.db"
	newName  = "coffer.db.new" // a store that Create has not finished
	lockName = "coffer.lock"
)

// Faults of opening.
var (
	// ErrExists is returned by Create where a store already is.
	ErrExists = fault.New(fault.Conflict, "A store is already in this directory. Open it, or name another directory (STORE-003).")
	// ErrNoStore is returned by Open where there is no store.
	ErrNoStore = fault.New(fault.NotFound, "The seal is here, but its store is not: coffer.db is missing. Mount its disk, or put the file back, then start Coffer again. Don't make a new store: the seal belongs to the one that is missing.")
	// ErrInUse is returned when another process has the store open.
	ErrInUse = fault.New(fault.Conflict, "The store is in use by another Coffer. Stop that one first (STORE-002).")

	errOwnBucket = fault.New(fault.Internal, "A table was made over a bucket of the store itself. Report this to the makers of Coffer.")
	errTables    = fault.New(fault.Internal, "Two tables use the same bucket. Report this to the makers of Coffer.")
)

// Create makes a new store in o.Dir and opens it. It gives ErrExists where
// one already is, and never changes what it finds.
func Create(ctx context.Context, agent access.Agent, o Options) (*Vault, error) {
	o = o.withDefaults()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, diskFault(err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := create(ctx, o); err != nil {
		return nil, cmp.Or(err, lock.Close())
	}
	return openLocked(ctx, agent, o, lock)
}

// Open opens the store in o.Dir and verifies it: both head pages, every page,
// every record with its keys, the set hash and the counts. What it finds
// wrong is a Corrupt fault. The opening is the first event of the audit
// trail's new boot.
func Open(ctx context.Context, agent access.Agent, o Options) (*Vault, error) {
	o = o.withDefaults()
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	return openLocked(ctx, agent, o, lock)
}

// lockDir takes the lock of the directory, which lasts as long as the file is
// open and ends with the process.
func lockDir(dir string) (*os.File, error) {
	f, err := openRegular(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoStore
	}
	if err != nil {
		return nil, diskFault(err)
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, cmp.Or[error](ErrInUse, f.Close())
	default:
		return nil, cmp.Or(diskFault(err), f.Close())
	}
}

func openLocked(ctx context.Context, agent access.Agent, o Options, lock *os.File) (*Vault, error) {
	v := &Vault{options: o, lock: lock, queue: newQueue(), ended: make(chan struct{}), boot: newBoot(), agent: agent, clockSync: clockSync(), urgent: make(chan struct{}, 1)}
	v.begin()
	v.keys = deriveKeys(o.Key)
	err := compactIfAsked(o.Dir)
	if err == nil {
		err = v.load(ctx)
	}
	if err != nil {
		return nil, cmp.Or(err, v.closeFiles())
	}
	go v.commitLoop()
	if err := cmp.Or(v.announce(ctx, agent), v.recordAcceptance(ctx, agent)); err != nil {
		return nil, cmp.Or(err, v.Close())
	}
	v.startAnchor()
	v.startKeeper()
	return v, nil
}

func newBoot() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// load opens the file, verifies it, and hands it to bbolt.
func (v *Vault) load(ctx context.Context) error {
	f, err := openRegular(filepath.Join(v.options.Dir, fileName), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoStore
	}
	if err != nil {
		return diskFault(err)
	}
	v.file = f
	s, err := v.verifyAndHeal()
	if err != nil {
		return err
	}
	v.state, v.hasher = s.state, newSetHasher(s.setKey.raw)
	v.auditKey, v.openingKey = s.auditKey, s.openingKey
	var named told
	if v.last, named, v.witness, err = openLast(v.options.Dir, v.state.root); err != nil {
		return err
	}
	v.opened = v.state.seq
	v.compareLast(named)
	if err := v.checkAnchor(ctx); err != nil {
		return err
	}
	if err := cmp.Or(v.unseal(), v.openBolt(s.head.txid)); err != nil {
		return err
	}
	if !v.clean && !v.torn { // a torn head is written anew by the next commits, and then Check looks
		if err := v.checkPages(); err != nil {
			return err
		}
	}
	if err := v.mendTrail(s.scanned); err != nil {
		return err
	}
	v.published.Store(&published{durable: v.state})
	v.loaded = true
	return nil
}

// boltOptions are the settings of the store file.
func boltOptions(o Options) *bolt.Options {
	return &bolt.Options{
		Timeout:         time.Second,
		NoFreelistSync:  true, // the free pages are found by a walk at open, not written at each commit
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: o.MapBytes,
		PageSize:        pageBytes,
		NoSync:          o.NoSync,
		NoGrowSync:      o.NoSync,
		NoStatistics:    true,
	}
}

// openBolt opens the file through bbolt, which must see the same commit.
func (v *Vault) openBolt(txid uint64) error {
	err := guard(func() (err error) {
		v.db, err = bolt.Open(filepath.Join(v.options.Dir, fileName), 0o600, boltOptions(v.options))
		return err
	})
	if err != nil {
		return diskFault(err)
	}
	p, err := beginPages(v.db, false)
	if err != nil {
		return err
	}
	if uint64(p.tx.ID()) != txid {
		err = damage("head", txid, "the file changed while it was opened")
	}
	return cmp.Or(err, p.close())
}

// announce records the opening, with what was found.
func (v *Vault) announce(ctx context.Context, agent access.Agent) error {
	outcome := audit.OK
	details := []audit.Detail{{Key: "sequence", Value: fault.Int(v.state.seq).SafeString()}, {Key: factSync, Value: v.clockSync}}
	if v.torn {
		outcome = audit.Torn
		v.options.Log.LogAttrs(ctx, slog.LevelWarn, "a head page of the store was damaged",
			slog.Uint64("sequence", v.state.seq), slog.String("coffer.last", string(v.witness)))
	}
	details = append(details, v.healingFacts()...)
	details = append(details, v.anchorFacts(ctx)...)
	if v.state.lost != 0 {
		details = append(details, audit.Detail{Key: "lost", Value: fault.Int(v.state.lost).SafeString()})
		v.options.Log.LogAttrs(ctx, slog.LevelError, "a commit that was confirmed is not in the store",
			slog.Uint64("sequence", v.state.seq), slog.Uint64("lost", v.state.lost), slog.Time("at", v.lostAt(v.state)))
	}
	if v.witness != WitnessKnown {
		v.options.Log.LogAttrs(ctx, slog.LevelWarn, "coffer.last could not tell which commit was confirmed last",
			slog.String("coffer.last", string(v.witness)))
	}
	if now := v.clock().UnixMicro(); now < v.state.lastWall {
		details = append(details, audit.Detail{Key: "clock", Value: "behind"})
	}
	r := access.Request{Agent: agent, Action: access.StoreOpen, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	if access.Decide(r) != access.Allow {
		return cmp.Or[error](v.Record(ctx, r, audit.Denied, details...), denial{errDenied})
	}
	return v.Record(ctx, r, outcome, details...)
}

// closeWait is how long Close waits for bbolt after the store has stopped: a
// panic inside bbolt can leave its locks taken.
const closeWait = 2 * time.Second

// closeFiles gives back the files and with them the locks.
func (v *Vault) closeFiles() error {
	err := v.endSnapshots()
	if v.db != nil {
		err = cmp.Or(err, v.closeBolt())
	}
	if v.loaded && err == nil && v.stopped() == nil {
		v.sealClean()
	}
	if v.last != nil {
		err = cmp.Or(err, v.last.close())
	}
	if v.journal != nil {
		err = cmp.Or(err, v.journal.close())
	}
	if v.file != nil {
		err = cmp.Or(err, v.file.Close())
	}
	return diskFault(cmp.Or(err, v.lock.Close()))
}

func (v *Vault) closeBolt() error {
	closed := make(chan error, 1)
	go func() {
		closed <- guard(func() error {
			if v.options.NoSync {
				if err := v.db.Sync(); err != nil {
					return err
				}
			}
			return v.db.Close()
		})
	}()
	if v.stopped() == nil {
		return <-closed
	}
	select {
	case err := <-closed:
		return err
	case <-time.After(closeWait):
		return v.stopped()
	}
}
