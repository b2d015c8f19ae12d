package ops

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/custody"
	"coffer/internal/fault"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
)

// TerminalList is the card terminals as they are now, and the register of
// devices.
type TerminalList struct {
	Verdict   Verdict          `json:"verdict"` // the worst: fail when one may not be used
	Terminals []TerminalRow    `json:"terminals"`
	Devices   []custody.Device `json:"devices"`
	Policy    custody.Policy   `json:"policy"`
}

// TerminalProbed is what a terminal says of itself.
type TerminalProbed struct {
	Name    string `json:"name"`
	Profile string `json:"profile"`
	Serial  string `json:"serial"`
	Model   string `json:"model"`
	App     string `json:"app"`
	OS      string `json:"os"`
	// Registered says that the register has this device at this connection.
	Registered bool    `json:"registered"`
	Reason     *Reason `json:"reason,omitempty"` // why it may not be used
	Millis     int64   `json:"round_trip_ms"`
	// Answers says, of a test, that the terminal can tell what became of a payment.
	Answers bool `json:"answers_lookup"`
}

// PairingAsked is what IT reads off the label of the device at a connection.
type PairingAsked struct {
	Name     string `json:"name"` // of the connection
	Label    string `json:"label"`
	Location string `json:"location"`
	Solution string `json:"p2pe_solution,omitempty"`
	Keys     string `json:"keys_injected,omitempty"`
	// Swap says that the device which is deployed there is retired, and why.
	Swap string `json:"swap,omitempty"`
}

// TerminalPaired is a device that was deployed.
type TerminalPaired struct {
	At       time.Time `json:"at"`
	Device   string    `json:"device"` // identifier
	Terminal string    `json:"terminal"`
	Serial   string    `json:"serial"`
}

// The codes of reasons on which a page offers to pair or to swap.
const (
	NotRegistered = string(protocol.ReasonUnregistered)
	Substitution  = string(protocol.ReasonSubstitute)
)

var (
	errNoTerminal = fault.New(fault.NotFound, "There is no terminal of this name. Look at the list: cofferctl terminal list.")
	errNoRegister = fault.New(fault.Unavailable, "This box keeps no register of devices. Start Coffer with its boot file.")
)

// TerminalList returns the terminals and the register. It has no amounts.
func (o *Ops) TerminalList(ctx context.Context, agent access.Agent) (TerminalList, error) {
	l := TerminalList{Verdict: OK, Terminals: []TerminalRow{}, Devices: []custody.Device{}}
	store, err := o.open(ctx, agent, access.CustodyRead)
	if err != nil {
		return l, err
	}
	if store.Register == nil {
		return l, errNoRegister
	}
	h, err := store.Register.List(ctx, agent)
	if err != nil {
		return l, err
	}
	l.Devices, l.Policy = append(l.Devices, h.Devices...), h.Policy
	for _, d := range h.Devices {
		if (d.Overdue || d.Unknown) && d.Status == custody.Deployed && l.Verdict == OK {
			l.Verdict = Warn
		}
	}
	for _, t := range store.Terminals {
		row := terminalRow(t)
		if row.Reason != nil {
			l.Verdict = Fail
		}
		l.Terminals = append(l.Terminals, row)
	}
	return l, nil
}

func (s *Store) terminal(name string) (*terminal.Terminal, error) {
	for _, t := range s.Terminals {
		if t.Name() == name {
			return t, nil
		}
	}
	return nil, errNoTerminal
}

// TerminalProbe asks a terminal what it is: a handshake, and nothing else.
func (o *Ops) TerminalProbe(ctx context.Context, agent access.Agent, name string) (TerminalProbed, error) {
	var p TerminalProbed
	err := o.act(ctx, agent, access.TerminalWrite, "probe", func(store *Store) ([]fact, error) {
		t, err := store.terminal(name)
		if err != nil {
			return nil, err
		}
		p, err = o.probe(ctx, t)
		return p.facts(), err
	})
	return p, err
}

// neverUsed is a reference that no payment ever has: those count from
// 100000000001.
const neverUsed = "1"

