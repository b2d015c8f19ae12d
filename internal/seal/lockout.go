package seal

import (
	"bytes"
	"encoding/binary"
	"errors"

	"coffer/internal/fault"

	"github.com/google/go-tpm/tpm2"
)

// The TPM's defence against guessing a PIN, where this store sets it.
const (
	wrongPINsMax           = 10
	wrongPINForgottenS     = 600    // one wrong PIN is forgotten in this time with power on
	lockoutRecoverySeconds = 86_400 // a wrong lockout authorization locks its hierarchy for so long
)

// What a lockout that somebody else holds must at least do.
const (
	foreignTriesMax    = 32
	foreignForgottenS  = 60
	ownerAuthSetMask   = 1 << 0 // TPMA_PERMANENT
	lockoutAuthSetMask = 1 << 2
)

// lockoutState is what the TPM says of its defence against guessing.
type lockoutState struct {
	held       bool // the lockout hierarchy has an authorization value
	failed     uint32
	triesMax   uint32
	forgottenS uint32 // seconds after which one failure is forgotten
}

// left is how many wrong attempts are left before the TPM locks itself.
func (l lockoutState) left() uint32 { return l.triesMax - min(l.failed, l.triesMax) }

// lockout reads the state.
func (m *tpm) lockout() (lockoutState, error) {
	permanent, err := m.property(tpm2.TPMPTPermanent)
	if err != nil {
		return lockoutState{}, err
	}
	s := lockoutState{held: permanent&lockoutAuthSetMask != 0}
	for _, p := range []struct {
		is tpm2.TPMPT
		to *uint32
	}{{tpm2.TPMPTLockoutCounter, &s.failed}, {tpm2.TPMPTMaxAuthFail, &s.triesMax}, {tpm2.TPMPTLockoutInterval, &s.forgottenS}} {
		if *p.to, err = m.property(p.is); err != nil {
			return lockoutState{}, err
		}
	}
	return s, nil
}

// wrongPIN names a refused PIN with the attempts that are left.
func (m *tpm) wrongPIN(cause error) error {
	s, err := m.lockout()
	if err != nil {
		return err
	}
	if s.left() == 0 {
		return lockedFor(s, cause)
	}
	return because(fault.New(fault.Sealed, textPIN, fault.Int(s.left())), cause)
}

// lockedOut names a locked TPM with the longest time to wait.
func (m *tpm) lockedOut(cause error) error {
	s, err := m.lockout()
	if err != nil {
		return because(errLocked, cause)
	}
	return lockedFor(s, cause)
}

// errLocked is ErrLockout where the TPM does not say for how long: as long as
// Coffer has set.
var errLocked = fault.New(fault.Sealed, textLockout, fault.Int(wrongPINForgottenS/60))

func lockedFor(s lockoutState, cause error) error {
	minutes := (int64(s.forgottenS) + 59) / 60
	return because(fault.New(fault.Sealed, textLockout, fault.Int(minutes)), cause)
}

// claimLockout draws an authorization for the lockout hierarchy, unless this
// store has one or somebody else holds it, whose limits must then do. The
// value is to be on disk before guardLockout sets it.
func (m *tpm) claimLockout(own *auths) error {
	if own.Lockout != "" {
		return nil
	}
	s, err := m.lockout()
	if err != nil {
		return err
	}
	if !s.held {
		own.Lockout = newAuth()
		return nil
	}
	if s.triesMax == 0 || s.triesMax > foreignTriesMax || s.forgottenS < foreignForgottenS {
		return ErrLockoutHeld
	}
	return nil
}

