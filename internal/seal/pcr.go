package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

// The PCRs of the policies, in the SHA-256 bank (TCG PC Client Platform
// Firmware Profile; systemd's PCR registry for 11).
const (
	firmwarePCR = 7  // Secure Boot's state and keys, and who signed what was started
	softwarePCR = 11 // the unified kernel image, and the phases of the start
	pcrBytes    = sha256.Size
)

// readyEvent is what MeasureReady extends the software PCR by.
const readyEvent = "coffer-ready"

// secureBootOff is the firmware PCR of a machine whose Secure Boot is off and
// has no keys: the measurements of the empty variables SecureBoot, PK, KEK, db
// and dbx, and the separator.
const secureBootOff = "65caf8dd1e0ea7a6347b635d2b379c93b9a1351edc2afc3ecda700e534eb3068"

// errBank is the journal's word for a TPM without a SHA-256 bank.
var errBank = errors.New("no such PCR in the SHA-256 bank")

// selection names one PCR of the SHA-256 bank.
func selection(pcr uint) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
		Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(pcr),
	}}}
}

// policyPCR is the command "this PCR has this value" of a policy.
func policyPCR(pcr uint, value []byte) tpm2.PolicyPCR {
	digest := sha256.Sum256(value)
	return tpm2.PolicyPCR{PcrDigest: tpm2.TPM2BDigest{Buffer: digest[:]}, Pcrs: selection(pcr)}
}

// readPCR reads one PCR. The answer is not authenticated: it selects what to
// try, and the TPM decides.
func (m *tpm) readPCR(pcr uint) ([]byte, error) {
	rsp, err := tpm2.PCRRead{PCRSelectionIn: selection(pcr)}.Execute(m.t)
	if err != nil {
		return nil, err
	}
	if len(rsp.PCRValues.Digests) != 1 || len(rsp.PCRValues.Digests[0].Buffer) != pcrBytes {
		return nil, because(ErrTPM, errBank)
	}
	return rsp.PCRValues.Digests[0].Buffer, nil
}

// firmwareValues returns the values of the firmware PCR to seal to: the
// present one, and the announced one if it differs.
func (m *tpm) firmwareValues(announced []byte) ([][]byte, error) {
	now, err := m.readPCR(firmwarePCR)
	if err != nil {
		return nil, err
	}
	if unprotected(now) || len(announced) > 0 && unprotected(announced) {
		return nil, ErrSecureBootOff
	}
	if len(announced) == 0 || bytes.Equal(now, announced) {
		return [][]byte{now}, nil
	}
	return [][]byte{now, announced}, nil
}

// unprotected reports whether the firmware PCR's value says that Secure Boot
// checks nothing: never measured, or off without keys.
func unprotected(value []byte) bool {
	return bytes.Equal(value, make([]byte, pcrBytes)) || hex.EncodeToString(value) == secureBootOff
}

// firmwareChanged says what the firmware PCR's value tells of the change. One
// value does not tell db from dbx; that takes the firmware's event log.
func (m *tpm) firmwareChanged(cause error) error {
	now, err := m.readPCR(firmwarePCR)
	if err != nil {
		return err
	}
	if unprotected(now) {
		return because(ErrSecureBootOff, cause)
	}
	return because(ErrFirmwareChanged, cause)
}

// checkFirmware compares the firmware PCR with what the slots at value v of
// the counter were sealed to.
func (m *tpm) checkFirmware(r *rootSlots, v uint64) error {
	now, err := m.readPCR(firmwarePCR)
	if err != nil {
		return err
	}
	fits := func(s tpmSlot) bool {
		return s.GenValue == v && (s.Level == Bound || bytes.Equal(s.firmware(), now))
	}
	if slices.ContainsFunc(r.TPM, fits) {
		return nil
	}
	return m.firmwareChanged(nil)
}

// MeasureReady extends PCR 11 by "coffer-ready", so that whatever runs later,
// until the next start of the machine, is not given the root key at level
// Measured: not even this daemon, should it start again.
func MeasureReady(ctx context.Context, device string) error {
	return withTPM(ctx, device, func(m *tpm) error { return m.extend(softwarePCR, readyEvent) })
}

// extend extends a PCR of each bank by the hash of event.
func (m *tpm) extend(pcr uint, event string) error {
	_, err := tpm2.PCREvent{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(pcr), Auth: tpm2.PasswordAuth(nil)},
		EventData: tpm2.TPM2BEvent{Buffer: []byte(event)},
	}.Execute(m.t)
	return err
}
