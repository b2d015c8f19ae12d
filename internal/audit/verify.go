package audit

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"

	"coffer/internal/fault"
)

// Trust is what the reader of an export knows from elsewhere.
type Trust struct {
	// Keys are fingerprints (Keys.Fingerprints) under which the last
	// checkpoint must be signed.
	Keys []string
	// Against is the text or the note of an older checkpoint; the export must
	// contain it. Empty: none is known.
	Against []byte
}

// Finding is one thing that is wrong with an export. It concerns the events
// from From to, but not including, To.
type Finding struct {
	What     Fault
	Line     uint64 // of the file, from 1
	From, To uint64
}

// findingsMax ends a verification: more findings tell nothing more.
const findingsMax = 20

// Report is what a verification of an export looked at and found.
type Report struct {
	Origin      string
	Events      uint64 // all of them
	Withheld    uint64 // events of which only the hash is given
	Opened      uint64 // events whose private part is given
	Checkpoints uint64
	Quoted      uint64 // checkpoints that a TPM signed
	Keys        Keys   // of the last checkpoint
	KeyChanges  uint64 // times that the keys changed
	Last        Checkpoint
	Against     bool // the older checkpoint is contained
	Findings    []Finding
}

// VerifyExport reads an export to its end and checks all that VERIFY.md asks
// for. The error comes from reading r alone; what is wrong with the export is
// in the report's findings. It needs 4 MiB of memory at most, whatever r holds.
func VerifyExport(r io.Reader, t Trust) (Report, error) {
	v := &exportReader{lines: bufio.NewReaderSize(r, 64<<10)}
	v.expect(t.Against)
	err := v.read()
	if err == nil {
		v.conclude(t)
	}
	return v.report, err
}

// exportReader verifies an export line by line.
type exportReader struct {
	lines   *bufio.Reader
	buffer  []byte
	line    uint64
	report  Report
	tree    Tree
	commit  *Hash // of the leaf before, while its opening may follow
	signed  uint64
	against *Checkpoint
	quote   *Quote // of the checkpoint before
	forked  bool
	stop    bool // nothing that follows would mean anything
	ended   bool
}

// expect takes in the older checkpoint.
func (v *exportReader) expect(old []byte) {
	if len(old) == 0 {
		return
	}
	text, _, _ := strings.Cut(string(old[:min(len(old), noteBytesMax)]), "\n\n")
	c, err := parseCheckpoint(strings.TrimSuffix(text, "\n") + "\n")
	if err != nil {
		v.found(BadAgainst, 0, 0)
		return
	}
	v.against = &c
}

func (v *exportReader) found(what Fault, from, to uint64) {
	v.report.Findings = append(v.report.Findings, Finding{what, v.line, from, to})
	v.stop = v.stop || len(v.report.Findings) == findingsMax
}

// fail notes a finding after which nothing can be said of the rest.
func (v *exportReader) fail(what Fault) {
	v.found(what, v.tree.size, v.tree.size)
	v.stop = true
}

// read takes in line after line.
func (v *exportReader) read() error {
	for !v.stop {
		v.line++
		line, err := v.next()
		switch {
		case err == io.EOF && len(line) == 0:
			if !v.ended {
				v.fail(Truncated)
			}
			return nil
		case err == io.EOF:
			v.fail(Truncated)
		case err != nil:
			return err
		case line == nil:
			v.fail(BadLine)
		case v.ended:
			v.fail(Trailing)
		default:
			v.take(line)
		}
	}
	return nil
}

// next returns the next line without its newline, nil when it is too long.
func (v *exportReader) next() ([]byte, error) {
	part, err := v.lines.ReadSlice('\n')
	if err == nil {
		return part[:len(part)-1], nil
	}
	v.buffer = append(v.buffer[:0], part...)
	for err == bufio.ErrBufferFull {
		if len(v.buffer) > lineBytesMax {
			return nil, nil
		}
		part, err = v.lines.ReadSlice('\n')
		v.buffer = append(v.buffer, part...)
	}
	if err != nil {
		return v.buffer, err
	}
	return v.buffer[:len(v.buffer)-1], nil
}

// take takes in one line.
func (v *exportReader) take(line []byte) {
	if bytes.HasPrefix(line, []byte(lineLeaf)) && v.line > 2 {
		v.takeLeaf(line)
		return
	}
	r := &reader{rest: string(line)}
	switch {
	case v.line == 1:
		v.takeHead(r)
	case v.line == 2:
		r.skip(lineVerify)
		r.text()
		v.closed(r, "}")
	case strings.HasPrefix(r.rest, lineSalt):
		v.takeOpening(r)
	case strings.HasPrefix(r.rest, lineWithheld):
		v.takeWithheld(r)
	case strings.HasPrefix(r.rest, lineKeys):
		v.takeKeys(r)
	case strings.HasPrefix(r.rest, lineCheckpoint):
		v.takeCheckpoint(r)
	case strings.HasPrefix(r.rest, lineEnd):
		v.takeEnd(r)
	default:
		v.fail(BadLine)
	}
}

// closed reports whether exactly tail is left of a line.
func (v *exportReader) closed(r *reader, tail string) bool {
	r.skip(tail)
	if r.failed || len(r.rest) != 0 {
		v.fail(BadLine)
		return false
	}
	return true
}

func (v *exportReader) takeHead(r *reader) {
	r.skip(lineExport)
	origin := r.text()
	if !validOrigin(origin) {
		r.fail()
	}
	if v.closed(r, "}}") {
		v.report.Origin = origin
	}
	if v.against != nil && v.against.Origin != origin {
		v.found(BadAgainst, 0, 0)
		v.against = nil
	}
	v.compare()
}

