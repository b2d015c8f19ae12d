package seal

import (
	"errors"

	"coffer/internal/fault"
)

// The ways in which the seal fails. Each text says what happened, what to do
// next, and ends with the code to give to support; none carries key material.
// They are of kind Sealed, unless what was asked for is wrong.
var (
	// ErrNoTPM: the device is not there, or is no TPM.
	ErrNoTPM = fault.New(fault.Sealed, "The box finds no TPM where its configuration names one. Enable the TPM (or fTPM, PTT) in the firmware settings, check that the kernel shows /dev/tpmrm0, then start Coffer again (SEAL-001).")
	// ErrOtherTPM: the storage key's Name is not the pinned one, or the key is missing.
	ErrOtherTPM = fault.New(fault.Sealed, "This TPM is not the one that the store was sealed to: the disk has moved to another box, or the TPM was cleared. Put the disk back into its own box. If the TPM was cleared, or the box is lost, open the store with the recovery sheet (SEAL-002).")
	// ErrGeneration: no slot of the header is of the TPM's present generation.
	ErrGeneration = fault.New(fault.Sealed, "The seal file is of an older generation than the TPM: an old copy was put back. Put back the newest coffer.seal; coffer.seal.prev beside it is the one before. If neither opens, use the recovery sheet (SEAL-003).")
	// ErrHeader: the header is unreadable, changed or not of this format.
	ErrHeader = fault.New(fault.Sealed, "The seal file is damaged or was changed. Put back your newest copy of coffer.seal, or coffer.seal.prev beside it, then start Coffer again. If none opens, restore with the recovery sheet: cofferctl backup restore (SEAL-004).")
	// ErrBusTampered: an answer of the TPM does not carry the HMAC it must.
	ErrBusTampered = fault.New(fault.Sealed, "Something between the processor and the TPM changes its answers. Stop the box and have its hardware inspected before anybody works with it (SEAL-005).")
	// ErrLockout: the TPM refuses authorizations after too many wrong ones.
	// It is returned with the most minutes to wait.
	ErrLockout = fault.New(fault.Sealed, textLockout)
	// ErrTPMBusy: the TPM asked to be called again for five seconds.
	ErrTPMBusy = fault.New(fault.Sealed, "The TPM was busy for five seconds, did not answer for ten, or another program holds it. Close other TPM programs and start Coffer again (SEAL-007).")
	// ErrCounterMissing: the generation counter is not in the TPM.
	ErrCounterMissing = fault.New(fault.Sealed, "The generation counter of this store is gone from the TPM: somebody has removed it, and the key with it. Find out who did that, then open the store with the recovery sheet (SEAL-008).")
	// ErrCounterForged: the generation counter was made anew by somebody else.
	ErrCounterForged = fault.New(fault.Sealed, "The generation counter in the TPM is not the one that Coffer made. Treat the box as tampered with: stop it and have it inspected. The recovery sheet opens the store on another box (SEAL-009).")
	// ErrExists: Provision found a header and will not overwrite it.
	ErrExists = fault.New(fault.Conflict, "There is a seal file already; making a new one would lose the store behind it. Use the store that is there, or name another directory (SEAL-010).")
	// ErrNoHeader: there is no header to unseal.
	ErrNoHeader = fault.New(fault.Sealed, "There is no seal file where the configuration names one, so there is no store to open. Check the data directory in the configuration (SEAL-011).")
	// ErrTPMFull: all indexes of the counter's range are taken.
	ErrTPMFull = fault.New(fault.Sealed, "The TPM has no room for another generation counter. Undefine the indexes 0x01800cf0 to 0x01800cff that belong to no store, then try again (SEAL-012).")
	// ErrHandleTaken: a key of another kind stands at 0x81000001.
	ErrHandleTaken = fault.New(fault.Sealed, "The TPM holds a key of another kind at 0x81000001, where its storage key belongs. Evict that key, or clear the TPM in the firmware settings, then try again (SEAL-013).")
	// ErrLevel: the header asks for something that this version cannot honour.
	ErrLevel = fault.New(fault.Sealed, "The seal file was written by a newer Coffer. Start the version that wrote it (SEAL-014).")
	// ErrMemory: the page for the root key cannot be locked into memory.
	ErrMemory = fault.New(fault.Sealed, "The page for the root key cannot be locked into memory. Raise LimitMEMLOCK of the unit to 1M or more and start Coffer again (SEAL-015).")
	// ErrWrite: the header cannot be written.
	ErrWrite = fault.New(fault.Sealed, "The seal file cannot be written. Check that the data directory exists, belongs to Coffer and has space left (SEAL-016).")
	// ErrTPM: the TPM refused a command for a reason that has no error of its own.
	ErrTPM = fault.New(fault.Sealed, "The TPM refused a command. Give the journal of this start to support (SEAL-017).")
	// ErrSoftwareTPM: the program swtpm cannot be run.
	ErrSoftwareTPM = fault.New(fault.Unavailable, "The software TPM does not start. Install the package swtpm, and use a short directory path that can be written (SEAL-018).")
	// ErrPIN: the PIN is wrong. It is returned with the attempts that are left.
	ErrPIN = fault.New(fault.Sealed, textPIN)
	// ErrPINNeeded: the header asks for a PIN and none was given.
	ErrPINNeeded = fault.New(fault.Sealed, "The box waits for its PIN. Enter it on the box's start page or with cofferctl on the box (SEAL-020).")
	// ErrPINShape: a PIN is not 6 to 12 digits.
	ErrPINShape = fault.New(fault.Invalid, "A PIN is 6 to 12 digits. Correct it and send it again; no attempt was counted (SEAL-021).")
	// ErrUnsignedBoot: the software that was started is not signed by the
	// release key under the present epoch, or other software ran before, or the
	// key was given out already since the machine was started (MeasureReady).
	ErrUnsignedBoot = fault.New(fault.Sealed, "The books open once after each start of the machine, and only with software that the release key has signed for it. Restart the machine, not Coffer alone. If it stays so, the software is changed or too old: start the other system slot, and treat the box as tampered with if you changed nothing (SEAL-022).")
	// ErrFirmwareChanged: PCR 7 is not what was sealed to.
	ErrFirmwareChanged = fault.New(fault.Sealed, "The firmware's Secure Boot state has changed: its keys or lists (db, dbx) are others, or other signed software was started before Coffer. If you updated the firmware or those lists, open the store with the recovery sheet, which seals it anew. If nobody did, treat the box as tampered with (SEAL-023).")
	// ErrSecureBootOff: PCR 7 says that Secure Boot checks nothing.
	ErrSecureBootOff = fault.New(fault.Sealed, "Secure Boot is off, or this machine does not measure it. Switch it on in the firmware settings and restart the box, or seal at level bound (SEAL-024).")
	// ErrPCRChanged: a PCR moved during two unseals.
	ErrPCRChanged = fault.New(fault.Sealed, "The box's measurements changed while the TPM looked at them, twice. Wait until the machine has finished starting, then start Coffer again (SEAL-025).")
	// ErrSoftware: a seal without a TPM is asked for, or found.
	ErrSoftware = fault.New(fault.Sealed, "A seal without a TPM protects nothing, and Coffer neither makes nor opens one. Name a TPM in the configuration; for a trial without one, use the demonstration (SEAL-026).")
	// ErrUnreadable: the header is there, but the system does not let it be read.
	ErrUnreadable = fault.New(fault.Sealed, "The seal file is there, but the system does not let Coffer read it. Check that it belongs to Coffer with mode 0600, that its disk is healthy, and that the unit's LimitNOFILE is not used up, then start Coffer again (SEAL-027).")
	// ErrRelease: the release key or epoch of level measured is not usable.
	ErrRelease = fault.New(fault.Invalid, "The release key or epoch is not one that this box can check: a key is ECDSA P-256 or RSA of a size that its TPM knows, an epoch 1 to 32 letters, digits, points and hyphens. Correct it, then try again (SEAL-028).")
	// ErrSetup: a Setup asks for what there is not.
	ErrSetup = fault.New(fault.Invalid, "The seal level is none of measured, secureboot and bound, or does not go with an announced firmware state. Correct the configuration, then try again (SEAL-029).")
	// ErrLockoutHeld: somebody else holds the TPM's lockout authorization and
	// has made guessing a PIN too easy.
	ErrLockoutHeld = fault.New(fault.Conflict, "Another program holds the TPM's lockout authorization and allows too many guesses for a PIN to protect anything. Clear the TPM in the firmware settings before setting the box up, or use no PIN (SEAL-030).")
	// ErrTPMDenied: the TPM is there, but the system does not let it be used.
	ErrTPMDenied = fault.New(fault.Sealed, "The system does not let Coffer use the TPM. Put the account that Coffer runs under into the group of /dev/tpmrm0 (tss on Debian), check that LimitNOFILE of the unit is not used up, then start Coffer again (SEAL-034).")
	// ErrOwnerHeld: the owner hierarchy has an authorization value.
	ErrOwnerHeld = fault.New(fault.Sealed, "Somebody has given the TPM's owner hierarchy a password. Coffer needs it empty, as the system does: take the password away (tpm2_changeauth -c owner), then start Coffer again (SEAL-031).")
	// ErrRotating: the header holds two root generations.
	ErrRotating = fault.New(fault.Conflict, "An exchange of the root key is not finished. Start Coffer again, which finishes it, then try again (SEAL-033).")
	// ErrNoRecovery: no recovery sheet is in force.
	ErrNoRecovery = fault.New(fault.NotFound, "No recovery sheet is in force for this store. Make one on the appliance page or with cofferctl recovery print (SEAL-032).")
)

