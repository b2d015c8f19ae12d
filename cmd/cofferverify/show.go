package main

import (
	"fmt"
	"io"
	"slices"

	"coffer/internal/audit"
)

// show prints what was checked and found, and returns the exit status.
func show(w io.Writer, o options, r audit.Report) int {
	fmt.Fprintf(w, "Trail        %s\n", r.Origin)
	fmt.Fprintf(w, "Events       %d: form, number and place of each; %d of them withheld, their hash alone is here\n", r.Events, r.Withheld)
	fmt.Fprintf(w, "Private      %d private parts, each against its event\n", r.Opened)
	fmt.Fprintf(w, "Checkpoints  %d: root and signature of each; %d with the word of a TPM\n", r.Checkpoints, r.Quoted)
	showKeys(w, o, r)
	showAgainst(w, o, r)
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "Result       Nothing wrong was found.")
		return exitOK
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "WRONG        line %d, %s: %s [%s]\n", f.Line, span(f), f.What.Text(), f.What)
	}
	fmt.Fprintln(w, "Result       DON'T TRUST THIS EXPORT. Keep the file as it is.")
	return exitWrong
}

// span says which events a finding is about.
func span(f audit.Finding) string {
	if f.To <= f.From+1 {
		return fmt.Sprintf("event %d", f.From)
	}
	return fmt.Sprintf("events %d to %d", f.From, f.To-1)
}

// showKeys prints the keys of the last checkpoint, and whether they are known.
func showKeys(w io.Writer, o options, r audit.Report) {
	if r.Keys.Signing == nil {
		return
	}
	signing, attestation := r.Keys.Fingerprints()
	for _, k := range []struct{ name, print string }{{"Ed25519 ", signing}, {"TPM     ", attestation}} {
		known := "compare it with the recovery sheet"
		switch {
		case k.print == "":
			k.print, known = "none", "no TPM has signed: whoever holds the Ed25519 key can have made this"
		case slices.Contains(o.trust.Keys, k.print):
			known = "known"
		}
		fmt.Fprintf(w, "Key %s %s (%s)\n", k.name, k.print, known)
	}
	if r.KeyChanges > 0 {
		fmt.Fprintf(w, "Key changes  %d: the store moved to another box; see its events store.restore\n", r.KeyChanges)
	}
}

func showAgainst(w io.Writer, o options, r audit.Report) {
	switch {
	case o.against == "":
		fmt.Fprintf(w, "Against      no older checkpoint was given: an older export would look as good. This one ends at %d events.\n", r.Last.Size)
	case r.Against:
		fmt.Fprintln(w, "Against      the older checkpoint is contained")
	}
}