func (v *exportReader) takeLeaf(line []byte) {
	leaf := line[len(lineLeaf):]
	if len(leaf) == 0 || leaf[len(leaf)-1] != '}' {
		v.fail(BadLine)
		return
	}
	leaf = leaf[:len(leaf)-1]
	e, err := ParseLeaf(leaf)
	if err != nil {
		v.fail(BadLeaf)
		return
	}
	if e.Seq != v.tree.size {
		v.fail(BadSequence)
		return
	}
	v.append(LeafHash(leaf))
	v.commit = &e.Commit
}

func (v *exportReader) takeWithheld(r *reader) {
	r.skip(lineWithheld[:len(lineWithheld)-1])
	h := r.hash("")
	if v.closed(r, "}") {
		v.report.Withheld++
		v.append(h)
	}
}

func (v *exportReader) append(leaf Hash) {
	v.tree.grow(leaf)
	v.commit = nil
	v.report.Events++
	v.compare()
}

// compare compares the tree with the older checkpoint at its size.
func (v *exportReader) compare() {
	if v.against == nil || v.against.Size != v.tree.size {
		return
	}
	if v.report.Against = v.against.Root == v.tree.Root(); !v.report.Against {
		v.found(Fork, 0, v.tree.size)
	}
}

func (v *exportReader) takeOpening(r *reader) {
	r.skip(lineSalt[:len(lineSalt)-1])
	o := Opening{Salt: r.hash("")}
	r.skip(linePrivate[1:])
	private, ok := strings.CutSuffix(r.rest, "}}")
	if r.failed || !ok {
		v.fail(BadLine)
		return
	}
	o.Private = []byte(private)
	_, err := o.Details()
	if v.commit == nil || err != nil || o.Commit() != *v.commit {
		v.found(BadOpening, v.tree.size-min(1, v.tree.size), v.tree.size)
	}
	v.commit = nil
	v.report.Opened++
}

func (v *exportReader) takeKeys(r *reader) {
	r.skip(lineKeys)
	text := r.text()
	if !v.closed(r, "}") {
		return
	}
	k, err := ParseKeys(text)
	if err != nil || k.Origin != v.report.Origin {
		v.fail(BadLine)
		return
	}
	if v.report.Keys.Signing != nil {
		v.report.KeyChanges++
	}
	if !bytes.Equal(k.Attestation, v.report.Keys.Attestation) {
		v.quote = nil
	}
	v.report.Keys = k
}

func (v *exportReader) takeCheckpoint(r *reader) {
	r.skip(lineCheckpoint)
	text := r.text()
	if !v.closed(r, "}") {
		return
	}
	s, err := OpenCheckpoint([]byte(text), v.report.Keys)
	if err != nil {
		v.found(checkpointFault(err), v.signed, v.tree.size)
		c, _, err := splitNote([]byte(text))
		if err != nil {
			return
		}
		s = Signed{Checkpoint: c}
	}
	v.report.Checkpoints++
	v.compareHead(s)
	if s.Quote != nil {
		v.report.Quoted++
		v.compareQuote(*s.Quote)
	}
	v.report.Last, v.signed = s.Checkpoint, s.Size
}

// checkpointFault names the fault of a checkpoint.
func checkpointFault(err error) Fault {
	switch err {
	case ErrSignature:
		return BadSignature
	case ErrQuote:
		return BadQuote
	}
	return BadCheckpoint
}

// compareHead compares a checkpoint with the events before it.
func (v *exportReader) compareHead(s Signed) {
	switch {
	case s.Size != v.tree.size || v.report.Checkpoints > 1 && s.Size <= v.signed:
		v.fail(BadOrder)
	case s.Root != v.tree.Root() && !v.forked:
		v.forked = true // so are all that follow
		v.found(BadRoot, v.signed, s.Size)
	}
}

// compareQuote compares the TPM's clock with that of the checkpoint before.
func (v *exportReader) compareQuote(q Quote) {
	if p := v.quote; p != nil {
		starts := int32(q.ResetCount - p.ResetCount)
		if starts < 0 || starts == 0 && q.Clock < p.Clock {
			v.found(BadClock, v.signed, v.tree.size)
		}
	}
	v.quote = &q
}

func (v *exportReader) takeEnd(r *reader) {
	r.skip(lineEnd)
	n := r.number()
	if !v.closed(r, "}}") {
		return
	}
	v.ended = true
	if n != v.tree.size {
		v.found(BadSequence, v.tree.size, n)
	}
}

// conclude compares the whole with what is known from elsewhere.
func (v *exportReader) conclude(t Trust) {
	if v.stop {
		return
	}
	if v.report.Checkpoints == 0 || v.signed != v.tree.size {
		v.found(Unsigned, v.signed, v.tree.size)
	}
	signing, attestation := v.report.Keys.Fingerprints()
	for _, k := range t.Keys {
		if !slices.Contains([]string{signing, attestation}, k) {
			v.found(BadKey, 0, v.tree.size)
		}
	}
	if v.against != nil && v.against.Size > v.tree.size {
		v.found(SetBack, v.tree.size, v.against.Size)
	}
}

// ErrOpening is returned for a private part that can't be read.
var ErrOpening = fault.New(fault.Corrupt, "The private part of an event can't be read. Stop, and call IT.")

// Details returns the facts of the opening's private part.
func (o Opening) Details() ([]Detail, error) {
	r := reader{rest: string(o.Private)}
	var details []Detail
	r.skip("{")
	for sep := ""; !r.failed && len(r.rest) > 0 && r.rest[0] != '}'; sep = "," {
		r.skip(sep)
		d := Detail{Key: r.text()}
		r.skip(":")
		d.Value = r.text()
		details = append(details, d)
	}
	r.skip("}")
	if r.failed || len(r.rest) != 0 {
		return nil, ErrOpening
	}
	return details, nil
}
