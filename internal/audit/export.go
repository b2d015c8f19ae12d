package audit

import (
	"bufio"
	_ "embed"
	"encoding/hex"
	"io"
	"strconv"
)

// An export is a text file of one JSON object per line, each with one member
// whose name says what the line is. verifyText, which each export carries,
// describes it.

//go:embed VERIFY.md
var verifyText string

// The members of an export's lines.
const (
	lineExport     = `{"export":{"v":1,"origin":`
	lineVerify     = `{"verify":`
	lineKeys       = `{"keys":`
	lineLeaf       = `{"leaf":`
	lineSalt       = `{"opening":{"salt":"`
	linePrivate    = `","private":`
	lineWithheld   = `{"withheld":"`
	lineCheckpoint = `{"checkpoint":`
	lineEnd        = `{"end":{"events":`
)

// lineBytesMax bounds a line of an export, and so the memory of who reads it.
const lineBytesMax = 2 << 20

// Exporter writes an export. After an error it writes nothing more; End
// returns it.
type Exporter struct {
	w      *bufio.Writer
	line   []byte
	events uint64
	err    error
}

// NewExporter begins an export of the trail with the given origin.
func NewExporter(w io.Writer, origin string) *Exporter {
	e := &Exporter{w: bufio.NewWriterSize(w, 64<<10)}
	e.text(lineExport, origin, "}}\n")
	e.text(lineVerify, verifyText, "}\n")
	return e
}

// Keys names the keys of the checkpoints that follow.
func (e *Exporter) Keys(k Keys) { e.text(lineKeys, k.Text(), "}\n") }

// Leaf writes the next event, and its private part unless it is to be
// withheld (zero).
func (e *Exporter) Leaf(r Record) {
	e.events++
	e.write(append(append(append(e.line[:0], lineLeaf...), r.Leaf...), "}\n"...))
	if r.Opening.IsZero() {
		return
	}
	b := append(e.line[:0], lineSalt...)
	b = hex.AppendEncode(b, r.Opening.Salt[:])
	b = append(append(b, linePrivate...), r.Opening.Private...)
	e.write(append(b, "}}\n"...))
}

// Withheld writes the hash of the next event in place of its leaf.
func (e *Exporter) Withheld(leaf Hash) {
	e.events++
	e.write(append(hex.AppendEncode(append(e.line[:0], lineWithheld...), leaf[:]), "\"}\n"...))
}

// Checkpoint writes the note of a checkpoint over all events so far.
func (e *Exporter) Checkpoint(note []byte) { e.text(lineCheckpoint, string(note), "}\n") }

// End completes the export.
func (e *Exporter) End() error {
	e.write(append(strconv.AppendUint(append(e.line[:0], lineEnd...), e.events, 10), "}}\n"...))
	if e.err == nil {
		e.err = e.w.Flush()
	}
	return e.err
}

// text writes a line that holds one JSON string.
func (e *Exporter) text(head, text, tail string) {
	e.write(append(appendString(append(e.line[:0], head...), text), tail...))
}

func (e *Exporter) write(line []byte) {
	e.line = line
	if e.err == nil {
		_, e.err = e.w.Write(line)
	}
}
