package seal

import (
	"time"

	"coffer/internal/recovery"
)

// Level names what the TPM demands before it gives the root key out.
type Level string

// The levels, strongest first. Each but Software may also ask for a PIN.
const (
	Measured   Level = "measured"   // software signed by the release key under the present epoch, firmware state as sealed, generation
	SecureBoot Level = "secureboot" // firmware state (PCR 7) as sealed, generation
	Bound      Level = "bound"      // this TPM, generation
	Software   Level = "software"   // no TPM at all: a header that says so is refused
)

// Setup says how a root key is to be sealed.
type Setup struct {
	Now     time.Time // the header's Created, and the time in a new store's identifier
	Level   Level     // "" is Bound
	PIN     string    // 6 to 12 digits; "" for none
	Release Release   // level Measured only

	// Recovery is the public half of the recovery sheet to seal to beside the
	// TPM; the zero value is none as yet (SetRecovery). Recover and Adopt keep
	// the sheet that they were given instead.
	Recovery recovery.Public

	// Firmware is the SHA-256 value that PCR 7 is going to have after the next
	// start, as the firmware's update announced it; 32 bytes, or nil for none.
	// The root key is then sealed to the present and to the announced value,
	// so that the box opens whether the update happens or not; a re-seal
	// without it drops the value that did not come. Levels Measured and
	// SecureBoot only.
	Firmware []byte
}

// Release names who signs the software of a box at level Measured.
type Release struct {
	Key        []byte // PKIX public key: RSA of 2048 bits (more where the TPM does more), or ECDSA P-256
	Epoch      string // signed with each release; a new epoch shuts out all older releases; 1 to 32 letters, digits, "-" and "."
	Signatures []byte // tpm2-pcr-signature.json of the software that runs: the seal is proven by it
}

// Proof is what the box itself does not know or has to be shown.
type Proof struct {
	PIN        string // "" when there is none
	Signatures []byte // tpm2-pcr-signature.json of the software that runs; level Measured

	// Key is the store's unsealed root key, where it is in memory already: the
	// TPM then need not give it out once more, which after MeasureReady it
	// does not do. Unseal does not look at it.
	Key *Key
}

// Limits of a PIN and an epoch.
const (
	pinDigitsMin  = 6
	pinDigitsMax  = 12
	epochCharsMax = 32
)

// checked returns s with its level spelled out, or what is wrong with it.
func (s Setup) checked() (Setup, error) {
	if s.Level == "" {
		s.Level = Bound
	}
	if err := s.Level.offered(); err != nil {
		return Setup{}, err
	}
	if s.PIN != "" && !pinShaped(s.PIN) {
		return Setup{}, ErrPINShape
	}
	if n := len(s.Firmware); n != 0 && (n != pcrBytes || s.Level == Bound) {
		return Setup{}, ErrSetup
	}
	if s.Level != Measured {
		return s, nil
	}
	if !epochShaped(s.Release.Epoch) {
		return Setup{}, ErrRelease
	}
	_, err := releaseKey(s.Release.Key)
	return s, err
}

// offered refuses the levels that nothing is sealed at.
func (l Level) offered() error {
	switch l {
	case Measured, SecureBoot, Bound:
		return nil
	case Software:
		return ErrSoftware
	}
	return ErrSetup
}

// proof returns what opens what s seals, given what opened it before.
func (s Setup) proof(before Proof) Proof {
	p := Proof{PIN: s.PIN, Signatures: s.Release.Signatures, Key: before.Key}
	if len(p.Signatures) == 0 {
		p.Signatures = before.Signatures
	}
	return p
}

// pinShaped reports whether text is 6 to 12 digits.
func pinShaped(text string) bool {
	if len(text) < pinDigitsMin || len(text) > pinDigitsMax {
		return false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// epochShaped reports whether text can be an epoch.
func epochShaped(text string) bool {
	if len(text) < 1 || len(text) > epochCharsMax {
		return false
	}
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}
