package till_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"

	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

// life is one run of the daemon as far as the terminal can tell: it can be
// ended in an instant, with its lines.
type life struct {
	sim    *sim.Sim
	mu     sync.Mutex
	over   bool
	lines  []net.Conn
	event  string // die at the nth of these
	nth    int
	frozen chan struct{} // closed when the event has come
	bury   chan struct{} // closed when the frozen goroutines may go on
}

func newLife(s *sim.Sim, event string, nth int) *life {
	return &life{sim: s, event: event, nth: nth, frozen: make(chan struct{}), bury: make(chan struct{})}
}

// after freezes the till at its event: nothing of it runs on, as after a kill.
func (l *life) after(event string) {
	l.mu.Lock()
	if event != l.event || l.over {
		l.mu.Unlock()
		return
	}
	l.nth--
	if l.nth != 0 {
		l.mu.Unlock()
		return
	}
	close(l.frozen)
	l.mu.Unlock()
	<-l.bury
}

func (l *life) dial(ctx context.Context) (net.Conn, error) {
	c, err := l.sim.Dial(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	l.lines = append(l.lines, c)
	return c, nil
}

// end drops the lines and lets no new one in.
func (l *life) end(t *testing.T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, c := range l.lines {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// crash ends the desk's life at its event as a power cut would: the store is
// taken as the disk has it, and a new desk opens on it.
func (d *desk) crash(l *life, next *life) {
	d.t.Helper()
	dir := d.t.TempDir() + "/store"
	copyStore(d.t, d.o.Dir, dir) // before the lines drop: that they do is an event, and would be half copied
	l.end(d.t)
	close(l.bury)
	d.close()
	d.o.Dir = dir
	d.live(next)
}

func copyStore(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o700); err != nil {
		t.Fatal(err)
	}
}

// live opens the desk for a life.
func (d *desk) live(l *life) {
	d.t.Helper()
	d.o.AfterEvent, d.o.Lines[0].Dial = l.after, l.dial
	d.open()
}

// Each journal event is a moment at which the daemon may die, with the
// terminal having charged, declined or never having been given a card. After
// the restart the journal says what the issuer did, and the same click again
// charges nothing. It is so for each protocol, and for money that goes back.
func TestCrashMatrix(t *testing.T) {
	for _, speaks := range sim.Protocols() {
		for _, event := range []string{"created", "sent", "acked", "resulted", "closed"} {
			for _, card := range []string{"charged", "declined", "no card"} {
				t.Run(string(speaks)+" "+card+" "+event, func(t *testing.T) {
					t.Parallel()
					crashAt(t, speaks, card, event)
				})
			}
			for _, back := range []till.Kind{till.KindVoid, till.KindRefund} {
				t.Run(string(speaks)+" "+string(back)+" "+event, func(t *testing.T) {
					t.Parallel()
					crashGivingBack(t, speaks, back, event)
				})
			}
		}
	}
}

// crashGivingBack dies at an event of a void or refund. The same click again
// gives nothing back twice.
func crashGivingBack(t *testing.T, speaks sim.Protocol, back till.Kind, event string) {
	d := newDesk(t, func(o *sim.Options) { o.Protocol = speaks })
	d.ready()
	sale := d.await(d.begin(d.client(9000)), till.StageApproved)
	d.close()
	l := newLife(d.sim, event, 1)
	d.live(l)
	d.ready()
	g := till.GiveBack{Kind: back, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: sale.ID}
	if back == till.KindRefund {
		g.Amount = 4000
	}
	begun := make(chan error, 1)
	go func() {
		_, err := d.Desk.Till.GiveBack(context.Background(), d.Cashier, g)
		begun <- err
	}()
	select {
	case <-l.frozen:
	case <-within(t).Done():
		t.Fatalf("the event %s does not come", event)
	}
	if event == "acked" {
		eventually(t, func() bool { return d.sim.Status().Screen == sim.Idle })
	}
	d.crash(l, newLife(d.sim, "", 0))
	if err := <-begun; err != nil {
		t.Error(err)
	}
	id, err := d.Till.GiveBack(t.Context(), d.Cashier, g)
	if err != nil {
		t.Fatalf("the same click again: %v", err)
	}
	p, err := d.Await(within(t), id, tilltest.Settled)
	if err != nil {
		t.Fatal(err)
	}
	if want := expected("charged", event); p.Stage != want {
		t.Errorf("got %s, want %s", p.Stage, want)
	}
	if n := len(d.sim.Ledger()); n > 2 {
		t.Errorf("%d lines in the ledger", n)
	}
	d.ready()
}

func crashAt(t *testing.T, speaks sim.Protocol, card, event string) {
	d := newDesk(t, func(o *sim.Options) {
		o.Manual, o.Protocol = card == "no card", speaks
	})
	d.close()
	l := newLife(d.sim, event, 1)
	d.live(l)
	d.ready()
	s := d.client(9000)
	if card == "declined" {
		s.Amount = 9041
	}
	s.Command = tilltest.Command()
	begun := make(chan error, 1)
	go func() {
		_, err := d.Desk.Till.Begin(context.Background(), d.Cashier, s)
		begun <- err
	}()
	select {
	case <-l.frozen:
	case <-within(t).Done():
		t.Fatalf("the event %s does not come", event)
	}
	if event == "acked" && card != "no card" {
		eventually(t, func() bool { return d.sim.Status().Screen == sim.Idle })
	}
	d.crash(l, newLife(d.sim, "", 0))
	if err := <-begun; err != nil {
		t.Error(err)
	}
	id, err := d.Till.Begin(t.Context(), d.Cashier, s)
	if err != nil {
		t.Fatalf("the same click again: %v", err)
	}
	p, err := d.Await(within(t), id, tilltest.Settled)
	if err != nil {
		t.Fatal(err)
	}
	// A gateway remembers what it has declined, and a terminal may say late that
	// nobody came: then more is known than that nothing was charged.
	told := event == "acked" && (card == "declined" && p.Stage == till.StageDeclined || card == "no card" && p.Stage == till.StageTimeout)
	if want := expected(card, event); p.Stage != want && !told {
		t.Errorf("got %s, want %s", p.Stage, want)
	}
	if n := len(d.sim.Ledger()); n > 1 {
		t.Errorf("%d charges", n)
	}
	d.ready()
}

func expected(card, event string) till.Stage {
	switch {
	case event == "created":
		return till.StageNotSent
	case event == "sent":
		return till.StageNotCharged
	case event == "acked" && card == "no card":
		return till.StageNotCharged
	case event == "acked" && card == "declined":
		return till.StageNotCharged
	case card == "charged":
		return till.StageApproved
	case card == "declined":
		return till.StageDeclined
	}
	return till.StageTimeout
}

// The daemon may die again while it finds out what happened before it died.
func TestCrashDuringRecovery(t *testing.T) {
	for _, event := range []string{"in_doubt", "resulted", "closed"} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, nil)
			d.close()
			first, second := newLife(d.sim, "acked", 1), newLife(d.sim, event, 1)
			d.live(first)
			d.ready()
			p := d.begin(d.client(9000))
			<-first.frozen
			eventually(t, func() bool { return len(d.sim.Ledger()) == 1 })
			d.crash(first, second)
			<-second.frozen
			d.crash(second, newLife(d.sim, "", 0))
			d.await(p, till.StageApproved)
			d.ready()
		})
	}
}

