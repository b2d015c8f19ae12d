package vault

import (
	"errors"

	"coffer/internal/fault"
)

// Faults of the store that have a code of their own. Each text ends with its
// code; a finding that has a place in the file is matched by errors.Is with
// the one it comes to.
var (
	// ErrMeta: the meta record does not open, or is of another store or root.
	ErrMeta = fault.New(fault.Corrupt, "The store's own record is damaged, or this is not the root key of this store. Put back coffer.db and coffer.seal that belong together, or restore: cofferctl backup restore (STORE-004).")
	// ErrCorrupt: pages of the store file contradict each other.
	ErrCorrupt = fault.New(fault.Corrupt, "The pages of the store file are damaged. Keep the disk as it is, then restore: cofferctl backup restore (STORE-005).")
	// ErrRecordAuth: a record does not authenticate.
	ErrRecordAuth = fault.New(fault.Corrupt, "A record is not what was written. Keep the disk as it is, then restore: cofferctl backup restore (STORE-006).")
	// ErrUnknownKey: a key is not in the keyring, or not what was written.
	ErrUnknownKey = fault.New(fault.Corrupt, "A key of the store is missing or damaged. Keep the disk as it is, then restore: cofferctl backup restore (STORE-007).")
	// ErrSetMismatch: records are missing, added, or older than the last that
	// were written.
	ErrSetMismatch = fault.New(fault.Corrupt, "Records are missing, added, or older than the last that were written. Keep the disk as it is, then restore: cofferctl backup restore (STORE-008).")
	// ErrStale: under the running store a record was exchanged for another one.
	ErrStale = fault.New(fault.Corrupt, "A record was exchanged under the running store. Stop Coffer, find out who can write to its disk, then restore: cofferctl backup restore (STORE-009).")
	// ErrRollback: the counter in the TPM is ahead of the store.
	ErrRollback = fault.New(fault.Corrupt, textRollback)
	// ErrAhead: the store is ahead of the counter in the TPM.
	ErrAhead = fault.New(fault.Corrupt, textAhead)
	// ErrTornMeta is a warning in Status: a head page was damaged, and the commit that is
	// named is the last one there.
	ErrTornMeta = fault.New(fault.Corrupt, textTorn)
	// ErrJournal: the commit journal holds commits that the store lost and that
	// can't be brought back.
	ErrJournal = fault.New(fault.Corrupt, "The commit journal does not fit the store. Keep both files, then restore: cofferctl backup restore (STORE-016).")
	// ErrAltered: the file is not as it was when the store was closed.
	ErrAltered = fault.New(fault.Corrupt, textAltered)
	// ErrUnanchored: the store was anchored in a TPM and is opened without one.
	ErrUnanchored = fault.New(fault.Sealed, "The store is anchored in the TPM and can't be opened without it. Name the TPM in the configuration; a copy is opened by cofferctl backup restore (STORE-018).")
	// ErrLost: a commit that was confirmed is not in the store.
	ErrLost = fault.New(fault.Corrupt, textLost)
	// ErrSegmentGone: the journal does not reach back that far.
	ErrSegmentGone = fault.New(fault.NotFound, "The commit journal does not reach back to the last copy. Write a full backup (STORE-023).")
)

// Texts that are given arguments or causes.
const (
	textRollback = "An older copy of the store was put back: it knows anchor %v, the TPM is at %v. Put back the newest copy; to go on from this one takes the recovery sheet and a reason: cofferctl backup restore (STORE-013)."
	textAhead    = "The counter in the TPM is behind the store, which knows anchor %v; the TPM is at %v: it is another counter, or the TPM was exchanged. Open the store with the recovery sheet: cofferctl recovery open (STORE-014)."
	textTorn     = "A head page of the store file was damaged; the last commit is %v. Compare the last minute's payments with the terminals' lists, then run cofferctl verify (STORE-015)."
	textLost     = "Commit %v was confirmed and is gone: the store was set back. Compare payments with the terminals' lists and receipts, enter what is missing, then acknowledge the loss: cofferctl store accept-loss (STORE-019)."
	textAltered  = "The store file was changed while Coffer was stopped. Put back coffer.db as it was; if that is gone, restore: cofferctl backup restore (STORE-017)."
)

// codes are the sentinels with a code. The first one that an error is gives
// its code.
func codes() []coded {
	return []coded{
		{"STORE-017", ErrAltered}, // before what it found in the altered file
		{"STORE-001", ErrNoStore}, {"STORE-002", ErrInUse}, {"STORE-003", ErrExists},
		{"STORE-004", ErrMeta}, {"STORE-005", ErrCorrupt}, {"STORE-006", ErrRecordAuth}, {"STORE-007", ErrUnknownKey},
		{"STORE-008", ErrSetMismatch}, {"STORE-009", ErrStale},
		{"STORE-010", ErrShredded},
		{"STORE-011", ErrAuditFork}, {"STORE-012", ErrAuditTruncated},
		{"STORE-013", ErrRollback}, {"STORE-014", ErrAhead}, {"STORE-015", ErrTornMeta}, {"STORE-016", ErrJournal},
		{"STORE-018", ErrUnanchored}, {"STORE-019", ErrLost}, {"STORE-020", ErrDiskFull},
		{"STORE-021", errDisk}, {"STORE-022", errDamaged}, {"STORE-023", ErrSegmentGone},
	}
}

// coded is a sentinel with its code.
type coded struct {
	code string
	err  *fault.Error
}

// codeOf returns the code of a sentinel.
func codeOf(sentinel *fault.Error) string {
	for _, c := range codes() {
		if c.err == sentinel {
			return c.code
		}
	}
	return ""
}

// Code returns the stable code of an error of this package ("STORE-006"), ""
// for one that has none.
func Code(err error) string {
	for _, c := range codes() {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ""
}
