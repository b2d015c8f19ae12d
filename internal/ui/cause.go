package ui

// cause is one way in which the books of a box are shut, and what each person
// does next. The sentence of the fault says what happened exactly.
type cause struct {
	Head      string // in a few words
	Tone      string // of the notice: "warm", or "bad" where somebody may have meant it
	Desk      string // whom to call; empty: IT
	IT, Owner []string
}

// The causes. A code of the seal or the store belongs to one of them.
var (
	causePIN = cause{
		Head: "Only the PIN is missing", Tone: "warm",
		Desk:  "Call somebody who knows the PIN of the box; if nobody can be reached, call IT",
		IT:    []string{"Ask somebody who knows the PIN to enter it here, or at the box with cofferctl seal unlock.", "If the security chip has locked itself, leave the box switched on for as long as is said above, then enter the right PIN once; switching it off and on makes the wait longer.", "If nobody knows the PIN any more, the recovery sheet opens the books: cofferctl recovery open."},
		Owner: []string{"Enter the PIN above, and tell it to nobody who need not know it.", "Keep the recovery sheet at hand: it is the way in when the PIN is lost."},
	}
	causeTPM = cause{
		Head: "The security chip does not answer", Tone: "warm",
		IT:    []string{"Look whether the TPM (fTPM, PTT) is switched on in the firmware settings and whether /dev/tpmrm0 is there.", "End other programs that hold the TPM, then start Coffer again.", "If the chip is broken: new box, newest backup, recovery sheet (cofferctl backup restore)."},
		Owner: []string{"Have the recovery sheet ready, in case IT needs a new box. Nothing that was saved is lost."},
	}
	causeMoved = cause{
		Head: "The disk and the security chip do not belong together", Tone: "bad",
		IT:    []string{"If the disk was moved: put it back into its own box.", "If the TPM was cleared or the board exchanged, and you know by whom: cofferctl recovery open, with the recovery sheet of the owner.", "If nobody knows why: leave everything as it is and tell the owner."},
		Owner: []string{"Ask IT who opened the box and why.", "If there is a good reason, lend the recovery sheet for as long as you stand beside it.", "If there is none, treat it as a break-in: call whoever advises you on privacy."},
	}
	causeBoot = cause{
		Head: "The box did not start as it was sealed", Tone: "bad",
		IT:    []string{"Undo the last change of firmware, boot settings or Secure Boot, or start the version before, then restart.", "If the change was meant: cofferctl recovery open with the recovery sheet seals the box to its new state.", "If nobody changed anything: leave the box as it is and tell the owner."},
		Owner: []string{"Ask IT what was changed, and lend the recovery sheet only if the answer convinces you."},
	}
	causeTampered = cause{
		Head: "Something has meddled with the box", Tone: "bad",
		IT:    []string{"Switch the box off and have its hardware inspected. Do not repair, do not retry.", "Keep the disk as it is: it is evidence. Write down who had access since it last worked.", "The clinic goes on with a new box, the newest backup and the recovery sheet."},
		Owner: []string{"Treat it as a break-in: call whoever advises you on privacy, today. 45 CFR 164.308(a)(6) wants it written down.", "Keep the recovery sheet away from this box."},
	}
	causeAltered = cause{
		Head: "The books were changed while Coffer was stopped", Tone: "bad",
		IT:    []string{"If somebody copied, moved or restored the file by hand: put coffer.db back exactly as it was, then start Coffer again.", "If it is gone: cofferctl backup restore --replace, with the recovery sheet and a reason.", "If nobody knows who changed it, leave the disk as it is, tell the owner, and restore on another disk or box."},
		Owner: []string{"Ask IT who changed the file and why.", "If there is no good answer, treat it as a break-in: call whoever advises you on privacy, today.", "Have the recovery sheet ready for a restore."},
	}
	causeOld = cause{
		Head: "An older state was put back", Tone: "bad",
		IT:    []string{"Put back the newest copy, if an older one was put in its place by mistake (coffer.seal, coffer.db and coffer.journal belong together).", "If you restore from a backup on purpose: cofferctl backup restore, with the recovery sheet and a reason; it stays on record.", "If nobody put anything back: leave everything as it is and tell the owner."},
		Owner: []string{"Ask IT who put what back. An older state hides what was done since.", "Only you can agree to go on from an older state, with the recovery sheet."},
	}
	causeDamaged = cause{
		Head: "Stored data is not what was written", Tone: "bad",
		IT:    []string{"Change nothing on the disk. Look for the cause with cofferctl doctor and journalctl -u cofferd -k.", "If the disk fails, exchange it, then cofferctl backup restore with the recovery sheet.", "Keep the damaged disk until the owner says otherwise: it may be evidence."},
		Owner: []string{"Have the recovery sheet ready for the restore.", "Ask IT how old the newest verified backup is: what was saved since then may have to be entered again."},
	}
	causeSetUp = cause{
		Head: "The box is not set up as it should be", Tone: "warm",
		IT:    []string{"Do what the sentence above says, then start Coffer again.", "cofferctl doctor names every other thing that is missing."},
		Owner: []string{"Nothing. IT can mend this without the recovery sheet."},
	}
	causeOther = cause{
		Head: "The books are shut", Tone: "warm",
		IT:    []string{"Run cofferctl doctor on the box; it names the cause and the next step.", "The journal has the details: journalctl -u cofferd."},
		Owner: []string{"Wait for what IT finds. Keep the recovery sheet where it is."},
	}
)