// guardLockout sets the limits and the lockout authorization where they are
// not set yet, and forgets failed attempts where there are some: somebody has
// just shown the right PIN. A value that is set is never changed: the TPM and
// the disk could not change at one moment, and one wrong try costs a day.
func (m *tpm) guardLockout(own auths) error {
	if own.Lockout == "" {
		return nil
	}
	s, err := m.lockout()
	if err != nil {
		return err
	}
	if s.held {
		return m.forgetFailures(s, own.Lockout)
	}
	limits := binary.BigEndian.AppendUint32(nil, wrongPINsMax)
	limits = binary.BigEndian.AppendUint32(limits, wrongPINForgottenS)
	limits = binary.BigEndian.AppendUint32(limits, lockoutRecoverySeconds)
	if err := m.asLockout(tpm2.TPMCCDictionaryAttackParameters, "", limits); err != nil {
		return err
	}
	return m.holdLockout(own.Lockout)
}

// forgetFailures takes the TPM's count of failed attempts back to none.
func (m *tpm) forgetFailures(s lockoutState, auth string) error {
	if s.failed == 0 {
		return nil
	}
	err := m.asLockout(tpm2.TPMCCDictionaryAttackLockReset, auth, nil)
	if isRC(err, tpm2.TPMRCAuthFail, tpm2.TPMRCLockout) {
		return nil // somebody holds the hierarchy since a clear: the count falls by itself with time
	}
	return err
}

// holdLockout gives the lockout hierarchy its authorization value. The answer
// to this command is keyed with the new value, which go-tpm does not know of:
// hence the empty password, and a session of its own that encrypts the value.
func (m *tpm) holdLockout(auth string) error {
	_, err := tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)},
		NewAuth:    tpm2.TPM2BAuth{Buffer: []byte(auth)},
	}.Execute(m.t, m.session("", in))
	return err
}

// asLockout sends a command of the lockout hierarchy that go-tpm lacks, with
// its parameters spelled out (TPM 2.0 part 3, 25).
func (m *tpm) asLockout(cc tpm2.TPMCC, auth string, parameters []byte) error {
	session := m.session(auth, none)
	if err := session.Init(m.t); err != nil {
		return err
	}
	err := m.raw(cc, session, parameters)
	if err == nil {
		return nil
	}
	if cleanErr := session.CleanupFailure(m.t); cleanErr != nil {
		return errors.Join(err, cleanErr)
	}
	return err
}

// raw sends one authorized command and checks the answer's HMAC.
func (m *tpm) raw(cc tpm2.TPMCC, session tpm2.Session, parameters []byte) error {
	names := []tpm2.TPM2BName{tpm2.HandleName(tpm2.TPMRHLockout)}
	if err := session.NewNonceCaller(); err != nil {
		return err
	}
	auth, err := session.Authorize(cc, parameters, nil, names, 0)
	if err != nil {
		return err
	}
	area := tpm2.Marshal(*auth)
	body := binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMRHLockout))
	body = binary.BigEndian.AppendUint32(body, uint32(len(area)))
	body = append(append(body, area...), parameters...)
	command := binary.BigEndian.AppendUint16(nil, uint16(tpm2.TPMSTSessions))
	command = binary.BigEndian.AppendUint32(command, uint32(answerHeaderBytes+len(body)))
	command = binary.BigEndian.AppendUint32(command, uint32(cc))
	answer, err := m.t.Send(append(command, body...))
	if err != nil {
		return err
	}
	return checkRaw(answer, cc, session, names)
}

var errShortAnswer = errors.New("short answer")

// checkRaw checks the answer of a command without parameters of its own.
func checkRaw(answer []byte, cc tpm2.TPMCC, session tpm2.Session, names []tpm2.TPM2BName) error {
	if len(answer) < answerHeaderBytes {
		return errShortAnswer
	}
	if rc := tpm2.TPMRC(binary.BigEndian.Uint32(answer[6:])); rc != tpm2.TPMRCSuccess {
		return rc
	}
	none := make([]byte, 4) // size of the parameters
	area, ok := bytes.CutPrefix(answer[answerHeaderBytes:], none)
	if !ok {
		return errShortAnswer
	}
	rsp, err := tpm2.Unmarshal[tpm2.TPMSAuthResponse](area)
	if err != nil {
		return err
	}
	return session.Validate(tpm2.TPMRCSuccess, cc, nil, names, 0, rsp)
}
