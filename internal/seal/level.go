package seal

import "time"

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

	// Firmware is the SHA-256 value that PCR 7 is going to have after the next
	// start, as the firmware's update announced it; 32 bytes, or nil for none.
	// Reseal then makes a slot for the present and one for the announced
	// value, so that the box opens whether the update happens or not.
	Firmware []byte
}

// Release names who signs the software of a box at level Measured.
type Release struct {
	Key   []byte // PKIX public key, RSA (2048 to 4096 bits) or ECDSA P-256
	Epoch string // signed with each release; a new epoch shuts out all older releases
}

// Proof is what the box itself does not know or has to be shown.
type Proof struct {
	PIN        string // "" when there is none
	Signatures []byte // tpm2-pcr-signature.json of the software that runs; level Measured
}
