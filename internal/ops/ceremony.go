package ops

import (
	"context"
	"crypto/rand"
	"sync"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
)

// ceremony is the making of a store's first recovery sheet. Whoever can read
// the daemon's journal may hold it: nobody can sign in yet.
type ceremony struct {
	code string
	done chan struct{}
	end  func() // closes done

	mu    sync.Mutex
	wrong int
}

// setUpTries is how many wrong set-up codes a start of the daemon takes.
const setUpTries = 20

func newCeremony() *ceremony {
	c := &ceremony{code: setUpCode(), done: make(chan struct{})}
	c.end = sync.OnceFunc(func() { close(c.done) })
	return c
}

// setUpCode returns 10 letters and digits, 50 random bits, in two groups.
func setUpCode() string {
	t := rand.Text()
	return t[:5] + "-" + t[5:10]
}

var (
	errSetUpOver  = fault.New(fault.Conflict, "A recovery sheet is in force already. The owner makes another one when signed in.")
	errSetUpCode  = fault.New(fault.Denied, "This is not the set-up code. It stands in the journal of this start of Coffer (journalctl -u cofferd), and a new start makes a new one.")
	errSetUpTries = fault.New(fault.Exhausted, "Too many wrong set-up codes. Start Coffer again: it makes a new code.")
)

// admit checks the code; case, gaps, dashes and look-alikes do not matter.
func (c *ceremony) admit(code string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrong >= setUpTries {
		return errSetUpTries
	}
	if !sameGroup(code, c.code) {
		c.wrong++
		return errSetUpCode
	}
	return nil
}

// admitSetUp lets who knows the code hold the ceremony, and records who comes.
func (o *Ops) admitSetUp(ctx context.Context, origin access.Origin, code string) error {
	store, _, sealed := o.look()
	switch {
	case sealed != nil:
		return sealed
	case store == nil:
		return errStarting
	case store.Seal.Recovery:
		return errSetUpOver
	}
	why, outcome := o.setUp.admit(code), audit.OK
	if why != nil {
		outcome = audit.Denied
	}
	err := store.Vault.Record(ctx, request(o.machine.Daemon, access.RecoveryMake), outcome,
		fact{Key: "act", Value: "setup"}, fact{Key: "from", Value: origin.Via + ":" + origin.Address})
	if why != nil {
		return why
	}
	return err
}

// SetUpAsked puts on record what was asked of the pages of the ceremony before
// anybody showed the code, or why it was refused.
func (o *Ops) SetUpAsked(ctx context.Context, origin access.Origin, asked string, why error) error {
	return o.Attempted(ctx, o.machine.Daemon, access.PageRead, asked, why, fact{Key: "from", Value: origin.Via + ":" + origin.Address})
}
