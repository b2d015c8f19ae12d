package audit

// Fault names what can be wrong with an export.
type Fault string

// The faults of exports.
const (
	BadLine       Fault = "line"       // a line has no form that an export has
	BadLeaf       Fault = "leaf"       // an event is not canonical
	BadSequence   Fault = "sequence"   // an event is missing, added or moved
	BadOpening    Fault = "opening"    // a private part is not that of its event
	BadRoot       Fault = "root"       // the events are not those that were signed
	BadOrder      Fault = "order"      // the checkpoints are not in order, or events are missing before one
	BadCheckpoint Fault = "checkpoint" // a checkpoint can't be read
	BadSignature  Fault = "signature"  // the Ed25519 signature is wrong or missing
	BadQuote      Fault = "quote"      // the TPM's signature is wrong or missing
	BadClock      Fault = "clock"      // the TPM's clock went back between two checkpoints
	BadKey        Fault = "key"        // the last checkpoint is not signed under a key that is trusted
	Unsigned      Fault = "unsigned"   // events follow the last checkpoint, or there is none
	Truncated     Fault = "truncated"  // the file ends before its end
	Trailing      Fault = "trailing"   // something follows the end
	Fork          Fault = "fork"       // the trail contradicts the older checkpoint
	SetBack       Fault = "set back"   // the trail ends before the older checkpoint
	BadAgainst    Fault = "against"    // the older checkpoint can't be read, or is of another trail
)

// SafeString returns the fault's name.
func (f Fault) SafeString() string { return string(f) }

// Text returns the fault as part of a sentence for a person.
func (f Fault) Text() string { return faultTexts[f] }

// faultTexts say what each fault means.
var faultTexts = map[Fault]string{
	BadLine:       "this is no line of an export",
	BadLeaf:       "the event is not in the form that the box writes",
	BadSequence:   "an event is missing, was added, or stands in another place",
	BadOpening:    "the private part is not the one that belongs to the event",
	BadRoot:       "these events are not the ones that were signed",
	BadOrder:      "events are missing before the checkpoint, or checkpoints are not in order",
	BadCheckpoint: "the checkpoint can't be read",
	BadSignature:  "the Ed25519 signature of the checkpoint is wrong",
	BadQuote:      "the TPM has not signed this checkpoint",
	BadClock:      "the TPM's clock went back: a checkpoint was signed after its successor",
	BadKey:        "the last checkpoint is not signed with a key that you named",
	Unsigned:      "no checkpoint covers the end of the trail",
	Truncated:     "the file ends before its end",
	Trailing:      "something follows the end",
	Fork:          "the trail contradicts the older checkpoint",
	SetBack:       "the trail ends before the older checkpoint: events are gone",
	BadAgainst:    "the older checkpoint can't be read, or is of another trail",
}
