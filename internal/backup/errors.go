package backup

import (
	"errors"

	"coffer/internal/fault"
)

// Faults of a backup that is read.
var (
	// ErrTruncated: the file ends before its last chunk and its end record.
	ErrTruncated = fault.New(fault.Corrupt, "This backup ends too early: the copy was cut off. Use another copy, or an older backup (BACKUP-001).")
	// ErrAuth: a signature, a sum or a chunk of the file is not what was written.
	ErrAuth = fault.New(fault.Corrupt, "This backup is not what was written: it was changed or damaged. Use another copy, and find out who can write to its target (BACKUP-002).")
	// ErrSetMismatch: everything opens, but the records are not the ones that the header promises.
	ErrSetMismatch = fault.New(fault.Corrupt, "The records in this backup are not the ones its header names. Use an older backup, and tell the makers of Coffer (BACKUP-003).")
	// ErrForeign: the backup is of another store.
	ErrForeign = fault.New(fault.Conflict, "This backup is of another box's store. Name a backup of this one (BACKUP-004).")
	// ErrFormat: the file is no backup, or one of a newer version.
	ErrFormat = fault.New(fault.Invalid, "This file is not a backup that this version of Coffer can read. Name another file, or install the version that wrote it (BACKUP-005).")
	// ErrOtherRoot: the box's root was rotated since; only the recovery seed opens the backup.
	ErrOtherRoot = fault.New(fault.Conflict, "This backup was made before the box's root key was changed: only the recovery sheet opens it. Verify it at level 1, or make a new backup (BACKUP-006).")
	// ErrGap: an increment between the full backup and a later increment is missing.
	ErrGap = fault.New(fault.NotFound, textGap)
	// ErrLeftover: what a restore that was cut off left behind can't be read.
	ErrLeftover = fault.New(fault.Corrupt, "What a restore left in the directory restoring can't be read. Move that directory away, then start Coffer again (BACKUP-011).")
	// ErrNoTarget: the boot file names no target of that name.
	ErrNoTarget = fault.New(fault.NotFound, "There is no backup target of that name. cofferctl backup list names those that there are (BACKUP-010).")
	// ErrNoBackup: the target holds no full backup of the store.
	ErrNoBackup = fault.New(fault.NotFound, "There is no such backup at this target. Look at the list of backups, and at other targets (BACKUP-008).")
	// ErrNoRecovery: there is no recovery key to which a backup could be sealed.
	ErrNoRecovery = fault.New(fault.Conflict, "There is no recovery sheet yet, so nobody could open a backup. Make the sheet first (BACKUP-009).")
)

// Faults of a target.
var (
	// ErrTarget: the boot file's words for a target are wrong.
	ErrTarget = fault.New(fault.Invalid, `A backup target is not understood. Write "dir:/path", "usb:LABEL" or "sftp://user@host:port/path" (BACKUP-020).`)
	// ErrTargetAbsent: the stick is not in the box, or the directory is not there.
	ErrTargetAbsent = fault.New(fault.Unavailable, "The backup target is not there. Plug the stick in, or mount the directory, then make the backup again (BACKUP-021).")
	// ErrTargetUnmounted: the stick is in the box but not mounted.
	ErrTargetUnmounted = fault.New(fault.Unavailable, "The backup stick is plugged in but not mounted. Mount it, then make the backup again (BACKUP-022).")
	// ErrTargetFull: the target has no space.
	ErrTargetFull = fault.New(fault.Exhausted, "The backup target is full. Move old backups away there, then make the backup again (BACKUP-023).")
	// ErrTargetGone: the target failed in the middle.
	ErrTargetGone = fault.New(fault.Unavailable, "The backup target stopped answering in the middle: it was unplugged or its connection broke. Nothing there counts as a backup; make it again (BACKUP-024).")
	// ErrTargetRefused: the target does not let the box in, or not write.
	ErrTargetRefused = fault.New(fault.Unavailable, "The backup target does not let this box in. Check its user, key and permissions (BACKUP-025).")
	// ErrHostKey: the SFTP server does not show the key that was pinned.
	ErrHostKey = fault.New(fault.Unavailable, "The SFTP server is not the one that was set up: its host key differs. Find out why before you change the pinned key (BACKUP-026).")
	// ErrNameTaken: the target has a file of that name already; names are never used twice.
	ErrNameTaken = fault.New(fault.Conflict, "The backup target holds a file of this name already, and nothing is ever overwritten. Wait a second and make the backup again (BACKUP-027).")
)

// Faults of a drill and of a restore.
var (
	// ErrDrill: what was restored differs from what was backed up.
	ErrDrill = fault.New(fault.Corrupt, textDrill)
	// ErrReason: an act that needs a typed reason has none.
	ErrReason = fault.New(fault.Invalid, "An older backup would replace newer data. Type the reason; it stays on record (BACKUP-031).")
	// ErrPlanStale: the store or the target has changed since the plan was shown.
	ErrPlanStale = fault.New(fault.Conflict, "The store or the backups changed since this was shown. Look at it again, then decide (BACKUP-032).")
	// ErrStoreInUse: the store that would be replaced is open.
	ErrStoreInUse = fault.New(fault.Conflict, "The store is in use. Stop Coffer before restoring (BACKUP-033).")
	// ErrScratch: the directory for drills and restores cannot be used.
	ErrScratch = fault.New(fault.Unavailable, "There is no room or no permission for the restore on the box's disk. Free space, then try again (BACKUP-034).")
	// ErrBusy: another backup, verification, drill or restore is under way.
	ErrBusy = fault.New(fault.Conflict, "A backup or a drill is under way. Wait until it has ended (BACKUP-035).")
)

// The texts of the faults that come with a value.
const (
	textGap   = "An hourly backup is missing: there is none that goes on after commit %v. Restore up to there, or bring the missing file (BACKUP-007)."
	textDrill = "The restore drill failed: what came back is not what was backed up (%v). Do not rely on this backup: make a new one now, drill it, and keep the older ones (BACKUP-030)."
)

// codes are the stable codes of the faults, for support and for the trail.
var codes = []struct {
	err  *fault.Error
	code fault.Code
}{
	{ErrDrill, "BACKUP-030"}, // wraps what it found
	{ErrTruncated, "BACKUP-001"}, {ErrAuth, "BACKUP-002"}, {ErrSetMismatch, "BACKUP-003"}, {ErrForeign, "BACKUP-004"},
	{ErrFormat, "BACKUP-005"}, {ErrOtherRoot, "BACKUP-006"}, {ErrGap, "BACKUP-007"},
	{ErrNoBackup, "BACKUP-008"}, {ErrNoTarget, "BACKUP-010"}, {ErrLeftover, "BACKUP-011"}, {ErrNoRecovery, "BACKUP-009"},
	{ErrTarget, "BACKUP-020"}, {ErrTargetAbsent, "BACKUP-021"}, {ErrTargetUnmounted, "BACKUP-022"}, {ErrTargetFull, "BACKUP-023"},
	{ErrTargetGone, "BACKUP-024"}, {ErrTargetRefused, "BACKUP-025"}, {ErrHostKey, "BACKUP-026"}, {ErrNameTaken, "BACKUP-027"},
	{ErrReason, "BACKUP-031"}, {ErrPlanStale, "BACKUP-032"}, {ErrStoreInUse, "BACKUP-033"},
	{ErrScratch, "BACKUP-034"}, {ErrBusy, "BACKUP-035"},
}

// Code returns the stable code of a fault of this package, empty for others.
func Code(err error) fault.Code {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ""
}
