package ops

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/ident"
)

// Form is how a recovery sheet is made.
type Form string

// The forms.
const (
	OneSheet    Form = "one"    // whoever holds it can open
	ThreeShares Form = "shares" // any two of three open, one alone tells nothing
)

// sheetAgeMax is how long a rehearsal of the recovery sheet counts.
const sheetAgeMax = 180 * 24 * time.Hour

// Sheet is a recovery sheet that was made and is not in force yet. It is shown
// once and kept in memory alone until it is confirmed or forgotten, after half
// an hour.
type Sheet struct {
	ID          string                `json:"id"`
	Clinic      string                `json:"clinic"`
	Store       ident.ID[ident.Store] `json:"store"`
	Made        time.Time             `json:"made"`
	Form        Form                  `json:"form"`
	Fingerprint string                `json:"fingerprint"`           // hex, of the public half: tells sheets apart
	Attestation string                `json:"attestation,omitempty"` // hex, of the TPM's key for quotes: the auditor's trust anchor
	TrailKey    string                `json:"trail_key,omitempty"`   // verifier key of the checkpoints (signed note form)
	Papers      []Paper               `json:"papers"`                // one, or three
	Ask         []Asked               `json:"ask"`                   // the groups to type back
}

// Paper is one sheet of paper.
type Paper struct {
	Number int      `json:"number"` // from 1
	Text   string   `json:"text"`   // the whole code, for a QR symbol
	Groups []string `json:"groups"`
}

// Asked names a group of a paper, both from 1.
type Asked struct {
	Paper int `json:"paper"`
	Group int `json:"group"`
}

// NewSheet makes a recovery sheet that is to replace the present one.
func (o *Ops) NewSheet(ctx context.Context, agent access.Agent, form Form) (Sheet, error) {
	return Sheet{}, errStarting
}

// NewSheetByProof is NewSheet for the console, where nobody is signed in: the
// present sheet is the proof. While none is in force, none is due.
func (o *Ops) NewSheetByProof(ctx context.Context, agent access.Agent, form Form, papers ...string) (Sheet, error) {
	return Sheet{}, errStarting
}

// ConfirmSheet puts a sheet in force when the answers are the groups that it
// asked for, in that order. PIN is the present one, if there is one.
func (o *Ops) ConfirmSheet(ctx context.Context, agent access.Agent, id string, answers []string, pin string) error {
	return errStarting
}

// SheetTested is the result of TestSheet.
type SheetTested struct {
	At   time.Time `json:"at"`
	OK   bool      `json:"ok"`
	Next time.Time `json:"next"` // when the next rehearsal is due
}

// TestSheet says whether the papers would open the store: a rehearsal, which
// goes on record.
func (o *Ops) TestSheet(ctx context.Context, agent access.Agent, papers ...string) (SheetTested, error) {
	return SheetTested{}, errStarting
}

// SetUp reports whether the store has no recovery sheet yet: then nothing but
// the ceremony that makes one is served.
func (o *Ops) SetUp() bool { return false }

// SetUpSheet makes the first sheet for who knows the set-up code, which the
// daemon wrote to its journal.
func (o *Ops) SetUpSheet(ctx context.Context, origin access.Origin, code string, form Form) (Sheet, error) {
	return Sheet{}, errStarting
}

// SetUpConfirm puts the first sheet in force; the clinic is served from then
// on.
func (o *Ops) SetUpConfirm(ctx context.Context, origin access.Origin, code, id string, answers []string, pin string) error {
	return errStarting
}

// Unlock tries to open a sealed store with the PIN. A store that opens is
// served at once, without a restart.
func (o *Ops) Unlock(ctx context.Context, origin access.Origin, pin string) error {
	return errStarting
}

// OpenBySheet opens a sealed store with the recovery sheet and seals it to
// this TPM anew, with the PIN if one is given. The reason goes on record.
func (o *Ops) OpenBySheet(ctx context.Context, origin access.Origin, papers []string, pin, reason string) error {
	return errStarting
}
