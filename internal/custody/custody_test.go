package custody_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"coffer/firmware-config"
	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/civil"
	"coffer/internal/custody"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// world is a register whose clock the test turns.
type world struct {
	*testing.T
	v   *vault.Vault
	r   *custody.Register
	now time.Time
	it  access.Agent
}

var (
	desk  = ident.ID[ident.Terminal]{6: 0x70, 8: 0x80, 15: 1}
	wire  = protocol.Device{Serial: "53236566", Model: "A35", OS: "10.0.27.8034R", App: "BroadPOS V1.04.07E_20240131"}
	newer = protocol.Device{Serial: "53236566", Model: "A35", OS: "10.0.27.8034R", App: "BroadPOS V2"}
)

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), it: accesstest.Agent(access.IT)}
	w.v = vaulttest.OpenWith(t, vault.Options{Tables: custody.Tables(), NoSync: true, Now: func() time.Time { return w.now }})
	w.r = custody.New(w.v, firmwareconfig.Catalogue{})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) refused(err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("got %v, want %v", err, want)
	}
}

func (w *world) pairing(d protocol.Device) custody.Pairing {
	return custody.Pairing{Terminal: desk, Name: "desk-1", Profile: "sim-pax", Wire: d, Label: d.Serial, Location: "front desk", Why: "the old one broke"}
}

// as runs fn in the transaction of a terminal that answers.
func (w *world) as(fn func(*vault.Tx) error) {
	w.Helper()
	r := access.Request{Agent: accesstest.System("till"), Action: access.TerminalAttach, Entity: access.Of(access.KindTerminal, desk), Purpose: access.Operations}
	w.must(w.v.Update(context.Background(), r, fn))
}

// judged demands a verdict on what answers at the desk.
func (w *world) judged(d protocol.Device, want protocol.Reason) custody.Verdict {
	w.Helper()
	var v custody.Verdict
	w.as(func(tx *vault.Tx) (err error) {
		v, err = w.r.Attach(tx, desk, d)
		return err
	})
	if v.Reason != want {
		w.Errorf("%+v is judged %q, want %q", d, v.Reason, want)
	}
	return v
}

func (w *world) dayOpens() (err error) {
	w.Helper()
	w.as(func(tx *vault.Tx) error {
		err = custody.DayMayOpen(tx)
		return nil
	})
	return err
}

// inspect answers every step well, but for what spoil changes.
func (w *world) inspect(id ident.ID[ident.Device], spoil func([]custody.Answer)) bool {
	w.Helper()
	h, err := w.r.One(w.Context(), w.it, id)
	w.must(err)
	steps, err := w.r.Steps(h.Device)
	w.must(err)
	var answers []custody.Answer
	for _, s := range steps {
		a := custody.Answer{Step: s.ID, OK: true}
		if s.Kind == firmwareconfig.StepSerial {
			a.Text = h.Serial
		}
		answers = append(answers, a)
	}
	if spoil != nil {
		spoil(answers)
	}
	passed, err := w.r.Inspect(w.Context(), w.it, id, answers, nil)
	w.must(err)
	return passed
}

// TestOnlyTheRegisteredDevice: nothing is used before it is paired, and nothing
// but what was paired.
func TestOnlyTheRegisteredDevice(t *testing.T) {
	w := newWorld(t)
	changes := 0
	w.r.OnChange(func() { changes++ })
	w.judged(wire, protocol.ReasonUnregistered)
	p := w.pairing(wire)
	p.Label = "99999999"
	_, err := w.r.Pair(t.Context(), w.it, p)
	w.refused(err, custody.ErrLabel)
	p = w.pairing(protocol.Device{})
	p.Label = "53236566"
	_, err = w.r.Pair(t.Context(), w.it, p)
	w.refused(err, custody.ErrSilent)
	w.judged(wire, protocol.ReasonUnregistered)
	if changes != 0 {
		t.Errorf("%d changes told of", changes)
	}
	id, err := w.r.Pair(t.Context(), w.it, w.pairing(wire))
	w.must(err)
	w.judged(wire, protocol.ReasonNone)
	other := wire
	other.Serial = "99999999"
	w.judged(other, protocol.ReasonSubstitute)
	other = wire
	other.Model = "S300"
	w.judged(other, protocol.ReasonSubstitute)
	_, err = w.r.Pair(t.Context(), w.it, w.pairing(protocol.Device{Serial: "99999999"}))
	w.refused(err, custody.ErrTaken)
	elsewhere := w.pairing(wire)
	elsewhere.Terminal[15]++
	_, err = w.r.Pair(t.Context(), w.it, elsewhere)
	w.refused(err, custody.ErrKnown)
	w.must(w.r.Send(t.Context(), w.it, id, custody.Repair, "", "screen is dark"))
	w.judged(wire, protocol.ReasonUnregistered)
	if changes != 2 {
		t.Errorf("%d changes told of", changes)
	}
}