// The texts of the errors that are returned with a number.
const (
	textPIN     = "The PIN is wrong. Attempts left before the TPM locks itself: %v. Enter it again, or use the recovery sheet if nobody knows it (SEAL-019)."
	textLockout = "The TPM has locked itself after too many wrong attempts. Leave the box switched on for %v minutes at most: one attempt comes back then. The recovery sheet opens the store without the PIN (SEAL-006)."
)

var codes = []struct {
	err  *fault.Error
	code string
}{
	{ErrNoTPM, "SEAL-001"}, {ErrOtherTPM, "SEAL-002"}, {ErrGeneration, "SEAL-003"},
	{ErrHeader, "SEAL-004"}, {ErrBusTampered, "SEAL-005"}, {ErrLockout, "SEAL-006"},
	{ErrTPMBusy, "SEAL-007"}, {ErrCounterMissing, "SEAL-008"}, {ErrCounterForged, "SEAL-009"},
	{ErrExists, "SEAL-010"}, {ErrNoHeader, "SEAL-011"}, {ErrTPMFull, "SEAL-012"},
	{ErrHandleTaken, "SEAL-013"}, {ErrLevel, "SEAL-014"}, {ErrMemory, "SEAL-015"},
	{ErrWrite, "SEAL-016"}, {ErrTPM, "SEAL-017"}, {ErrSoftwareTPM, "SEAL-018"},
	{ErrPIN, "SEAL-019"}, {ErrPINNeeded, "SEAL-020"}, {ErrPINShape, "SEAL-021"},
	{ErrUnsignedBoot, "SEAL-022"}, {ErrFirmwareChanged, "SEAL-023"}, {ErrSecureBootOff, "SEAL-024"},
	{ErrPCRChanged, "SEAL-025"}, {ErrSoftware, "SEAL-026"}, {ErrUnreadable, "SEAL-027"},
	{ErrRelease, "SEAL-028"}, {ErrSetup, "SEAL-029"}, {ErrLockoutHeld, "SEAL-030"},
	{ErrOwnerHeld, "SEAL-031"}, {ErrNoRecovery, "SEAL-032"}, {ErrRotating, "SEAL-033"},
	{ErrTPMDenied, "SEAL-034"},
}

// Code returns the stable code of an error of this package, such as
// "SEAL-003", or "" for any other error.
func Code(err error) string {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ""
}

// because returns sentinel with err as its cause, so that a programmer's
// journal keeps the reason (Detail) and a person reads only the sentinel.
func because(sentinel *fault.Error, err error) error { return &reason{sentinel, err} }

// reason is a sentinel with a cause that is never shown.
type reason struct {
	sentinel *fault.Error
	cause    error
}

// Error returns the sentinel's text.
func (r *reason) Error() string { return r.sentinel.Error() }

// Unwrap returns both, so errors.Is and errors.As find either.
func (r *reason) Unwrap() []error { return []error{r.sentinel, r.cause} }

// Detail returns the cause of an error of this package as text for the
// programmer's journal: TPM answer codes and system errors, never key
// material.
func Detail(err error) string {
	var r *reason
	if errors.As(err, &r) && r.cause != nil {
		return r.cause.Error()
	}
	return ""
}
