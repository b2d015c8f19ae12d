package vault

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal"
)

// Relation reports whether a member of staff is related to an entity, in the
// sense of the policy's "assigned". It runs inside the transaction it decides
// on and only reads.
type Relation func(tx *Tx, staff ident.ID[ident.Staff], e access.Entity) (bool, error)

// Options say which store to open and how.
type Options struct {
	Dir      string               // directory of the store; Create makes it, mode 0700
	Key      *seal.Key            // the unsealed root; used until Open returns, and again by a later Open
	Tables   []AnyTable           // every table that will be used
	Relation Relation             // nil: nobody is related to anything
	Now      func() time.Time     // the clock, in the clinic's zone; nil: time.Now
	Elapsed  func() time.Duration // time since a fixed moment, which no one can set; nil: by the monotonic readings of Now
	Attestor Attestor             // signs checkpoints of the audit trail with the TPM; nil: Ed25519 only
	NoSync   bool                 // furnishing only: commits are not durable before Close
	MapBytes int                  // address space kept for the file; 0: 64 GiB
	Log      *slog.Logger         // nil: nothing is logged
	Anchor   Counter              // counter in the TPM; nil: the store is not anchored

	// AcceptRollback, if not empty, is the reason why the store is opened
	// although the counter does not match, or is not asked: after a restore or
	// a recovery, and for the copy of a drill. It is recorded, and the store is
	// anchored at once where there is a counter.
	AcceptRollback string
}

// Attestor is a TPM's key that signs what the TPM says of itself.
type Attestor interface {
	// Quote returns a TPMS_ATTEST over extra, and the ECDSA signature of its
	// SHA-256 in ASN.1 DER.
	Quote(ctx context.Context, extra [32]byte) (attest, signature []byte, err error)
	// Public returns the key in PKIX form.
	Public() []byte
}

// mapBytes is the default of Options.MapBytes. A map that never has to move
// never makes a writer wait for a reader; it costs address space only.
const mapBytes = 64 << 30

