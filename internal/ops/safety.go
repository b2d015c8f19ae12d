package ops

import (
	"fmt"
	"path/filepath"
	"time"

	"coffer/internal/vault"
)

// anchorAgeMax is how old an anchor may be while the store is written to: six
// times what the store waits at most.
const anchorAgeMax = time.Hour

// safetyLines say what protects the store beside its file: the anchor in the
// TPM, the journal, and the age of its keys.
func safetyLines(store *Store, now time.Time) []Line {
	v := store.Vault.Status()
	lines := []Line{commitsLine(store, v), keysLine(v)}
	if store.Vault.Options().Anchor != nil {
		lines = append(lines, anchorLine(store.Vault.Anchored(), now))
	}
	return lines
}

// anchorLine says when the store was last tied to the TPM's counter. Whoever
// asks leaves an event, so a store that is looked at is written to.
func anchorLine(at, now time.Time) Line {
	const next = "An older copy of the store put back now would not be noticed: read the journal of cofferd for why the TPM's counter was not raised, then start Coffer again."
	switch {
	case at.IsZero():
		return Line{Warn, "anchor", "pending: not tied to the TPM's counter since the start", next}
	case now.Sub(at) > anchorAgeMax:
		return Line{Warn, "anchor", "pending: last tied to the TPM's counter " + days(now.Sub(at)) + " ago", next}
	}
	return Line{OK, "anchor", "tied to the TPM's counter " + days(now.Sub(at)) + " ago", ""}
}

// commitsLine says what the journal was good for at the opening, and whether
// evidence lies beside it.
func commitsLine(store *Store, v vault.Status) Line {
	count := func(pattern string) int {
		found, err := filepath.Glob(filepath.Join(store.Vault.Options().Dir, pattern))
		if err != nil {
			return 0
		}
		return len(found)
	}
	aside := count("coffer.journal.aside.*")
	value := fmt.Sprintf("%s, %d completed segments kept", v.Journal, count("coffer.journal.[0-9]*"))
	if v.Healed.To != 0 {
		value += fmt.Sprintf("; brought back commits %d to %d at the start", v.Healed.From, v.Healed.To)
	}
	if aside > 0 {
		return Line{Warn, "journal", fmt.Sprintf("%s; %d set aside", value, aside), "A journal did not fit the store and was kept as evidence (coffer.journal.aside.N). Find out who or what changed it, give it to support, then move it off the box."}
	}
	return Line{OK, "journal", value, ""}
}

// keysLine says whether data keys are to be replaced. A re-key that was cut
// short is gone on with at the next start.
func keysLine(v vault.Status) Line {
	switch {
	case v.Rekeying > 0:
		return Line{Warn, "data-keys", fmt.Sprintf("%d of %d keys are being replaced", v.Rekeying, v.Keys), "If nobody is at it now, it was cut short. Start Coffer again: it goes on with it."}
	case v.Due > 0:
		return Line{Warn, "data-keys", fmt.Sprintf("%d are due to be replaced", v.Due), "Replace them at a quiet hour: cofferctl key rotate --data."}
	}
	return Line{OK, "data-keys", fmt.Sprintf("%d, none is due", v.Keys), ""}
}
