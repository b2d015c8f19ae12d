package ops

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/pan"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Scope is what a search of the box for card numbers read and found. It names
// places and never a digit.
type Scope struct {
	OK        bool            `json:"ok"`
	At        time.Time       `json:"at"`
	Sequence  uint64          `json:"sequence"` // of the commit that was read
	Tables    []ScopeTable    `json:"tables"`
	Tokens    uint64          `json:"tokens"` // of the processor, not judged
	Terminals []ScopeTerminal `json:"terminals"`
	Findings  []PartFinding   `json:"findings"`
	Statement string          `json:"statement"` // signed (audit.OpenStatement)
}

// ScopeTable is what was read of one table.
type ScopeTable struct {
	Name    string `json:"name"`
	Records uint64 `json:"records"`
	Bytes   uint64 `json:"bytes"`  // in clear
	Erased  uint64 `json:"erased"` // records whose private part no key opens any more
}

// ScopeTerminal is a card terminal of the box.
type ScopeTerminal struct {
	Name    string `json:"name"`
	Serial  string `json:"serial"` // as it says itself; empty while it is away
	Profile string `json:"profile"`
}

// ProveScope searches the decrypted store and the audit trail for card numbers
// and signs what was read. Keeps PCI DSS 12.5.2: the scope is confirmed. It
// reads neither backups, which are copies of the store, nor the journal of the
// operating system, into which Coffer masks what it writes.
func (o *Ops) ProveScope(ctx context.Context, agent access.Agent) (Scope, error) {
	store, err := o.open(ctx, agent, access.ScopeProve)
	if err != nil {
		return Scope{}, err
	}
	if !o.verifying.TryLock() {
		return Scope{}, errBusy
	}
	defer o.verifying.Unlock()
	searched, err := store.Vault.Prove(ctx, request(agent, access.ScopeProve), vault.Search{In: holdsCard, Exempt: reflect.TypeFor[protocol.Token]()})
	if err != nil {
		return Scope{}, err
	}
	s := Scope{
		OK: len(searched.Found) == 0, At: o.machine.Now(), Sequence: searched.Sequence, Tables: []ScopeTable{}, Tokens: searched.Exempt,
		Terminals: []ScopeTerminal{}, Findings: []PartFinding{},
	}
	for _, t := range searched.Tables {
		s.Tables = append(s.Tables, ScopeTable(t))
	}
	for _, f := range searched.Found {
		s.Findings = append(s.Findings, PartFinding{Part: "card number", Where: f.Table, Position: f.Key, What: "a field looks like a card number"})
	}
	for _, t := range store.Terminals {
		s.Terminals = append(s.Terminals, ScopeTerminal{Name: t.Name(), Serial: t.Status().Device.Serial, Profile: t.Profile()})
	}
	signed, err := store.Vault.SignStatement(ctx, s.text(o.machine.Version))
	s.Statement = string(signed)
	return s, err
}

// holdsCard judges a field. A digest in hexadecimal, in which digits stand as
// they fall, is no text.
func holdsCard(text string) bool {
	return pan.In(text) && !(len(text) == digestLen && strings.Trim(text, "0123456789abcdef") == "" && strings.ContainsAny(text, "abcdef"))
}

// digestLen is the length of a SHA-256 in hexadecimal.
const digestLen = 64

// text returns the statement, a line for each fact.
func (s Scope) text(version string) string {
	var b strings.Builder
	b.WriteString(audit.StatementHead)
	fmt.Fprintf(&b, "made: %s by version %s\n", s.At.UTC().Format(time.RFC3339), oneLine(version))
	fmt.Fprintf(&b, "store: as of commit %d, decrypted, sealed fields included\n", s.Sequence)
	var records, bytes uint64
	for _, t := range s.Tables {
		fmt.Fprintf(&b, "table: %s, %d records, %d bytes, %d erased\n", t.Name, t.Records, t.Bytes, t.Erased)
		records, bytes = records+t.Records, bytes+t.Bytes
	}
	fmt.Fprintf(&b, "read: %d tables, %d records, %d bytes\n", len(s.Tables), records, bytes)
	fmt.Fprintf(&b, "not judged: %d tokens of the processor; identifiers, instants, digests and the audit tree\n", s.Tokens)
	b.WriteString("not read: backups, which are copies of the store, and the log, in which Coffer masks card numbers as it writes\n")
	for _, t := range s.Terminals {
		fmt.Fprintf(&b, "terminal: %s, serial %s, profile %s\n", oneLine(t.Name), oneLine(t.Serial), oneLine(t.Profile))
	}
	fmt.Fprintf(&b, "findings: %d\n", len(s.Findings))
	for _, f := range s.Findings[:min(len(s.Findings), findingsSigned)] {
		fmt.Fprintf(&b, "finding: %s, record %d\n", f.Where, f.Position)
	}
	return b.String()
}

// findingsSigned bounds how many findings a statement lists; it counts all.
const findingsSigned = 500

// oneLine returns a text as it may stand in a line of a statement.
func oneLine(s string) string {
	return pan.Mask(strings.Join(strings.Fields(s), " "))
}