// TestSwap retires the old device and deploys the new one in one act.
func TestSwap(t *testing.T) {
	w := newWorld(t)
	fresh := wire
	fresh.Serial = "77770001"
	_, err := w.r.Swap(t.Context(), w.it, w.pairing(fresh))
	w.refused(err, custody.ErrVacant)
	old, err := w.r.Pair(t.Context(), w.it, w.pairing(wire))
	w.must(err)
	_, err = w.r.Swap(t.Context(), w.it, w.pairing(wire))
	w.refused(err, custody.ErrStatus)
	in, err := w.r.Swap(t.Context(), w.it, w.pairing(fresh))
	w.must(err)
	w.judged(wire, protocol.ReasonSubstitute)
	w.judged(fresh, protocol.ReasonNone)
	for id, want := range map[ident.ID[ident.Device]]custody.What{old: custody.SwappedOut, in: custody.SwappedIn} {
		h, err := w.r.One(t.Context(), w.it, id)
		w.must(err)
		if h.Log[0].What != want || h.Log[0].OtherLabel == "" || h.Log[0].By != w.it.Name() || (id == old) != (h.Status == custody.Retired) {
			t.Errorf("%s: %+v", want, h)
		}
	}
}

// TestShipments: a device that came in a bag that nobody has compared does not
// come on the register.
func TestShipments(t *testing.T) {
	w := newWorld(t)
	a := custody.Arrival{Serial: "53236566", Profile: "pax-a35", Location: "safe", Keys: "2026-11-01", Shipment: custody.Shipment{Tracking: "1Z", Bag: "T-1"}}
	_, err := w.r.Receive(t.Context(), w.it, a)
	w.refused(err, custody.ErrShipment)
	a.Intact = true
	for field, spoil := range map[error]func(*custody.Arrival){
		custody.ErrSerial: func(a *custody.Arrival) { a.Serial = "5 3" }, custody.ErrProfile: func(a *custody.Arrival) { a.Profile = "pax-x" },
		custody.ErrLocation: func(a *custody.Arrival) { a.Location = " " }, custody.ErrDate: func(a *custody.Arrival) { a.Keys = "yesterday" },
		custody.ErrText: func(a *custody.Arrival) { a.Solution = "a\nb" },
	} {
		b := a
		spoil(&b)
		_, err := w.r.Receive(t.Context(), w.it, b)
		w.refused(err, field)
	}
	id, err := w.r.Receive(t.Context(), w.it, a)
	w.must(err)
	_, err = w.r.Receive(t.Context(), w.it, a)
	w.refused(err, custody.ErrKnown)
	w.judged(wire, protocol.ReasonUnregistered)
	paired, err := w.r.Pair(t.Context(), w.it, w.pairing(wire))
	w.must(err)
	if paired != id {
		t.Error("the device that was received is another one than that which was paired")
	}
	w.refused(w.r.Return(t.Context(), w.it, id, "safe", a.Shipment), custody.ErrStatus)
	w.must(w.r.Move(t.Context(), w.it, id, "room 2", ""))
	w.must(w.r.Send(t.Context(), w.it, id, custody.Transit, "1Z9", "to the other office"))
	w.must(w.r.Return(t.Context(), w.it, id, "safe", a.Shipment))
	w.must(w.r.Retire(t.Context(), w.it, id, "too old"))
	w.refused(w.r.Move(t.Context(), w.it, id, "room 3", ""), custody.ErrStatus)
	_, err = w.r.Pair(t.Context(), w.it, w.pairing(wire))
	w.refused(err, custody.ErrRetired)
	h, err := w.r.One(t.Context(), w.it, id)
	w.must(err)
	want := []custody.What{custody.GivenUp, custody.Returned, custody.Sent, custody.Moved, custody.Paired, custody.Received}
	for i, e := range h.Log {
		if e.What != want[i] || e.By != w.it.Name() {
			t.Errorf("line %d is %+v, want %s", i, e, want[i])
		}
	}
	if len(h.Log) != len(want) {
		t.Errorf("%d lines", len(h.Log))
	}
}

// TestInspectionsFallDue walks through the three policies.
func TestInspectionsFallDue(t *testing.T) {
	w := newWorld(t)
	owner := accesstest.Agent(access.Owner)
	id, err := w.r.Pair(t.Context(), w.it, w.pairing(wire))
	w.must(err)
	set := func(o custody.Overdue) {
		w.must(w.r.SetPolicy(t.Context(), owner, custody.Policy{Days: 7, Reason: "two desks, nobody at night", Overdue: o, Firmware: custody.FirmwareWarns}))
	}
	set(custody.OverdueShuts)
	w.now = w.now.AddDate(0, 0, 7)
	w.judged(wire, protocol.ReasonNone)
	w.must(w.dayOpens())
	w.now = w.now.AddDate(0, 0, 1)
	w.judged(wire, protocol.ReasonInspection)
	w.refused(w.dayOpens(), custody.ErrShut)
	set(custody.OverdueRefuses)
	w.judged(wire, protocol.ReasonInspection)
	w.must(w.dayOpens())
	set(custody.OverdueAlerts)
	if v := w.judged(wire, protocol.ReasonNone); !v.Overdue {
		t.Error("nobody is alerted")
	}
	set(custody.OverdueShuts)
	if !w.inspect(id, nil) {
		t.Error("a good inspection failed")
	}
	w.judged(wire, protocol.ReasonNone)
	w.must(w.dayOpens())
	w.refused(w.r.SetPolicy(t.Context(), owner, custody.Policy{Days: 7, Overdue: custody.OverdueShuts, Firmware: custody.FirmwareWarns}), custody.ErrPolicy)
}