// TerminalTest is TerminalProbe, and asks besides for a payment that never was:
// whether the terminal can tell what became of one. Neither can move money.
func (o *Ops) TerminalTest(ctx context.Context, agent access.Agent, name string) (TerminalProbed, error) {
	var p TerminalProbed
	err := o.act(ctx, agent, access.TerminalWrite, "test", func(store *Store) ([]fact, error) {
		t, err := store.terminal(name)
		if err != nil {
			return nil, err
		}
		if p, err = o.probe(ctx, t); err != nil {
			return p.facts(), err
		}
		answer, err := t.Lookup(ctx, protocol.Question{Ref: neverUsed, Kind: protocol.Sale, Amount: 1, Serial: p.Serial})
		p.Answers = answer.Result == protocol.NotCharged || answer.Reason == protocol.ReasonUnproven
		return p.facts(), err
	})
	return p, err
}

func (p TerminalProbed) facts() []fact {
	return []fact{{Key: "terminal", Value: p.Name}, {Key: "serial", Value: p.Serial}}
}

func (o *Ops) probe(ctx context.Context, t *terminal.Terminal) (TerminalProbed, error) {
	p := TerminalProbed{Name: t.Name(), Profile: t.Profile()}
	begun := o.machine.Now()
	d, why, err := t.Probe(ctx)
	if err != nil {
		return p, err
	}
	if why != protocol.ReasonNone {
		return p, custody.ErrSilent
	}
	p.Millis = o.machine.Now().Sub(begun).Milliseconds()
	p.Serial, p.Model, p.App, p.OS = d.Serial, d.Model, d.App, d.OS
	row := terminalRow(t)
	p.Reason, p.Registered = row.Reason, row.Reason == nil || row.Reason.Code != string(protocol.ReasonUnregistered) && row.Reason.Code != string(protocol.ReasonSubstitute)
	return p, nil
}

// TerminalPair asks the terminal at a connection what it is and deploys it,
// when that is what its label says. With Swap it takes the place of the device
// that is deployed there.
func (o *Ops) TerminalPair(ctx context.Context, agent access.Agent, q PairingAsked) (TerminalPaired, error) {
	store, err := o.open(ctx, agent, access.CustodyWrite)
	if err != nil {
		return TerminalPaired{}, err
	}
	t, err := store.terminal(q.Name)
	if err != nil {
		return TerminalPaired{}, err
	}
	if store.Register == nil {
		return TerminalPaired{}, errNoRegister
	}
	d, _, err := t.Probe(ctx)
	if err != nil {
		return TerminalPaired{}, err
	}
	p := custody.Pairing{
		Terminal: t.ID(), Name: t.Name(), Profile: t.Profile(), Wire: d, Label: q.Label,
		Location: q.Location, Solution: q.Solution, Keys: q.Keys, Why: q.Swap,
	}
	deploy := store.Register.Pair
	if q.Swap != "" {
		deploy = store.Register.Swap
	}
	id, err := deploy(ctx, agent, p)
	return TerminalPaired{At: o.machine.Now(), Device: id.String(), Terminal: t.Name(), Serial: d.Serial}, err
}

// custodyLines say which devices need somebody of IT.
func custodyLines(ctx context.Context, agent access.Agent, store *Store) []Line {
	if store.Register == nil {
		return nil
	}
	h, err := store.Register.List(ctx, agent)
	if err != nil {
		return []Line{{Fail, "devices", "unknown", Words(err)}}
	}
	var lines []Line
	for _, d := range h.Devices {
		name := "device " + d.Serial
		switch {
		case d.Status != custody.Deployed:
		case d.Failed:
			lines = append(lines, Line{Fail, name, "failed its inspection", "Take it away, and tell the processor; swap it for another one (cofferctl terminal pair --swap)."})
		case d.Overdue:
			lines = append(lines, Line{Warn, name, "inspection overdue since " + d.Due, "Inspect it: page Terminals."})
		case d.Unknown:
			lines = append(lines, Line{Warn, name, "runs software that nobody has accepted", "Look the version up at the processor, then accept it on the page Terminals, or take the terminal away."})
		}
	}
	return lines
}
