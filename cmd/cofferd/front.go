package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"coffer/internal/host"
	"coffer/internal/ui"
)

// front answers HTTPS at the box's one address with whatever the daemon has to
// show: why the books are shut, the ceremony of the first run, or the clinic.
// What it shows changes while it listens.
type front struct {
	listener net.Listener
	log      *slog.Logger
	server   *http.Server // nil until something is shown
	now      atomic.Pointer[scene]
	ended    chan error // receives why the server ended by itself
}

// scene is what a front shows.
type scene struct {
	handler http.Handler
	leaf    func() tls.Certificate
	healthy func(context.Context) error // what the watchdog asks
}

func newFront(l net.Listener, log *slog.Logger) *front {
	return &front{listener: l, log: log, ended: make(chan error, 1)}
}

// show puts a scene on. The first one starts the server and tells the service
// manager that Coffer is ready.
func (f *front) show(ctx context.Context, s scene) {
	f.now.Store(&s)
	if f.server != nil {
		return
	}
	f.server = ui.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.now.Load().handler.ServeHTTP(w, r)
	}), f.log)
	secured := tls.NewListener(f.listener, ui.TLS(func() tls.Certificate { return f.now.Load().leaf() }))
	go func() {
		if err := f.server.Serve(secured); !errors.Is(err, http.ErrServerClosed) {
			f.ended <- err
		}
	}()
	if err := host.Ready("serving"); err != nil {
		f.log.Warn("the service manager was not told that Coffer is ready")
	}
	go func() {
		healthy := func(ctx context.Context) error { return f.now.Load().healthy(ctx) }
		if err := host.Watch(ctx, healthy, f.log); err != nil {
			f.log.Warn("the watchdog cannot be fed")
		}
	}()
	f.log.Info("serving", "address", f.listener.Addr().String())
}

// stop waits for pages that are being answered, ten seconds at most, and cuts
// off the others: what they still read keeps the store from being closed.
func (f *front) stop() error {
	if f.server == nil {
		return f.listener.Close()
	}
	if err := host.Stopping(); err != nil {
		f.log.Warn("the service manager was not told that Coffer stops")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f.server.Shutdown(ctx); err != nil {
		return errors.Join(err, f.server.Close())
	}
	return nil
}