// TestFailedInspection bars a device, whatever the policy, until a better one.
func TestFailedInspection(t *testing.T) {
	for name, spoil := range map[string]func([]custody.Answer){
		"a no":             func(a []custody.Answer) { a[2].OK = false },
		"another number":   func(a []custody.Answer) { a[0].Text = "99999999" },
		"number and a yes": func(a []custody.Answer) { a[1].Text, a[1].OK = "53236560", true },
	} {
		w := newWorld(t)
		id, err := w.r.Pair(t.Context(), w.it, w.pairing(wire))
		w.must(err)
		if w.inspect(id, spoil) {
			t.Errorf("%s: passed", name)
		}
		w.judged(wire, protocol.ReasonTampered)
		if !w.inspect(id, nil) {
			t.Errorf("%s: the second inspection failed", name)
		}
		w.judged(wire, protocol.ReasonNone)
	}
	w := newWorld(t)
	id, err := w.r.Pair(t.Context(), w.it, w.pairing(wire))
	w.must(err)
	_, err = w.r.Inspect(t.Context(), w.it, id, []custody.Answer{{Step: "overlay", OK: true}}, nil)
	w.refused(err, custody.ErrAnswers)
}

// TestFirmware: software that nobody has accepted warns, or bars the device,
// until IT accepts it.
func TestFirmware(t *testing.T) {
	w := newWorld(t)
	id, err := w.r.Pair(t.Context(), w.it, w.pairing(wire))
	w.must(err)
	w.refused(w.r.Accept(t.Context(), w.it, id, "looked up"), custody.ErrNoVersions)
	if v := w.judged(newer, protocol.ReasonNone); !v.Unknown {
		t.Error("unknown software is not noticed")
	}
	w.must(w.r.SetPolicy(t.Context(), accesstest.Agent(access.Officer), custody.Policy{Days: 30, Reason: "r", Overdue: custody.OverdueAlerts, Firmware: custody.FirmwareBlocks}))
	w.judged(newer, protocol.ReasonFirmware)
	w.judged(wire, protocol.ReasonNone)
	w.judged(newer, protocol.ReasonFirmware)
	w.must(w.r.Accept(t.Context(), w.it, id, "on the processor's list"))
	w.judged(newer, protocol.ReasonNone)
	h, err := w.r.One(t.Context(), w.it, id)
	w.must(err)
	if len(h.Seen) != 4 || h.Unknown {
		t.Errorf("seen: %+v", h.Seen)
	}
}

// TestEvidence has what happened in the period and nothing else.
func TestEvidence(t *testing.T) {
	w := newWorld(t)
	id, err := w.r.Pair(t.Context(), w.it, w.pairing(wire))
	w.must(err)
	first := civil.Of(w.now)
	w.now = w.now.AddDate(0, 0, 3)
	w.inspect(id, nil)
	officer := accesstest.Agent(access.Officer)
	e, err := w.r.Evidence(t.Context(), officer, civil.Range{First: first + 1, Last: first + 9})
	w.must(err)
	if len(e.Log) != 0 || len(e.Inspections) != 1 || len(e.Holding.Devices) != 1 || !e.Inspections[0].Passed {
		t.Errorf("%+v", e)
	}
	_, err = w.r.Evidence(t.Context(), officer, civil.Range{First: first, Last: first - 1})
	w.refused(err, custody.ErrRange)
}

// TestOthersAreRefused: the register is IT's, its policy the owner's and the
// officer's.
func TestOthersAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, role := range []access.Role{access.FrontDesk, access.Therapist, access.Accountant, access.Owner, access.Officer, access.System} {
		agent := accesstest.Agent(role)
		if _, err := w.r.Pair(t.Context(), agent, w.pairing(wire)); err == nil {
			t.Errorf("%s has paired a terminal", role)
		}
		_, err := w.r.List(t.Context(), agent)
		if reads := role == access.Owner || role == access.Officer; (err == nil) != reads {
			t.Errorf("%s reads the register: %v", role, err)
		}
	}
	if w.r.SetPolicy(t.Context(), w.it, custody.Policy{Days: 1, Reason: "r", Overdue: custody.OverdueAlerts, Firmware: custody.FirmwareWarns}) == nil {
		t.Error("IT has changed the policy")
	}
}
