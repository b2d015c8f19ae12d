package ops

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/recovery"
	"coffer/internal/seal"
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
	Fingerprint string                `json:"fingerprint"`                 // hex, of the public half: tells sheets apart
	Attestation string                `json:"attestation,omitempty"`       // hex, of the TPM's key for quotes: the auditor's trust anchor
	TrailPrint  string                `json:"trail_fingerprint,omitempty"` // hex, of the key that signs checkpoints: what cofferverify shows
	TrailKey    string                `json:"trail_key,omitempty"`         // verifier key of the checkpoints (signed note form)
	Papers      []Paper               `json:"papers"`                      // one, or three
	Ask         []Asked               `json:"ask"`                         // the groups to type back
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

// pendingSheet is the sheet that waits in memory to be confirmed. There is one
// at most: whoever makes another voids it.
type pendingSheet struct {
	id      string
	seed    *recovery.Seed
	form    Form
	ask     []Asked
	answers []string // the groups asked for, as printed
	until   time.Time
	tries   int
}

// sheetPatience is how long a sheet waits; sheetTries how often its groups may
// be typed wrong before another sheet must be made.
const (
	sheetPatience = 30 * time.Minute
	sheetTries    = 5
)

var (
	errForm      = fault.New(fault.Invalid, "Choose one sheet, or three shares of which two open.")
	errSheetGone = fault.New(fault.NotFound, "This recovery sheet is not waiting any more: it was confirmed, another one was made after it, it was typed wrong five times, or half an hour has passed. Destroy what you wrote down and make a new one.")
	errProof     = fault.New(fault.Denied, "A recovery sheet is in force. Show it (or two of its shares) to make another, or have the owner sign in.")
)

// NewSheet makes a recovery sheet that is to replace the present one. One that
// was made before and still waits is void.
func (o *Ops) NewSheet(ctx context.Context, agent access.Agent, form Form) (Sheet, error) {
	var sheet Sheet
	err := o.changeSeal(ctx, agent, access.RecoveryMake, "sheet.new", func(store *Store) ([]fact, error) {
		var err error
		sheet, err = o.newSheet(store, form)
		return []fact{{Key: "form", Value: string(form)}, {Key: "sheet", Value: sheet.Fingerprint}}, err
	})
	return sheet, err
}

// NewSheetByProof is NewSheet for the console, where no owner is signed in:
// the present sheet is the proof. While none is in force, none is due. It
// needs what recovery.test needs; the sheet itself is the daemon's act.
func (o *Ops) NewSheetByProof(ctx context.Context, agent access.Agent, form Form, papers ...string) (Sheet, error) {
	store, err := o.open(ctx, agent, access.RecoveryTest)
	if err != nil {
		return Sheet{}, err
	}
	if store.Seal.Recovery {
		tested, err := o.TestSheet(ctx, agent, papers...)
		if err != nil {
			return Sheet{}, err
		}
		if !tested.OK {
			return Sheet{}, errProof
		}
	} else if err := o.noteConsole(ctx, agent, "sheet.first"); err != nil {
		return Sheet{}, err
	}
	return o.NewSheet(ctx, o.machine.Daemon, form)
}

// noteConsole puts on record who is at the console for an act of the daemon.
func (o *Ops) noteConsole(ctx context.Context, agent access.Agent, what string) error {
	return o.act(ctx, agent, access.RecoveryTest, what, func(*Store) ([]fact, error) { return nil, nil })
}

