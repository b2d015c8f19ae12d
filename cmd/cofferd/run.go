package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"coffer/internal/access"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/host"
	"coffer/internal/ident"
	"coffer/internal/ops"
	"coffer/internal/seal"
	"coffer/internal/ui"
	"coffer/internal/vault"
)

// stopPatience is how long a stop waits for a payment under way and for pages
// that are being answered.
const stopPatience = 90 * time.Second

// daemon is cofferd at work.
type daemon struct {
	config Config
	log    *slog.Logger
	issuer access.Issuer
	bell   *ui.Bell
	ops    *ops.Ops
	now    func() time.Time
}

// run serves the clinic until ctx is done. When the books cannot be opened, it
// serves the page that says why, and the control socket.
func run(ctx context.Context, c Config) error {
	if err := host.Confine(); err != nil {
		return err
	}
	d := &daemon{
		config: c, log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		issuer: access.NewIssuer(), bell: ui.NewBell(), now: c.clock(),
	}
	listener, port, err := d.listen()
	if err != nil {
		return err
	}
	d.ops = ops.New(ops.Machine{
		Version: version(), Demo: c.Demo, State: c.State, TPM: c.TPM, Header: c.header(),
		Ports: []host.Port{port}, Root: os.DirFS("/"), Now: d.now,
	})
	stopControl, err := d.serveControl()
	if err != nil {
		listener.Close()
		return err
	}
	defer stopControl()

	box, err := d.openUntil(ctx)
	if ctx.Err() != nil {
		listener.Close()
		d.log.Info("stopped while starting")
		if box != nil {
			return box.close(context.WithoutCancel(ctx))
		}
		return nil
	}
	if err != nil {
		d.ops.Sealed(err)
		d.log.Error("the books stay shut", "kind", fault.KindOf(err).String(), "code", ops.Code(err), "detail", detail(err))
		return d.serveSealed(ctx, listener, err)
	}
	return d.serveClinic(ctx, listener, box)
}

// listen returns the HTTPS listener: the one that the service manager opened,
// or one of our own.
func (d *daemon) listen() (net.Listener, host.Port, error) {
	given, err := host.Listeners()
	if err != nil {
		return nil, host.Port{}, err
	}
	l := given["https"]
	if l == nil {
		if l, err = net.Listen("tcp", d.config.Listen); err != nil {
			return nil, host.Port{}, fmt.Errorf("cannot listen on %s: another program may hold the port: %w", d.config.Listen, err)
		}
	}
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok || at.IP.IsUnspecified() {
		l.Close()
		return nil, host.Port{}, errors.New("the socket unit listens on every network; name one address of the clinic's LAN in ListenStream")
	}
	return l, host.Port{Address: at.IP.String(), Number: uint16(at.Port)}, nil
}

func (d *daemon) serveControl() (stop func(), err error) {
	l, err := control.Listen(d.config.Control)
	if err != nil {
		return nil, err
	}
	console := d.issuer.Person(ident.ID[ident.Staff]{}, ident.ID[ident.Session]{}, "console",
		access.Origin{Via: "console", Address: "control"}, access.IT)
	server := control.NewServer(control.Options{Ops: d.ops, Agent: func() access.Agent { return console }, Log: d.log})
	go func() {
		if err := server.Serve(l); err != nil {
			d.log.Error("the control socket ended")
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			d.log.Warn("the control socket did not close in time")
		}
	}, nil
}

// detail returns what the journal may have of an error's cause: TPM codes,
// system errors and positions in the store file.
func detail(err error) string { return cmp.Or(seal.Detail(err), vault.Detail(err)) }

