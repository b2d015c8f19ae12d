package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"coffer/internal/ops"
)

// printer writes aligned lines and keeps the first error.
type printer struct {
	out    io.Writer
	w      io.Writer         // out, or what aligns for it
	tabs   *tabwriter.Writer // nil: lines are not aligned
	colour bool
	err    error
}

// newPrinter returns a printer of aligned columns for out.
func newPrinter(out io.Writer) *printer {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	return &printer{out: out, w: t, tabs: t, colour: isColourful(out)}
}

// isColourful reports whether out is a terminal that wants colour.
func isColourful(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func (p *printer) line(text string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, text)
	}
}

// text writes what is not to be aligned.
func (p *printer) text(s string) {
	p.tabs = nil
	p.w = p.out
	if p.err == nil {
		_, p.err = io.WriteString(p.w, s)
	}
}

// pair writes a name and its value.
func (p *printer) pair(name, value string) { p.line(name + "\t" + value) }

func (p *printer) flush() error {
	if p.err == nil && p.tabs != nil {
		p.err = p.tabs.Flush()
	}
	if p.err != nil {
		return outputError{p.err}
	}
	return nil
}

// paint colours a verdict: green, yellow, red. Every verdict is painted, so
// that columns stay aligned.
func (p *printer) paint(v ops.Verdict) string {
	if !p.colour {
		return string(v)
	}
	colour := map[ops.Verdict]string{ops.OK: "32", ops.Warn: "33", ops.Fail: "31"}[v]
	return "\x1b[" + colour + "m" + string(v) + "\x1b[0m"
}

func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func printStatus(p *printer, s ops.Status) {
	p.pair("state", string(s.State))
	if s.Reason != nil {
		p.pair("reason", s.Reason.Code)
		p.pair("", s.Reason.Words)
	}
	if s.Demo {
		p.pair("demo", "a sample clinic; nothing here is real")
	}
	p.pair("version", s.Version)
	p.pair("started", when(s.Started))
	if s.Seal != nil {
		p.pair("seal", fmt.Sprintf("level %s, TPM %s, generation %d", s.Seal.Level, s.Seal.Manufacturer, s.Seal.Generation))
	}
	if s.Store != nil {
		printStore(p, *s.Store)
	}
	for _, t := range s.Terminals {
		printTerminal(p, t)
	}
}

func printStore(p *printer, s ops.StoreStatus) {
	p.pair("store", s.ID.String())
	p.pair("records", number(s.Records))
	p.pair("events", number(s.Events))
	p.pair("size", fmt.Sprintf("%d MiB, %d MiB free", s.FileBytes>>20, s.FreeBytes>>20))
	p.pair("audit root", s.AuditRoot)
	checked := "passed"
	if !s.CheckedOK {
		checked = "FAILED"
	}
	p.pair("last check", checked+", "+when(s.Checked))
	if s.Note != "" {
		p.pair("note", s.Note)
	}
}

func printTerminal(p *printer, t ops.TerminalRow) {
	how := "ready"
	if t.Reason != nil {
		how = t.Reason.Words
	}
	p.pair("terminal "+t.Name, how)
}

func printDiagnosis(p *printer, d ops.Diagnosis) {
	for _, l := range d.Lines {
		text := p.paint(l.Verdict) + "\t" + l.Name + "\t" + l.Value
		if l.Next != "" {
			text += "\t→ " + l.Next
		}
		p.line(text)
	}
}

func printVerification(p *printer, v ops.Verification) {
	p.pair("store", fmt.Sprintf("%d pages, %d records, %d keys read", v.Store.Pages, v.Store.Records, v.Store.Keys))
	p.pair("books", fmt.Sprintf("%d entries, %d postings, %d open items, %d pending", v.Books.Entries, v.Books.Postings, v.Books.Items, v.Books.Pending))
	p.pair("payments", fmt.Sprintf("%d attempts compared with the books", v.Payments.Attempts))
	p.pair("days", fmt.Sprintf("%d sealed, each folded anew from the journal", v.Days.Sheets))
	p.pair("audit", fmt.Sprintf("%d events, root %s", v.Audit.Events, v.Audit.Root))
	for _, f := range v.Findings {
		p.pair("FOUND", fmt.Sprintf("%s, %s %d: %s", f.Part, f.Where, f.Position, f.What))
	}
	if v.OK {
		p.pair("result", "everything is as it was written")
		return
	}
	p.pair("result", "NOT as it was written. Change nothing on the disk, and give these lines to support.")
}
