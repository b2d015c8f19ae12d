package main

import (
	"context"
	"crypto/tls"
	"os"
	"sync"

	"coffer/internal/fault"
	"coffer/internal/ops"
	"coffer/internal/seal"
	"coffer/internal/ui"
)

// signaturesFile is where the boot stub of a signed image leaves its policy
// signatures.
const signaturesFile = "/.extra/tpm2-pcr-signature.json"

// proof returns what the seal asks for beside the TPM: the PIN, and the
// signatures of the software that runs, if there are any.
func (c Config) proof(pin string) seal.Proof {
	p := seal.Proof{PIN: pin}
	if text, err := os.ReadFile(c.Seal.Signatures); err == nil { // absent: only the level that needs them misses them
		p.Signatures = text
	}
	return p
}

// measureReady has the TPM give the root key to nothing that runs later, until
// the machine is started again: where it is sealed to what was started, that is
// what keeps a program from taking it that gets onto the box afterwards. The
// price is that this daemon, started again without the machine, can't open the
// books either.
func (d *daemon) measureReady(ctx context.Context, box *clinic) error {
	if box.key.Status().Level != seal.Measured {
		return nil
	}
	return seal.MeasureReady(ctx, d.config.TPM)
}

// opening lets one attempt at a time open the books of a box that is shut.
type opening struct {
	mu     sync.Mutex
	once   sync.Once
	done   bool          // the books are open, or no attempt may open them any more
	opened chan *clinic  // receives the clinic once
	served chan struct{} // closed when the clinic, or the ceremony of its first run, is served
	over   chan struct{} // closed when the daemon ends
}

// serve says that something is served, once or again.
func (o *opening) serve() { o.once.Do(func() { close(o.served) }) }

var errOpen = fault.New(fault.Conflict, "The books are open already. Nothing was changed.")

// reopen tries to open the books of a shut box with a PIN, and with a reason
// even if they were set back. When it returns
// nil, the clinic is served.
func (d *daemon) reopen(ctx context.Context, pin, reason string) error {
	d.opening.mu.Lock()
	defer d.opening.mu.Unlock()
	if d.opening.done {
		return errOpen
	}
	box, err := d.open(context.WithoutCancel(ctx), pin, reason)
	if err != nil {
		d.shut(err)
		return err
	}
	d.opening.done = true
	d.opening.opened <- box
	select {
	case <-d.opening.served:
		return nil
	case <-d.opening.over:
		return errEnding
	}
}

var errEnding = fault.New(fault.Unavailable, "The books opened, but could not be served. Read the journal of Coffer (journalctl -u cofferd), then start it again.")

// shut says why the books are shut, to the journal and to who asks.
func (d *daemon) shut(why error) {
	d.ops.Sealed(why)
	d.log.Error("the books stay shut", "kind", fault.KindOf(why).String(), "code", ops.Code(why), "detail", detail(why))
	if d.front.server == nil {
		return
	}
	if err := d.showSealed(context.Background(), why); err != nil {
		d.log.Error("the page of a shut box can't be shown")
	}
}

// awaitOpening shows why the books are shut until somebody opens them, with a
// PIN or the recovery sheet, or ctx is done; then it returns nil.
func (d *daemon) awaitOpening(ctx context.Context, why error) (*clinic, error) {
	if err := d.showShut(ctx, why); err != nil {
		return nil, err
	}
	select {
	case box := <-d.opening.opened:
		d.log.Info("the books were opened")
		return box, nil
	case err := <-d.front.ended:
		return nil, err
	case <-ctx.Done():
	}
	d.opening.mu.Lock() // an attempt under way ends first
	defer d.opening.mu.Unlock()
	d.opening.done = true
	select {
	case box := <-d.opening.opened:
		return box, nil
	default:
		return nil, nil
	}
}

// showShut is shut with its page, before anybody's attempt to open.
func (d *daemon) showShut(ctx context.Context, why error) error {
	d.opening.mu.Lock()
	defer d.opening.mu.Unlock()
	d.shut(why)
	return d.showSealed(ctx, why)
}

// showSealed shows the page that says why the books are shut. Its certificate
// is made anew, since the box's own authority is behind the seal.
func (d *daemon) showSealed(ctx context.Context, why error) error {
	o := ui.SealedOptions{Clinic: d.config.Clinic, Names: d.config.Names, Why: why, Log: d.log}
	if ops.AsksPIN(why) {
		o.Unlock = d.ops.Unlock
	}
	handler, err := ui.Sealed(o)
	if err != nil {
		return err
	}
	leaf, err := d.interimLeaf()
	if err != nil {
		return err
	}
	d.front.show(ctx, scene{handler, leaf, func(context.Context) error { return nil }})
	return nil
}

// interimLeaf returns the certificate of the pages that are shown while the
// box's authority can't be had: one for the whole life of the daemon.
func (d *daemon) interimLeaf() (func() tls.Certificate, error) {
	if d.interim == nil {
		authority, err := ui.NewCA(d.now(), d.config.Names)
		if err != nil {
			return nil, err
		}
		certificate, err := authority.Leaf(d.now(), d.config.Names)
		if err != nil {
			return nil, err
		}
		d.interim = func() tls.Certificate { return certificate }
	}
	return d.interim, nil
}