// causes says which cause a code belongs to. A test compares it with the codes
// of the seal and the store.
var causes = map[string]*cause{
	"STORE-010": &causeOther, // says of one client that the data was erased, and shuts nothing
	"SEAL-001":  &causeTPM, "SEAL-007": &causeTPM, "SEAL-017": &causeTPM, "SEAL-025": &causeTPM,
	"STORE-018": &causeTPM,
	"SEAL-002":  &causeMoved, "SEAL-008": &causeMoved, "STORE-014": &causeMoved,
	"SEAL-003": &causeOld, "STORE-013": &causeOld, "STORE-019": &causeOld,
	"SEAL-022": &causeBoot, "SEAL-023": &causeBoot, "SEAL-024": &causeBoot,
	"SEAL-005": &causeTampered, "SEAL-009": &causeTampered, "STORE-009": &causeTampered, "STORE-011": &causeTampered,
	"STORE-012": &causeTampered, "STORE-017": &causeAltered,
	"SEAL-006": &causePIN, "SEAL-019": &causePIN, "SEAL-020": &causePIN, "SEAL-021": &causePIN,
	"SEAL-004": &causeDamaged, "STORE-004": &causeDamaged, "STORE-005": &causeDamaged, "STORE-006": &causeDamaged,
	"STORE-007": &causeDamaged, "STORE-008": &causeDamaged, "STORE-015": &causeDamaged, "STORE-016": &causeDamaged,
	"STORE-020": &causeDamaged, "STORE-021": &causeDamaged, "STORE-022": &causeDamaged,
	"SEAL-010": &causeSetUp, "SEAL-011": &causeSetUp, "SEAL-012": &causeSetUp, "SEAL-013": &causeSetUp,
	"SEAL-014": &causeSetUp, "SEAL-015": &causeSetUp, "SEAL-016": &causeSetUp, "SEAL-018": &causeSetUp,
	"SEAL-026": &causeSetUp, "SEAL-027": &causeSetUp, "SEAL-028": &causeSetUp, "SEAL-029": &causeSetUp,
	"SEAL-030": &causeSetUp, "SEAL-031": &causeSetUp, "SEAL-032": &causeSetUp, "SEAL-033": &causeSetUp,
	"SEAL-034": &causeSetUp, "STORE-001": &causeSetUp, "STORE-002": &causeSetUp, "STORE-003": &causeSetUp,
	"STORE-023": &causeSetUp,
}

// causeOf returns the cause of a code; pin says that a PIN opens the books.
func causeOf(code string, pin bool) cause {
	if c := causes[code]; c != nil {
		return *c
	}
	if pin {
		return causePIN
	}
	return causeOther
}
