package ops

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// refusal is an attempt to open the store that failed. The trail is behind the
// seal then, so it is kept in coffer.refused, one JSON object on a line, until
// the store is open. Whoever can change that file can hide an attempt, and
// whoever can is root on the box.
type refusal struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // "open", "pin", "sheet", "restore" or "recovered"
	Code string    `json:"code"` // such as SEAL-003
	Via  string    `json:"via,omitempty"`
}

// refusalsMax bounds the file: 64 KiB, some 600 attempts.
const refusalsMax = 64 << 10

func (o *Ops) refusalsPath() string { return filepath.Join(o.machine.State, "coffer.refused") }

// remember adds a refusal to the file. That it cannot must not keep anybody
// from opening the store: a disk that takes no line takes no store either.
func (o *Ops) remember(r refusal) {
	if fi, err := os.Lstat(o.refusalsPath()); err == nil && (fi.Size() > refusalsMax || !fi.Mode().IsRegular()) {
		return
	}
	line, err := json.Marshal(r)
	if err != nil {
		return
	}
	f, err := os.OpenFile(o.refusalsPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	if _, err := f.Write(append(line, '\n')); err == nil {
		_ = f.Sync() // as above
	}
	_ = f.Close() // as above
}

const textRefusals = "The list of failed openings, coffer.refused, can't be read or removed. Look at the state directory's disk and its rights, then start Coffer again."

// recordRefusals puts what was remembered into the trail and forgets it. Lines
// that are none are counted in the last event, and so is what is no file: that
// is none of ours, and must neither stop the start nor make it wait.
func (o *Ops) recordRefusals(ctx context.Context, v *vault.Vault) error {
	fi, err := os.Lstat(o.refusalsPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	text := []byte("no file")
	if err == nil && fi.Mode().IsRegular() {
		text, err = readAtMost(o.refusalsPath(), 2*refusalsMax)
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, textRefusals)
	}
	for _, r := range parseRefusals(text) {
		if err := v.Record(ctx, request(o.machine.Daemon, access.StoreOpen), r.outcome(), o.factsOf(r)...); err != nil {
			return err
		}
	}
	if err := os.Remove(o.refusalsPath()); err != nil {
		return fault.Wrap(err, fault.Unavailable, textRefusals)
	}
	return nil
}

// readAtMost returns the first bytes of a file.
func readAtMost(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // nothing was written
	return io.ReadAll(io.LimitReader(f, n))
}

// recovered is the What of an opening by the recovery sheet, which succeeded.
const recovered = "recovered"

func (r refusal) outcome() audit.Outcome {
	if r.What == recovered {
		return audit.OK
	}
	return audit.Refused
}

// factsOf returns what the trail gets of a refusal. The reason that was given
// for a recovery was kept in memory alone.
func (o *Ops) factsOf(r refusal) []fact {
	facts := []fact{
		{Key: "what", Value: r.What}, {Key: "code", Value: r.Code}, {Key: "via", Value: r.Via},
		{Key: "at", Value: r.At.UTC().Format(time.RFC3339)},
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.What == recovered && o.reason != "" {
		facts = append(facts, fact{Key: "reason", Value: o.reason})
	}
	return facts
}

// parseRefusals reads the lines of the file. One that is none, as after a power
// cut or by another's hand, becomes a refusal of the kind "unreadable".
func parseRefusals(text []byte) []refusal {
	var all []refusal
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, refusalsMax*2)
	for lines.Scan() {
		var r refusal
		if json.Unmarshal(lines.Bytes(), &r) != nil || !word(r.What) || !word(r.Code) || len(r.Via) > 100 {
			r = refusal{What: "unreadable"}
		}
		all = append(all, r)
	}
	if lines.Err() != nil { // one that is too long, and all behind it
		all = append(all, refusal{What: "unreadable"})
	}
	return all
}

// word reports whether s is a word of the program.
func word(s string) bool {
	if len(s) > 40 {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
