package host

import (
	"context"
	"log/slog"
	"net"
	"time"

	"coffer/internal/fault"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

var (
	errNotify   = fault.New(fault.Unavailable, "The service manager cannot be told the daemon's state. Look at the journal of the unit cofferd.service.")
	errWatchdog = fault.New(fault.Invalid, "The service manager's watchdog interval cannot be read. Set WatchdogSec in cofferd.service to a time such as 30s.")
	errSockets  = fault.New(fault.Invalid, "The sockets given by the service manager cannot be used. Compare cofferd.socket with the one that came with Coffer.")
)

// Ready tells the service manager that the daemon serves; status is a
// constant of the program, shown by systemctl status.
func Ready(status string) error {
	return notify(daemon.SdNotifyReady + "\nSTATUS=" + status)
}

// Stopping tells the service manager that the daemon is on its way down.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

func notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return errNotify
	}
	return nil
}

// Watch feeds the service manager's watchdog, twice per interval, each time
// that healthy returns nil; while it returns an error or hangs, the watchdog
// goes hungry and the service manager restarts the daemon. healthy gets a
// context that ends with the interval. Watch returns when ctx is done, at once
// when no watchdog is set.
func Watch(ctx context.Context, healthy func(context.Context) error, log *slog.Logger) error {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return errWatchdog
	}
	if interval == 0 {
		return nil
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		if err := feed(ctx, interval, healthy); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "watchdog not fed", "kind", fault.KindOf(err).String())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// feed asks for health and, if it is good, feeds the watchdog once.
func feed(ctx context.Context, interval time.Duration, healthy func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, interval)
	defer cancel()
	if err := healthy(ctx); err != nil {
		return err
	}
	return notify(daemon.SdNotifyWatchdog)
}

// Listeners returns the stream sockets that the service manager opened for the
// daemon, by the FileDescriptorName of their socket units; none when the
// daemon was started by hand. They are taken once: a second call and child
// processes get none.
func Listeners() (map[string]net.Listener, error) {
	given, err := activation.ListenersWithNames()
	if err != nil {
		return nil, errSockets
	}
	out := map[string]net.Listener{}
	for name, list := range given {
		if len(list) != 1 || list[0] == nil {
			return nil, errSockets
		}
		out[name] = list[0]
	}
	return out, nil
}
