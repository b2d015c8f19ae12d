package ops

import (
	"cmp"
	"context"
	"encoding/hex"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Status is how the box is.
type Status struct {
	Version   string        `json:"version"`
	State     State         `json:"state"`
	Reason    *Reason       `json:"reason,omitempty"` // why it is sealed
	Clinic    string        `json:"clinic"`
	Demo      bool          `json:"demo"`
	Started   time.Time     `json:"started"`
	Seal      *seal.Status  `json:"seal,omitempty"`
	Store     *StoreStatus  `json:"store,omitempty"`
	Terminals []TerminalRow `json:"terminals"`
}

// Reason is why something is as it is, in words with the next step.
type Reason struct {
	Code  string `json:"code"` // such as "SEAL-003"; the fault's kind if it has no code
	Words string `json:"words"`
}

// StoreStatus is the open store in figures.
type StoreStatus struct {
	ID        ident.ID[ident.Store] `json:"id"`
	Sequence  uint64                `json:"sequence"` // number of the last commit
	Records   uint64                `json:"records"`
	Events    uint64                `json:"events"` // of the audit trail
	FileBytes int64                 `json:"file_bytes"`
	FreeBytes int64                 `json:"free_bytes"`       // on its disk
	AuditRoot string                `json:"audit_root"`       // hex, RFC 6962 tree hash over all events
	Torn      bool                  `json:"torn"`             // a head page was damaged at opening, as by a power cut
	Lost      uint64                `json:"lost"`             // number of a commit that was confirmed and is gone; 0: none is known
	LostAt    time.Time             `json:"lost_at,omitzero"` // when it was confirmed; the zero time if none is known
	Witness   vault.Witness         `json:"witness"`          // whether coffer.last could tell at opening
	Note      string                `json:"note,omitempty"`   // what that comes to, in words
	Checked   time.Time             `json:"checked"`          // end of the last check of the whole store
	CheckedOK bool                  `json:"checked_ok"`
}

// TerminalRow is one card terminal.
type TerminalRow struct {
	Name        string    `json:"name"`
	Attached    bool      `json:"attached"`
	Quarantined bool      `json:"quarantined"`
	Simulated   bool      `json:"simulated"`
	Model       string    `json:"model"`
	Serial      string    `json:"serial"`
	App         string    `json:"app"`
	Since       time.Time `json:"since"`
	Reason      *Reason   `json:"reason,omitempty"` // why it cannot be used
}

// Status returns how the box is. It is never refused for being sealed.
func (o *Ops) Status(ctx context.Context, agent access.Agent) (Status, error) {
	store, checked, sealed := o.look()
	if err := o.permit(ctx, agent, access.BoxStatus, store); err != nil {
		return Status{}, err
	}
	s := Status{
		Version: o.machine.Version, State: state(sealed, store), Clinic: o.machine.Clinic, Demo: o.machine.Demo,
		Started: o.started, Terminals: []TerminalRow{},
	}
	if sealed != nil {
		s.Reason = reasonOf(sealed)
	}
	if store != nil {
		s.Seal = &store.Seal
		s.Store = storeStatus(store, checked)
		for _, t := range store.Terminals {
			s.Terminals = append(s.Terminals, terminalRow(t))
		}
	}
	return s, nil
}

// reasonOf returns what people may know of an error.
func reasonOf(err error) *Reason {
	return &Reason{Code: cmp.Or(Code(err), fault.KindOf(err).String()), Words: Words(err)}
}

func storeStatus(store *Store, checked check) *StoreStatus {
	v := store.Vault.Status()
	what, next := openingNote(v)
	return &StoreStatus{
		ID: v.StoreID, Sequence: v.Sequence, Records: v.Records, Events: v.Events,
		FileBytes: v.FileBytes, FreeBytes: v.FreeBytes, AuditRoot: hex.EncodeToString(v.Root[:]),
		Torn: v.Torn, Lost: v.Lost, LostAt: v.LostAt, Witness: v.Witness, Note: strings.TrimSpace(what + " " + next),
		Checked: checked.at, CheckedOK: checked.ok,
	}
}

func terminalRow(t *terminal.Terminal) TerminalRow {
	s := t.Status()
	r := TerminalRow{
		Name: t.Name(), Attached: s.Attached, Quarantined: s.Quarantined, Simulated: t.Simulated(),
		Model: s.Device.Model, Serial: s.Device.Serial, App: s.Device.App, Since: s.Since,
	}
	if s.Quarantined || !s.Attached {
		w := protocol.Words(s.Reason)
		r.Reason = &Reason{Code: string(s.Reason), Words: w.What + " " + w.Next}
	}
	return r
}
