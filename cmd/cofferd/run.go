package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"coffer/internal/access"
	"coffer/internal/backup"
	"coffer/internal/fault"
	"coffer/internal/host"
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
	config  Config
	log     *slog.Logger
	issuer  access.Issuer
	bell    *ui.Bell
	ops     *ops.Ops
	front   *front
	now     func() time.Time
	opening opening
	box     atomic.Pointer[clinic] // once its books are open
	interim func() tls.Certificate // while the box's authority can't be had
}

// run serves the clinic until ctx is done. While the books cannot be opened, it
// serves the page that says why, and the control socket.
func run(ctx context.Context, c Config) error {
	if err := host.Confine(); err != nil {
		return err
	}
	d := &daemon{
		config: c, log: slog.New(masked{slog.NewTextHandler(os.Stderr, nil)}),
		issuer: access.NewIssuer(), bell: ui.NewBell(), now: c.clock(),
	}
	d.opening.opened, d.opening.served, d.opening.over = make(chan *clinic, 1), make(chan struct{}), make(chan struct{})
	if err := os.MkdirAll(c.State, 0o700); err != nil { // a box that a backup is restored to has none yet
		return markFault(err)
	}
	listener, port, err := d.listen()
	if err != nil {
		return err
	}
	d.front = newFront(listener, d.log)
	machine, err := d.machine(port)
	if err != nil {
		return firstError(err, d.front.stop())
	}
	d.ops = ops.New(machine)
	stopControl, err := d.serveControl()
	if err != nil {
		return firstError(err, d.front.stop())
	}
	defer stopControl()
	box, err := d.openUntil(ctx)
	if err != nil && ctx.Err() == nil {
		box, err = d.awaitOpening(ctx, err)
	}
	if box == nil && ctx.Err() != nil {
		d.log.Info("stopped before the books were open")
		err = nil
	}
	if box != nil {
		err = d.serveClinic(ctx, box)
	}
	close(d.opening.over)
	d.bell.Close()
	err = firstError(err, d.front.stop())
	if box == nil {
		return err
	}
	stop, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	err = firstError(err, box.close(stop))
	d.ops.Closed()
	return err
}

// backups returns the keeper of the store's backups, nil when the boot file
// names no target.
func (d *daemon) backups(box *clinic) (*backup.Keeper, error) {
	targets, err := d.config.targets()
	if err != nil || len(targets) == 0 {
		return nil, err
	}
	return backup.New(backup.Options{
		Vault: box.vault, Self: d.issuer.System("backup"), Key: d.ops.RootKey, Targets: targets, Scratch: filepath.Join(d.config.State, "scratch"),
		TrialBalance: d.ops.TrialBalance, Log: d.log,
	}), nil
}

// machine is what ops knows of the box before its books are open.
func (d *daemon) machine(port host.Port) (ops.Machine, error) {
	targets, err := d.config.targets()
	return ops.Machine{
		Version: version(), Clinic: d.config.Clinic, Demo: d.config.Demo, State: d.config.State,
		TPM: d.config.TPM, Header: d.config.header(), Proof: d.config.proof, Setup: d.config.sealSetup,
		Ports: []host.Port{port}, Root: os.DirFS("/"), Now: d.now, Log: d.log,
		Daemon: d.issuer.System("ops"), Reopen: d.reopen, Targets: targets, Store: tablesOf(d.config, d.now, d.log),
	}, err
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
		box, err := d.open(ctx, "", "")
		opened <- result{box, err}
	}()
	select {
	case r := <-opened:
		d.opening.done = r.err == nil
		return r.box, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open unseals the root key, opens the store and puts the floors onto it.
func (d *daemon) open(ctx context.Context, pin, reason string) (*clinic, error) {
	if err := backup.Finish(ctx, d.config.TPM, d.config.place()); err != nil { // a restore that was cut short
		return nil, err
	}
	key, err := seal.Unseal(ctx, d.config.TPM, d.config.header(), d.config.proof(pin))
	if err != nil {
		return nil, err
	}
	options := vaultOptions(d.config, key, d.now, d.log)
	options.AcceptRollback = reason
	v, err := vault.Open(ctx, d.issuer.System("start"), options)
	if err != nil {
		key.Wipe()
		return nil, err
	}
	terminals, err := startTerminals(d.config, d.log)
	if err != nil {
		key.Wipe()
		return nil, firstError(err, v.Close())
	}
	box := furnish(d.config, v, d.issuer, terminals, d.bell.Ring, d.log)
	box.key = key
	return box, nil
}

// serveClinic resolves what the last stop left open, then serves until ctx is
// done. While there is no recovery sheet, it serves the ceremony that makes
// one and nothing else.
func (d *daemon) serveClinic(ctx context.Context, box *clinic) error {
	if err := d.measureReady(ctx, box); err != nil {
		return err
	}
	leaf, err := d.certificates(ctx, box.vault)
	if err != nil {
		return err
	}
	if err := box.till.Recover(ctx); err != nil {
		return err
	}
	if err := box.day.Recover(ctx); err != nil {
		return err
	}
	d.box.Store(box)
	keeper, err := d.backups(box)
	if err != nil {
		return err
	}
	err = d.ops.Opened(ctx, ops.Store{
		Vault: box.vault, Books: box.books, Till: box.till, Day: box.day, Key: box.key, Seal: box.key.Status(), Terminals: box.terminals, Register: box.register,
		Backups: keeper, Certificate: func() time.Time { return leaf().Leaf.NotAfter },
	})
	if err != nil {
		return err
	}
	if err := d.firstRun(ctx, box, leaf); err != nil || ctx.Err() != nil {
		return err
	}
	handler, err := ui.New(ui.Options{
		Clinic: d.config.Clinic, Demo: d.config.Demo, Names: d.config.Names, Zone: d.config.zone(), Now: d.now,
		Identity: box.identity, Roster: box.roster, Schedule: box.schedule, Books: box.books,
		Billing: box.billing, Till: box.till, Acts: box.acts, Day: box.day, Register: box.register, Ops: d.ops, Bell: d.bell, Log: d.log,
	})
	if err != nil {
		return err
	}
	d.front.show(ctx, scene{handler, leaf, box.vault.Alive})
	d.opening.serve()
	keeping := d.ops.Keep(ctx)
	defer d.ops.Rest()
	defer keeping()
	select {
	case err := <-d.front.ended:
		return err
	case <-d.ops.Over():
		d.log.Info("the box was retired")
		return nil
	case <-ctx.Done():
		return nil
	}
}

// certificateFault says why the public certificate cannot be written.
func certificateFault(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fault.Wrap(err, fault.Exhausted, "Coffer has no file descriptor left. Raise LimitNOFILE of the unit (ulimit -n), then start Coffer again.")
	}
	return fault.Wrap(err, fault.Exhausted, "The box's certificate cannot be written to the state directory. Look at its disk and its rights.")
}

// placeAnew puts a file in the place of whatever has its name, and neither
// waits for a FIFO there nor writes through a link.
func placeAnew(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = cmp.Or(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// certificates returns the box's HTTPS certificate, renewed in time, and
// writes the authority's public half to where workstations get it from.
func (d *daemon) certificates(ctx context.Context, v *vault.Vault) (func() tls.Certificate, error) {
	authority, err := readAuthority(ctx, v, d.issuer.System("start"))
	if err != nil {
		return nil, err
	}
	if err := placeAnew(filepath.Join(d.config.State, "box-authority.pem"), authority.Certificate()); err != nil {
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
