package ops

import (
	"context"
	"fmt"
	"time"

	"coffer/internal/access"
	"coffer/internal/backup"
	"coffer/internal/seal"
)

// discrete names the makers of TPMs that are chips of their own: their wires
// can be listened to, and their state replayed.
var discrete = map[string]bool{"IFX": true, "STM": true, "NTC": true, "NTZ": true}

// levelLine says what a seal protects from, and what it does not.
func levelLine(s seal.Status) Line {
	value := fmt.Sprintf("level %s, TPM %s, generation %d, PIN %s", s.Level, s.Manufacturer, s.Generation, yesNo(s.PIN))
	switch {
	case s.Rotating:
		return Line{Warn, "seal", value, "An exchange of the root key was cut short. Start Coffer again: it goes on with it."}
	case !s.PIN && discrete[s.Manufacturer]:
		return Line{Warn, "seal", value, "This TPM is a chip of its own: who opens the box can listen to it or replay it. Set a PIN (cofferctl seal reseal --new-pin)."}
	case s.Level == seal.Bound:
		return Line{Warn, "seal", value, "The key is bound to this TPM but not to what was booted. Turn Secure Boot on and seal to it (cofferctl seal reseal --level secureboot), or lock the box away and keep its firmware password to the officers."}
	}
	return Line{OK, "seal", value, ""}
}

// sheetLine says whether somebody could bring the books back.
func (o *Ops) sheetLine(s seal.Status, now time.Time) Line {
	_, good := o.lastOf(choreRehearsal)
	switch {
	case !s.Recovery:
		return Line{Fail, "recovery-sheet", "there is none", "Make it now (cofferctl recovery print): without it, a broken TPM or a lost box is the end of the books."}
	case good.At == 0:
		return Line{Warn, "recovery-sheet", "in force, never rehearsed", "Have its holder rehearse it (cofferctl recovery test, or the page Recovery sheet)."}
	case now.Sub(good.at()) > sheetAgeMax:
		return Line{Warn, "recovery-sheet", "rehearsed " + days(now.Sub(good.at())) + " ago", "Have its holder rehearse it again: every half year."}
	}
	return Line{OK, "recovery-sheet", "rehearsed " + days(now.Sub(good.at())) + " ago", ""}
}

// booksLine says when the books were last checked as a whole.
func (o *Ops) booksLine(now time.Time) Line {
	last, _ := o.lastOf(choreBooks)
	switch {
	case last.At == 0:
		return Line{OK, "books-check", "due this night", ""}
	case !last.OK:
		return Line{Fail, "books-check", "failed " + days(now.Sub(last.at())) + " ago", "Run cofferctl ledger check and give its findings to support. Post nothing that they concern."}
	case now.Sub(last.at()) > backup.AgeMax:
		return Line{Warn, "books-check", "passed " + days(now.Sub(last.at())) + " ago", "The nightly check was not made: run cofferctl ledger check, and read the journal for why."}
	}
	return Line{OK, "books-check", "passed " + days(now.Sub(last.at())) + " ago", ""}
}

// backupLines say how old what could be restored is, and whether it was
// proven.
func (o *Ops) backupLines(ctx context.Context, agent access.Agent, store *Store) []Line {
	now := o.machine.Now()
	if store.Backups == nil {
		return []Line{{Fail, "backup", "there is no target", Words(errNoTargets)}}
	}
	s, err := store.Backups.Status(ctx, agent)
	if err != nil {
		return []Line{{Fail, "backup", "unknown", Words(err)}}
	}
	lines := []Line{backupLine(s, now), drillLine(s, now)}
	if s.Newest.IsZero() && !store.Seal.Recovery {
		lines[0].Next = "Make the recovery sheet first (cofferctl recovery print), then a backup."
	}
	for _, t := range s.Targets {
		if row := targetRow(t); row.Verdict != OK {
			lines = append(lines, Line{Warn, "backup " + row.Name, "not as it should be, " + row.Reason.Code, row.Reason.Words})
		}
	}
	return lines
}

func backupLine(s backup.Status, now time.Time) Line {
	switch {
	case s.Newest.IsZero():
		return Line{Fail, "backup", "there is none", "Make one now: cofferctl backup create."}
	case s.Verified.IsZero():
		return Line{Fail, "backup", "made " + days(now.Sub(s.Newest)) + " ago, none was ever verified", "Verify it now: cofferctl backup verify."}
	case s.Verified.Sub(now) > backup.AgeMax:
		return Line{Fail, "backup", "the newest verified one is dated " + days(s.Verified.Sub(now)) + " ahead of the clock", "Set the clock right, then make a backup: cofferctl backup create."}
	case now.Sub(s.Verified) > backup.AgeMax:
		return Line{Fail, "backup", "the newest verified one is " + days(now.Sub(s.Verified)) + " old", "Make one now (cofferctl backup create), verify it, and look why the nightly one failed."}
	}
	return Line{OK, "backup", "made " + days(now.Sub(s.Newest)) + " ago, verified", ""}
}

func drillLine(s backup.Status, now time.Time) Line {
	switch {
	case s.Drill == nil:
		return Line{Warn, "restore-drill", "never", "Run one now: cofferctl backup drill."}
	case !s.Drill.OK:
		return Line{Fail, "restore-drill", "failed " + days(now.Sub(s.Drill.At)) + " ago, " + s.Drill.Code, s.Drill.What}
	case now.Sub(s.Drill.At) > 2*backup.AgeMax:
		return Line{Warn, "restore-drill", "passed " + days(now.Sub(s.Drill.At)) + " ago", "The nightly drill was not made: run cofferctl backup drill, and read the journal for why."}
	}
	return Line{OK, "restore-drill", "passed " + days(now.Sub(s.Drill.At)) + " ago", ""}
}

// trailLine says how much of the trail is signed.
func (o *Ops) trailLine(store *Store, now time.Time) Line {
	signed, at := store.Vault.LatestCheckpoint()
	switch {
	case at.IsZero():
		return Line{OK, "audit-trail", "not signed yet", ""}
	case signed.Quote == nil:
		return Line{Warn, "audit-trail", "signed " + days(now.Sub(at)) + " ago, not by the TPM", "The TPM did not sign: read the journal of cofferd, then start Coffer again."}
	case now.Sub(at) > time.Hour && store.Vault.Status().Events > signed.Size+1:
		return Line{Warn, "audit-trail", "signed " + days(now.Sub(at)) + " ago", "No checkpoint was signed for an hour: read the journal of cofferd."}
	}
	return Line{OK, "audit-trail", fmt.Sprintf("%d events signed %s ago, by the TPM too", signed.Size, days(now.Sub(at))), ""}
}