// A long outage: the terminal is away when the daemon comes back.
func TestRestartWithoutTerminal(t *testing.T) {
	d := newDesk(t, nil)
	d.close()
	l := newLife(d.sim, "acked", 1)
	d.live(l)
	d.ready()
	p := d.begin(d.client(9000))
	<-l.frozen
	eventually(t, func() bool { return len(d.sim.Ledger()) == 1 })
	if err := d.sim.Unplug(); err != nil {
		t.Fatal(err)
	}
	d.crash(l, newLife(d.sim, "", 0))
	got := d.await(p, till.StageUnplugged)
	if got.Final || !got.Unknown || got.Due != 9000 {
		t.Errorf("got %+v", got)
	}
	s := till.Sale{Command: tilltest.Command(), Client: got.Client, Amount: 9000, Terminal: got.Terminal}
	if held, err := d.Till.Begin(t.Context(), d.Cashier, s); !errors.Is(err, till.ErrLocked) || held != p.ID {
		t.Errorf("the same client while nobody knows: %v, %v", held, err)
	}
	if err := d.sim.Plug(); err != nil {
		t.Fatal(err)
	}
	d.await(p, till.StageApproved)
}

// References are never used twice, over restarts and after a restored backup.
func TestReferences(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	d.await(d.begin(d.client(1000)), till.StageApproved)
	d.reopen()
	d.ready()
	if err := d.Till.BeginEpoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.await(d.begin(d.client(1000)), till.StageApproved)
	var refs []string
	for _, l := range d.sim.Ledger() {
		refs = append(refs, l.Ref)
	}
	if want := "[100000000001 110000000001]"; fmt.Sprint(refs) != want {
		t.Errorf("references %v, want %v", refs, want)
	}
}