// openUntil is open for a daemon that may be told to stop meanwhile: it
// returns when ctx is done, whatever the opening waits for. What is being
// opened then ends with the process, as by a power cut, which loses nothing.
func (d *daemon) openUntil(ctx context.Context) (*clinic, error) {
	type result struct {
		box *clinic
		err error
	}
	opened := make(chan result, 1)
	go func() {
		box, err := d.open(ctx)
		opened <- result{box, err}
	}()
	select {
	case r := <-opened:
		return r.box, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open unseals the root key, opens the store and puts the floors onto it.
func (d *daemon) open(ctx context.Context) (*clinic, error) {
	key, err := seal.Unseal(ctx, d.config.TPM, d.config.header(), seal.Proof{})
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	v, err := vault.Open(ctx, d.issuer.System("start"), vaultOptions(d.config, key, d.now, d.log))
	if err != nil {
		return nil, err
	}
	terminals, err := startTerminals(d.config, d.log)
	if err != nil {
		return nil, firstError(err, v.Close())
	}
	box := furnish(d.config, v, d.issuer, terminals, d.bell.Ring, d.log)
	box.seal = key.Status()
	return box, nil
}

// serveClinic resolves what the last stop left open, then serves until ctx is
// done.
func (d *daemon) serveClinic(ctx context.Context, l net.Listener, box *clinic) error {
	leaf, err := d.certificates(ctx, box.vault)
	if err != nil {
		l.Close()
		return firstError(err, box.close(ctx))
	}
	if err := box.till.Recover(ctx); err != nil {
		l.Close()
		return firstError(err, box.close(ctx))
	}
	d.ops.Opened(ops.Store{
		Vault: box.vault, Books: box.books, Till: box.till, Seal: box.seal, Terminals: box.terminals,
		Certificate: func() time.Time { return leaf().Leaf.NotAfter },
	})
	handler, err := ui.New(ui.Options{
		Clinic: d.config.Clinic, Demo: d.config.Demo, Names: d.config.Names, Zone: d.config.zone(), Now: d.now,
		Identity: box.identity, Roster: box.roster, Schedule: box.schedule, Books: box.books,
		Billing: box.billing, Till: box.till, Ops: d.ops, Bell: d.bell, Log: d.log,
	})
	if err != nil {
		l.Close()
		return firstError(err, box.close(ctx))
	}
	err = d.serve(ctx, l, handler, leaf, box.vault.Alive)
	stop, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	return firstError(err, box.close(stop))
}

// serveSealed serves the page that says why the books are shut. Its
// certificate is made anew, since the box's own authority is behind the seal.
func (d *daemon) serveSealed(ctx context.Context, l net.Listener, why error) error {
	handler, err := ui.Sealed(ui.SealedOptions{Clinic: d.config.Clinic, Names: d.config.Names, Why: why, Log: d.log})
	if err != nil {
		l.Close()
		return err
	}
	authority, err := ui.NewCA(d.now(), d.config.Names)
	if err != nil {
		l.Close()
		return err
	}
	certificate, err := authority.Leaf(d.now(), d.config.Names)
	if err != nil {
		l.Close()
		return err
	}
	return d.serve(ctx, l, handler, func() tls.Certificate { return certificate }, func(context.Context) error { return nil })
}

// serve answers HTTPS on l until ctx is done.
func (d *daemon) serve(ctx context.Context, l net.Listener, handler http.Handler, leaf func() tls.Certificate, healthy func(context.Context) error) error {
	server := ui.Server(handler, d.log)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(tls.NewListener(l, ui.TLS(leaf))) }()
	if err := host.Ready("serving"); err != nil {
		d.log.Warn("the service manager was not told that Coffer is ready")
	}
	go func() {
		if err := host.Watch(ctx, healthy, d.log); err != nil {
			d.log.Warn("the watchdog cannot be fed")
		}
	}()
	d.log.Info("serving", "address", l.Addr().String())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err := host.Stopping(); err != nil {
		d.log.Warn("the service manager was not told that Coffer stops")
	}
	d.bell.Close()
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(stop)
}

// certificateFault says why the public certificate cannot be written.
func certificateFault(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fault.Wrap(err, fault.Exhausted, "Coffer has no file descriptor left. Raise LimitNOFILE of the unit (ulimit -n), then start Coffer again.")
	}
	return fault.Wrap(err, fault.Exhausted, "The box's certificate cannot be written to the state directory. Look at its disk and its rights.")
}

// certificates returns the box's HTTPS certificate, renewed in time, and
// writes the authority's public half to where workstations get it from.
func (d *daemon) certificates(ctx context.Context, v *vault.Vault) (func() tls.Certificate, error) {
	authority, err := readAuthority(ctx, v, d.issuer.System("start"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(d.config.State, "box-authority.pem"), authority.Certificate(), 0o600); err != nil {
		return nil, certificateFault(err)
	}
	certificate, err := authority.Leaf(d.now(), d.config.Names)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	return func() tls.Certificate {
		mu.Lock()
		defer mu.Unlock()
		if ui.Renew(certificate, d.now()) {
			if fresh, err := authority.Leaf(d.now(), d.config.Names); err == nil {
				certificate = fresh
			} else {
				d.log.Error("the HTTPS certificate could not be renewed")
			}
		}
		return certificate
	}, nil
}