func (o *Ops) newSheet(store *Store, form Form) (Sheet, error) {
	if form != OneSheet && form != ThreeShares {
		return Sheet{}, errForm
	}
	seed := recovery.New()
	papers, err := papersOf(seed, form)
	if err != nil {
		seed.Wipe()
		return Sheet{}, err
	}
	fingerprint := seed.Public().Fingerprint()
	signing, attestation := store.Vault.AuditKeys().Fingerprints()
	sheet := Sheet{
		ID: rand.Text(), Clinic: o.machine.Clinic, Store: store.Vault.Status().StoreID, Made: o.machine.Now(), Form: form,
		Fingerprint: hex.EncodeToString(fingerprint[:]), Attestation: attestation,
		TrailPrint: signing, TrailKey: store.Vault.AuditKeys().Text(), Papers: papers, Ask: twoGroups(papers),
	}
	p := &pendingSheet{id: sheet.ID, seed: seed, form: form, ask: sheet.Ask, until: o.machine.Now().Add(sheetPatience)}
	for _, a := range sheet.Ask {
		p.answers = append(p.answers, papers[a.Paper-1].Groups[a.Group-1])
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.voidSheet()
	o.pending = p
	return sheet, nil
}

// voidSheet forgets the sheet that waits. The mutex is held.
func (o *Ops) voidSheet() {
	if o.pending != nil {
		o.pending.seed.Wipe()
		o.pending = nil
	}
}

// papersOf returns what is printed: the seed itself, or its shares.
func papersOf(seed *recovery.Seed, form Form) ([]Paper, error) {
	if form == OneSheet {
		return []Paper{{Number: 1, Text: seed.Text(), Groups: seed.Groups()}}, nil
	}
	shares, err := seed.Split(sharesNeeded, sharesMade)
	if err != nil {
		return nil, err
	}
	var papers []Paper
	for i, s := range shares {
		papers = append(papers, Paper{Number: i + 1, Text: s.Text(), Groups: s.Groups()})
	}
	return papers, nil
}

// Two of three shares open.
const (
	sharesNeeded = 2
	sharesMade   = 3
)

// twoGroups picks two groups at random: of one sheet two different ones, of
// shares one each of two papers.
func twoGroups(papers []Paper) []Asked {
	one := Asked{1 + mathrand.IntN(len(papers)), 1 + mathrand.IntN(len(papers[0].Groups))}
	for {
		two := Asked{1 + mathrand.IntN(len(papers)), 1 + mathrand.IntN(len(papers[0].Groups))}
		if two.Group != one.Group && (len(papers) == 1 || two.Paper != one.Paper) {
			return []Asked{one, two}
		}
	}
}

// ConfirmSheet puts a sheet in force when the answers are the groups that it
// asked for, in that order. PIN is the present one, if there is one.
func (o *Ops) ConfirmSheet(ctx context.Context, agent access.Agent, id string, answers []string, pin string) error {
	err := o.changeSeal(ctx, agent, access.RecoveryMake, "sheet.confirm", func(store *Store) ([]fact, error) {
		public, err := o.typedBack(id, answers)
		if err != nil {
			return nil, err
		}
		if err := seal.SetRecovery(ctx, o.machine.TPM, o.machine.Header, o.proof(store, pin), public); err != nil {
			return nil, err
		}
		o.mu.Lock()
		o.voidSheet() // it has become the one in force
		o.mu.Unlock()
		fingerprint := public.Fingerprint()
		return []fact{{Key: "sheet", Value: hex.EncodeToString(fingerprint[:])}}, o.sealChanged(ctx)
	})
	if err == nil {
		o.setUp.end()
	}
	return err
}

// ConfirmSheetByProof is ConfirmSheet for a sheet of NewSheetByProof: whoever
// types its groups back is who was shown it.
func (o *Ops) ConfirmSheetByProof(ctx context.Context, agent access.Agent, id string, answers []string, pin string) error {
	if err := o.noteConsole(ctx, agent, "sheet.confirm"); err != nil {
		return err
	}
	return o.ConfirmSheet(ctx, o.machine.Daemon, id, answers, pin)
}

// typedBack returns the public half of the waiting sheet if the answers are
// right. The sheet itself waits on, and may be forgotten at any moment.
func (o *Ops) typedBack(id string, answers []string) (recovery.Public, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgetOld()
	p := o.pending
	if p == nil || p.id != id {
		return recovery.Public{}, errSheetGone
	}
	for i, want := range p.answers {
		if i < len(answers) && sameGroup(answers[i], want) {
			continue
		}
		if p.tries++; p.tries >= sheetTries {
			o.voidSheet()
			return recovery.Public{}, errSheetGone
		}
		return recovery.Public{}, p.mistyped(i)
	}
	return p.seed.Public(), nil
}

// mistyped names the group of the paper whose answer was wrong.
func (p *pendingSheet) mistyped(answer int) error {
	a := p.ask[answer]
	if p.form == ThreeShares {
		return fault.New(fault.Invalid, "Group %v of share %v that you typed is not what the share says. Look at the paper again: it must be readable the day it is needed.", fault.Int(a.Group), fault.Int(a.Paper))
	}
	return fault.New(fault.Invalid, "Group %v that you typed is not what the sheet says. Look at the paper again: it must be readable the day it is needed.", fault.Int(a.Group))
}

// sameGroup compares a typed group with a printed one as package recovery
// reads them: case, spaces and look-alikes do not matter.
func sameGroup(typed, printed string) bool {
	return subtle.ConstantTimeCompare([]byte(plainGroup(typed)), []byte(plainGroup(printed))) == 1
}

var plainLetters = strings.NewReplacer(" ", "", "-", "", "O", "0", "I", "1", "L", "1")

func plainGroup(s string) string { return plainLetters.Replace(strings.ToUpper(strings.TrimSpace(s))) }

// sealChanged reads the seal's state anew after a change.
func (o *Ops) sealChanged(ctx context.Context) error {
	s, err := seal.Inspect(ctx, o.machine.TPM, o.machine.Header)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.store != nil {
		changed := *o.store
		changed.Seal = s
		o.store = &changed
	}
	return nil
}

// SheetTested is the result of TestSheet.
type SheetTested struct {
	At    time.Time  `json:"at"`
	OK    bool       `json:"ok"`
	Next  time.Time  `json:"next"` // when the next rehearsal is due
	State SheetState `json:"-"`    // after it, also when the papers could not be read
}

// TestSheet says whether the papers would open the store: a rehearsal, which
// is one event. A typing mistake is a fault that names the group.
func (o *Ops) TestSheet(ctx context.Context, agent access.Agent, papers ...string) (SheetTested, error) {
	store, err := o.open(ctx, agent, access.RecoveryTest)
	if err != nil {
		return SheetTested{}, err
	}
	t := SheetTested{At: o.machine.Now()}
	t.Next = t.At.Add(sheetAgeMax)
	t.OK, err = o.opens(papers)
	recorded := o.recordTest(ctx, store, agent, t.OK, err)
	t.State = o.sheetState(store)
	return t, cmp.Or(recorded, err)
}

// opens reports whether papers open the header that is on the disk.
func (o *Ops) opens(papers []string) (bool, error) {
	seed, err := recovery.Read(papers...)
	if err != nil {
		return false, err
	}
	defer seed.Wipe()
	err = seal.TestRecovery(o.machine.Header, seed)
	if errors.Is(err, recovery.ErrWrongSeed) {
		return false, nil
	}
	return err == nil, err
}

// recordTest puts a rehearsal on record: one that held with its time, in one
// commit.
func (o *Ops) recordTest(ctx context.Context, store *Store, agent access.Agent, opens bool, why error) error {
	if opens {
		return o.note(ctx, store, agent, access.RecoveryTest, upkeepRecord{Chore: choreRehearsal, OK: true})
	}
	outcome, facts := ended(why)
	facts = append([]fact{{Key: "chore", Value: string(choreRehearsal)}, {Key: "opens", Value: yesNo(opens)}}, facts...)
	return store.Vault.Record(context.WithoutCancel(ctx), request(agent, access.RecoveryTest), outcome, facts...)
}

// SetUp reports whether the store has no recovery sheet yet: then nothing but
// the ceremony that makes one is served.
func (o *Ops) SetUp() bool {
	store, _, _ := o.look()
	return store != nil && !store.Seal.Recovery
}

// SetUpDone returns a channel that closes when the first sheet is in force.
func (o *Ops) SetUpDone() <-chan struct{} { return o.setUp.done }

// SetUpCode returns the code that the ceremony of the first run asks for. It
// is of this start of the daemon alone, and worth nothing once a sheet is in
// force.
func (o *Ops) SetUpCode() string { return o.setUp.code }

// SetUpSheet makes the first sheet for who knows the set-up code, which the
// daemon wrote to its journal.
func (o *Ops) SetUpSheet(ctx context.Context, origin access.Origin, code string, form Form) (Sheet, error) {
	if err := o.admitSetUp(ctx, origin, code); err != nil {
		return Sheet{}, err
	}
	return o.NewSheet(ctx, o.machine.Daemon, form)
}

// SetUpConfirm puts the first sheet in force; the clinic is served from then
// on.
func (o *Ops) SetUpConfirm(ctx context.Context, origin access.Origin, code, id string, answers []string, pin string) error {
	if err := o.admitSetUp(ctx, origin, code); err != nil {
		return err
	}
	return o.ConfirmSheet(ctx, o.machine.Daemon, id, answers, pin)
}