// withDefaults returns the options with empty fields filled in.
func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MapBytes == 0 {
		o.MapBytes = mapBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Vault is an open store. Its methods may be called from any goroutine, but
// not from inside a transaction.
type Vault struct {
	options Options
	lock    *os.File // holds the directory's lock
	file    *os.File // the store file, for reads beside bbolt's map
	db      *bolt.DB
	boot    string // identifies this opening in the audit trail
	opened  uint64 // sequence number that the opening found
	torn    bool   // a head page was damaged when the store was opened
	witness Witness

	clean        bool         // the file was as Close had left it
	loaded       bool         // the file was opened and found sound
	healed       Healed       // what the opening took from the journal
	reverted     string       // what was damaged in the newest commit, before it was taken from the journal
	journalState JournalState // when the store was opened
	witnessed    uint64       // a commit that only a journal that does not fit knows of; 0: none

	agent      access.Agent  // who opened it; the vault's own work is done in that name
	began      moment        // when it was opened
	clockSync  string        // the kernel's word on the clock at that time
	signing    sync.Mutex    // of checkpoints, so that they are stored in order
	stopKeeper chan struct{} // closed: the keeper ends
	endOnce    sync.Once
	kept       chan struct{} // closed by the keeper's end

	anchoring     sync.Mutex // of anchored
	anchored      anchoring
	anchoredAt    atomic.Int64  // wall clock of the last anchor, Unix microseconds; 0: none since it was opened
	urgent        chan struct{} // an anchor is wanted soon
	stopAnchor    chan struct{} // closed: the anchor loop ends
	endAnchorOnce sync.Once
	anchorEnd     chan struct{} // closed by its end

	keys       *rootKeys
	auditKey   *dataKey
	openingKey *dataKey

	queue     *queue
	ended     chan struct{} // the committer has ended
	published atomic.Pointer[published]
	reason    atomic.Pointer[fault.Error] // why the store has stopped
	closed    atomic.Bool

	holding sync.Mutex // of held
	held    map[*Snapshot]bool

	// Of the committer alone:
	state   *state
	hasher  *setHasher
	batch   *batch
	last    *lastFile
	journal *journal // nil: NoSync
	lagging bool     // coffer.last could not be written
}

// errClosed is returned when the store is closed or about to be.
var errClosed = fault.New(fault.Unavailable, "The store is closed. Try again when Coffer has started.")

// Options returns the options that the store was opened with.
func (v *Vault) Options() Options { return v.options }

// Closed reports whether Close was called.
func (v *Vault) Closed() bool { return v.closed.Load() }

// Alive returns nil when the committer takes requests and answers them: what a
// watchdog asks. It writes nothing, and does not return while the committer
// hangs.
func (v *Vault) Alive(ctx context.Context) error {
	return v.between(ctx, func() error { return nil })
}

// stop ends all work until the store is opened again; the first reason stays.
func (v *Vault) stop(why *fault.Error) {
	if v.reason.CompareAndSwap(nil, why) {
		v.options.Log.LogAttrs(context.Background(), slog.LevelError, "store stopped", slog.String("kind", why.Kind().String()))
	}
}

// stopped returns why the store has stopped, nil when it works.
func (v *Vault) stopped() error {
	if why := v.reason.Load(); why != nil {
		return why
	}
	return nil
}

// Close signs the trail, then ends the store: requests that were taken are finished, later ones
// refused, keys overwritten. Closing twice is allowed.
func (v *Vault) Close() error {
	v.endKeeper()
	v.endAnchor()
	if !v.queue.close() {
		<-v.ended
		return nil
	}
	<-v.ended
	v.closed.Store(true)
	err := v.closeFiles()
	v.state.keys.Scan(func(_ uint32, k *dataKey) bool {
		clear(k.raw[:])
		return true
	})
	return err
}

// Status is what IT may know of the store: no client's data.
type Status struct {
	StoreID    ident.ID[ident.Store]
	Sequence   uint64 // of the last commit
	Generation uint32 // of the root key
	Records    uint64
	Events     uint64
	Keys       uint64
	FileBytes  int64
	FreeBytes  int64      // on the file system
	Root       audit.Hash // of the audit tree
	Warning    error      // ErrLost or ErrTornMeta, with its number; nil when there is none
	Torn       bool       // a head page was damaged when the store was opened
	Lost       uint64     // a commit that was confirmed and is not in the store; 0: none is known
	LostAt     time.Time  // its wall clock; zero: none is known
	Witness    Witness    // whether coffer.last could tell, when the store was opened
	Journal    JournalState
	Healed     Healed
	Clean      bool // the file was as the last stop had left it, bit by bit
	Due        int  // buckets whose data key is due to be replaced: Rekey
	Rekeying   int  // buckets whose re-key was cut short, or is under way
	Stopped    bool // the store takes no requests until it is opened again
}

// Status returns the present figures.
func (v *Vault) Status() Status {
	s := v.published.Load().durable
	st := Status{
		StoreID: v.keys.storeID, Sequence: s.seq, Generation: s.root.generation, Records: s.records(), Events: s.tree.Size(), Keys: uint64(s.keys.Len()),
		Root: s.tree.Root(), Torn: v.torn, Lost: s.lost, LostAt: v.lostAt(s), Witness: v.witness, Journal: v.journalState, Healed: v.healed, Clean: v.clean, Stopped: v.stopped() != nil,
	}
	st.Due, st.Rekeying = s.rekeys()
	switch {
	case s.lost != 0:
		st.Warning = fault.New(fault.Corrupt, textLost, fault.Int(s.lost))
	case v.torn:
		st.Warning = fault.New(fault.Corrupt, textTorn, fault.Int(v.opened))
	}
	if n, err := v.fileBytes(); err == nil {
		st.FileBytes = n
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(v.options.Dir, &fs); err == nil {
		st.FreeBytes = int64(fs.Bavail) * fs.Bsize
	}
	return st
}

func (v *Vault) fileBytes() (int64, error) {
	info, err := v.file.Stat()
	if err != nil {
		return 0, diskFault(err)
	}
	return info.Size(), nil
}

// records returns the number of records of all buckets.
func (s *state) records() uint64 {
	var n uint64
	for _, b := range s.slots {
		n += uint64(b.tags.Len())
	}
	return n
}
