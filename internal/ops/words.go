package ops

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"coffer/internal/backup"
	"coffer/internal/fault"
	"coffer/internal/host"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// NoStore is the code of a seal whose store is not there.
const NoStore = "STORE-001"

// StoreLocked is the code of a store that another process has open.
const StoreLocked = "STORE-002"

// WrongKey are the codes of a recovery sheet that is not the one.
var WrongKey = []string{"SHEET-009", "BACKUP-006"}

// Code returns the stable code of an error that has one, or "".
func Code(err error) string {
	switch {
	case errors.Is(err, recovery.ErrWrongSeed):
		return WrongKey[0]
	}
	return cmp.Or(seal.Code(err), vault.Code(err), string(backup.Code(err)))
}

// forIT turns what the vault says to the people of the clinic into what it
// comes to for the person they are to call.
var forIT = strings.NewReplacer(
	"Stop, and call IT.", "Change nothing on the disk, and give this line with the journal (journalctl -u cofferd) to support.",
	"Call IT; they find the cause in the journal.", "Read the cause in the journal (journalctl -u cofferd).",
	"Call IT, and restart Coffer after the disk was examined", "Examine the disk (journalctl -k), then start Coffer again",
	"Ask IT to free space, then do it again.", "Free space on it.",
)

// Words returns what the person who looks after the box may know of an error,
// with the next step.
func Words(err error) string { return forIT.Replace(fault.Message(err)) }

// openingNote says what the opening of the store found out of order at its
// head, and what to do; both are empty when there was nothing.
func openingNote(v vault.Status) (what, next string) {
	switch {
	case v.Lost != 0:
		return fmt.Sprintf("Commit %d, confirmed at %s, is gone: the store was set back to an earlier one.", v.Lost, v.LostAt.Format(time.RFC3339)),
			"Compare the payments of that minute with the terminals' own lists and the printed receipts, and enter what is missing. Find out who or what changed the store's file, and tell support: this stays on record."
	case v.Torn && v.Witness == vault.WitnessKnown:
		return "The power was cut in mid-write. No commit that was confirmed is known to be lost.",
			"After a power cut, compare the last minute's payments with the terminals' own lists. Check the power supply, then run cofferctl verify."
	case v.Torn:
		return "A head page was damaged, as when the power is cut in mid-write, and coffer.last, which names the last confirmed commit, was " + string(v.Witness) + ": whether one is lost is not known.",
			"Compare the last minutes' payments with the terminals' own lists and the printed receipts."
	case v.Witness == vault.WitnessForeign:
		return "coffer.last, which names the last confirmed commit, was damaged or of another store.",
			"Find out who changed it. An older copy of the store would not have been noticed at this start."
	case v.Witness == vault.WitnessMissing:
		return "coffer.last, which names the last confirmed commit, was missing.",
			"An older copy of the store would not have been noticed at this start. If nobody removed the file, find out what did."
	}
	return "", ""
}

// days spells an age or a remaining time for people.
func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); {
	case d < time.Hour:
		return "less than an hour"
	case n == 0:
		return count(int(d/time.Hour), "hour")
	default:
		return count(n, "day")
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sorted joins words in a fixed order.
func sorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// expects reports whether the daemon itself means to listen at p.
func (o *Ops) expects(p host.Port) bool { return slices.Contains(o.machine.Ports, p) }

func isLoopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.IsLoopback()
}
