package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/money"
)

// Act is what the issuer did.
type Act string

// The acts of the truth ledger.
const (
	Charge Act = "charge" // money taken from the card
	Void   Act = "void"   // a charge or refund of the open batch undone
	Refund Act = "refund" // money given back
	Batch  Act = "batch"  // the batch closed: records up to here leave the terminal
)

// Truth is one line of the ledger: what happened to the card holder's money.
type Truth struct {
	Seq         int          `json:"seq"` // 1, 2, 3 … without a gap
	Time        time.Time    `json:"time"`
	Act         Act          `json:"act"`
	Ref         string       `json:"ref"`             // ECR reference of the command
	Invoice     string       `json:"invoice"`         // as sent by the driver
	Requested   money.Amount `json:"requested_cents"` // what the command asked for
	Amount      money.Amount `json:"amount_cents"`    // what the issuer moved
	HostRef     string       `json:"host_ref"`
	AuthCode    string       `json:"auth_code"`
	TerminalRef string       `json:"terminal_ref"`
	Batch       string       `json:"batch"`
	Brand       string       `json:"brand"`
	LastFour    string       `json:"last_four"`
	EntryMode   string       `json:"entry_mode"`         // item of the account group: 1 swipe, 2 contactless, 4 chip
	Of          string       `json:"of,omitempty"`       // host reference of the charge voided or refunded
	OfRef       string       `json:"of_ref,omitempty"`   // its ECR reference
	OfAct       Act          `json:"of_act,omitempty"`   // what was voided
	Override    bool         `json:"override,omitempty"` // the driver asked for no duplicate check
}

// Net returns what the ledger's lines took from cards in all: charges, less
// voids of charges, less refunds, plus voids of refunds.
func Net(lines []Truth) money.Amount {
	var sum money.Amount
	for _, t := range lines {
		switch {
		case t.Act == Charge, t.Act == Void && t.OfAct == Refund:
			sum += t.Amount
		case t.Act == Refund, t.Act == Void:
			sum -= t.Amount
		}
	}
	return sum
}

// ReadLedger returns the lines of a ledger file, in order. A last line that was
// cut short is left out: its reply never left. A missing file is empty.
func ReadLedger(path string) ([]Truth, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sim: cannot read the ledger: %w", err)
	}
	lines, _, err := decodeLedger(bytes.NewReader(b))
	return lines, err
}

// decodeLedger returns the whole lines of r and their length in bytes.
func decodeLedger(r io.Reader) ([]Truth, int64, error) {
	var lines []Truth
	var whole int64
	in := bufio.NewReader(r)
	for {
		b, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return lines, whole, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("sim: cannot read the ledger: %w", err)
		}
		var t Truth
		if err := json.Unmarshal(b, &t); err != nil || t.Seq != len(lines)+1 {
			return nil, 0, fmt.Errorf("sim: line %d of the ledger is damaged; move the file away to start afresh", len(lines)+1)
		}
		lines = append(lines, t)
		whole += int64(len(b))
	}
}

// book is the truth ledger: in memory, and in a file when it has one.
type book struct {
	lines []Truth
	file  *os.File
}

// openBook reads the ledger at path, cuts off a torn last line and keeps the
// file open for appending. An empty path gives a book in memory.
func openBook(path string) (*book, error) {
	if path == "" {
		return &book{}, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sim: cannot open the ledger: %w", err)
	}
	lines, whole, err := decodeLedger(f)
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &book{lines: lines, file: f}, nil
}

// syncDir makes the entry of a new file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sim: cannot open the ledger's directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// append adds t as the next line; it is durable when append returns nil.
func (b *book) append(t Truth) (Truth, error) {
	t.Seq = len(b.lines) + 1
	if b.file != nil {
		line, err := json.Marshal(t)
		if err != nil {
			return Truth{}, fmt.Errorf("sim: cannot write the ledger: %w", err)
		}
		if _, err := b.file.Write(append(line, '\n')); err != nil {
			return Truth{}, fmt.Errorf("sim: cannot write the ledger: %w", err)
		}
		if err := b.file.Sync(); err != nil {
			return Truth{}, fmt.Errorf("sim: cannot write the ledger: %w", err)
		}
	}
	b.lines = append(b.lines, t)
	return t, nil
}

// abandon gives up a file that cannot be written.
func (b *book) abandon() {
	if b.file != nil {
		b.file.Close() // the failure to write has been reported already
		b.file = nil
	}
}

func (b *book) close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// open returns the lines of the batch that is open now, oldest first.
func (b *book) open() []Truth {
	for i := len(b.lines) - 1; i >= 0; i-- {
		if b.lines[i].Act == Batch {
			return b.lines[i+1:]
		}
	}
	return b.lines
}

// batch returns the number of the open batch.
func (b *book) batch() string {
	n := 1
	for _, t := range b.lines {
		if t.Act == Batch {
			n++
		}
	}
	return fmt.Sprint(n)
}

// newest returns the newest line that ok accepts.
func newest(lines []Truth, ok func(Truth) bool) (Truth, bool) {
	for i := len(lines) - 1; i >= 0; i-- {
		if ok(lines[i]) {
			return lines[i], true
		}
	}
	return Truth{}, false
}

// left returns how much of the line with that host reference still stands
// after later voids and refunds.
func (b *book) left(of Truth) money.Amount {
	left := of.Amount
	for _, t := range b.lines {
		switch {
		case t.Of != of.HostRef:
		case t.Act == Void:
			return 0
		case t.Act == Refund:
			left -= t.Amount
		}
	}
	return left
}

// voided reports whether a later line undid the one with that host reference.
func (b *book) voided(o Truth) bool {
	_, ok := newest(b.lines, func(v Truth) bool { return v.Act == Void && v.Of == o.HostRef })
	return ok
}
