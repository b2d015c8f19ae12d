package demo

import (
	"context"
	"time"

	"coffer/firmware-config"
	"coffer/internal/access"
	"coffer/internal/custody"
	"coffer/internal/terminal/protocol"
)

// inspectionDays is how often the sample clinic's IT inspects the terminal.
const inspectionDays = 28

// it returns the sample clinic's IT.
func (f *furnisher) it() access.Agent {
	for _, p := range staff {
		if p.role == access.IT {
			return f.as(p.signIn)
		}
	}
	return access.Agent{}
}

// pair registers the sample terminal as IT does: it answers, and the label says
// the same.
func (f *furnisher) pair(ctx context.Context) error {
	wire := f.Wire()
	for ; wire == (protocol.Device{}); wire = f.Wire() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	id, err := f.Register.Pair(ctx, f.it(), custody.Pairing{
		Terminal: f.Terminal, Name: terminalName, Profile: terminalProfile, Wire: wire, Label: terminalSerial,
		Location: "Front desk", Solution: "sample, listed nowhere",
	})
	f.device = id
	return err
}

// inspect answers each step of an inspection as somebody does who finds nothing
// wrong.
func (f *furnisher) inspect(ctx context.Context) error {
	h, err := f.Register.One(ctx, f.it(), f.device)
	if err != nil {
		return err
	}
	steps, err := f.Register.Steps(h.Device)
	if err != nil {
		return err
	}
	var answers []custody.Answer
	for _, s := range steps {
		a := custody.Answer{Step: s.ID, OK: true}
		if s.Kind == firmwareconfig.StepSerial {
			a.Text = h.Serial
		}
		answers = append(answers, a)
	}
	_, err = f.Register.Inspect(ctx, f.it(), f.device, answers, nil)
	return err
}
