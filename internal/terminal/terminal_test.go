package terminal

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/pax"
	"coffer/internal/terminal/protocol"
)

// bubble runs a test in virtual time with a terminal that is attached.
func bubble(t *testing.T, d *device, test func(t *testing.T, tm *Terminal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tm := Start(testConfig(d))
		defer tm.Close()
		attached(t, tm, true)
		test(t, tm)
	})
}

// never fails the test when a hook is called.
func never(t *testing.T) Hooks {
	called := func() error { t.Error("a hook was called"); return nil }
	return Hooks{Sending: called, Acked: called, Result: func(protocol.Outcome) error { return called() }}
}

func TestSale(t *testing.T) {
	d := newDevice()
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		var order []string
		h := Hooks{
			Sending: func() error {
				if d.has("T00") != 0 {
					t.Error("the command was sent before Sending returned")
				}
				order = append(order, "sending")
				return nil
			},
			Acked: func() error { order = append(order, "acked"); return nil },
			Result: func(o protocol.Outcome) error {
				if n := d.has("ACK"); n != 1 { // that of the handshake
					t.Errorf("%d ACKs before Result returned", n)
				}
				order = append(order, "result:"+string(o.Result))
				return nil
			},
			Step: func(s protocol.Step) { order = append(order, string(s)) },
		}
		o, err := tm.Run(t.Context(), sale("42"), h)
		if err != nil || o.Result != protocol.Approved || o.Approved != 15000 || o.Ref != "42" || o.AuthCode != "611529" || o.Card.LastFour != "1111" {
			t.Errorf("%+v %v", o, err)
		}
		want := []string{"queued", "sending", "sending", "acked", "present", "result:approved", "result"}
		if !slices.Equal(order, want) {
			t.Errorf("%v, want %v", order, want)
		}
		if got := d.words(); !slices.Equal(got, []string{"A00", "ACK", "T00", "ACK"}) {
			t.Errorf("on the wire: %v", got)
		}
		if s := tm.Status(); s.Busy || !s.Attached || s.Device.Serial != "53236566" || s.Device.Model != "A35" {
			t.Errorf("%+v", s)
		}
	})
}

func TestNotAttached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.silent = true
		tm := Start(testConfig(d))
		defer tm.Close()
		o, err := tm.Run(t.Context(), sale("42"), never(t))
		if err != nil || o.Result != protocol.NotSent || o.Reason != protocol.ReasonUnplugged || o.Ref != "42" || o.Requested != 15000 {
			t.Errorf("%+v %v", o, err)
		}
		if o, err := tm.Lookup(t.Context(), protocol.Question{Ref: "42", Kind: protocol.Sale, Amount: 15000}); err != nil || o.Result != protocol.InDoubt || o.Reason != protocol.ReasonUnplugged {
			t.Errorf("look-up: %+v %v", o, err)
		}
	})
}

func TestUnusableConfigurations(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no address":       {Profile: profile()},
		"another address":  {Profile: profile(), Address: "usb:1"},
		"no device":        {Profile: profile(), Address: "serial:"},
		"no profile":       {Address: "tcp:192.0.2.1:10009"},
		"another protocol": {Address: "tcp:192.0.2.1:10009", Profile: protocol.Profile{Protocol: "upa"}},
	} {
		tm := Start(cfg)
		o, err := tm.Run(t.Context(), sale("1"), never(t))
		if err != nil || o.Result != protocol.NotSent || o.Reason != protocol.ReasonForbidden {
			t.Errorf("%s: %+v %v", name, o, err)
		}
		if o, err := tm.Lookup(t.Context(), protocol.Question{Ref: "1", Kind: protocol.Sale, Amount: 1}); err != nil || o.Result != protocol.InDoubt {
			t.Errorf("%s: %+v %v", name, o, err)
		}
		if s := tm.Status(); s.Attached || s.Reason != protocol.ReasonForbidden {
			t.Errorf("%s: %+v", name, s)
		}
		if err := tm.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCommandThatIsRefused(t *testing.T) {
	d := newDevice()
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		o, err := tm.Run(t.Context(), protocol.Command{Kind: protocol.Sale, Ref: "x", Amount: 1}, never(t))
		if !errors.Is(err, protocol.ErrCommand) || o.Result != protocol.NotSent {
			t.Errorf("%+v %v", o, err)
		}
	})
}

func TestSendingFails(t *testing.T) {
	d := newDevice()
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		full := errors.New("disk full")
		o, err := tm.Run(t.Context(), sale("42"), Hooks{Sending: func() error { return full }})
		if !errors.Is(err, full) || o.Result != protocol.NotSent || o.Reason != protocol.ReasonNotKept {
			t.Errorf("%+v %v", o, err)
		}
		synctest.Wait()
		if d.has("T00") != 0 {
			t.Error("the command was sent although it could not be kept")
		}
		if o, err := tm.Run(t.Context(), sale("43"), Hooks{}); err != nil || o.Result != protocol.Approved {
			t.Errorf("the next command: %+v %v", o, err)
		}
	})
}

// TestResultFails: an outcome that could not be kept gets no ACK. The terminal
// sends it again, and then it is kept as a late answer.
func TestResultFails(t *testing.T) {
	d := newDevice()
	var again []byte
	d.answer = func(d *device, r pax.Request) {
		again = framedResponse(d.charge(r).Response("1.43"))
		d.say(frame.ACK)
		d.say(again...)
	}
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		kept := make(chan protocol.Outcome, 8)
		fail := true
		tm.OnStray(func(o protocol.Outcome) error {
			if fail {
				fail = false
				return errors.New("disk full")
			}
			kept <- o
			return nil
		})
		full := errors.New("disk full")
		o, err := tm.Run(t.Context(), sale("42"), Hooks{Result: func(protocol.Outcome) error { return full }})
		if !errors.Is(err, full) || o.Result != protocol.Approved {
			t.Errorf("%+v %v", o, err)
		}
		synctest.Wait()
		if n := d.has("ACK"); n != 1 {
			t.Errorf("%d ACKs after an outcome that was not kept", n)
		}
		d.say(again...) // OnStray fails
		synctest.Wait()
		if n := d.has("ACK"); n != 1 {
			t.Errorf("%d ACKs after a late answer that was not kept", n)
		}
		d.say(again...)
		if o := <-kept; o.Ref != "42" || o.Result != protocol.Approved || o.Approved != 15000 {
			t.Errorf("late answer: %+v", o)
		}
		synctest.Wait()
		if n := d.has("ACK"); n != 2 {
			t.Errorf("%d ACKs after the late answer was kept", n)
		}
	})
}

// untilCancelled is a terminal that shows its screen until it is cancelled.
func untilCancelled(d *device, _ pax.Request) { d.say(frame.ACK) }

func TestCancel(t *testing.T) {
	d := newDevice()
	d.answer = untilCancelled
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		tm.Cancel() // nothing runs
		steps := make(chan protocol.Step, 16)
		ended := make(chan protocol.Outcome)
		go func() {
			o, err := tm.Run(context.WithoutCancel(t.Context()), sale("42"), Hooks{Step: func(s protocol.Step) { steps <- s }})
			if err != nil {
				t.Error(err)
			}
			ended <- o
		}()
		for s := range steps {
			if s == protocol.StepPresent {
				break
			}
		}
		if !tm.Status().Busy {
			t.Error("a command runs, and the terminal is not busy")
		}
		tm.Cancel()
		synctest.Wait()
		if d.has("A14") != 1 {
			t.Fatalf("on the wire: %v", d.words())
		}
		d.say(framedResponse(pax.MoneyReply{Code: pax.CodeAborted, Text: "ABORTED"}.Response("1.43"))...)
		if o := <-ended; o.Result != protocol.Cancelled || o.Reason != protocol.ReasonAborted {
			t.Errorf("%+v", o)
		}
	})
}

func TestContext(t *testing.T) {
	d := newDevice()
	d.answer = untilCancelled
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		before, cancel := context.WithCancel(t.Context())
		cancel()
		if o, err := tm.Run(before, sale("41"), never(t)); err != nil || o.Result != protocol.NotSent || o.Reason != protocol.ReasonWithdrawn {
			t.Errorf("withdrawn before: %+v %v", o, err)
		}
		during, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		o, err := tm.Run(during, sale("42"), Hooks{})
		if err != nil || o.Result != protocol.InDoubt || o.Reason != protocol.ReasonNoAnswer || d.has("A14") == 0 {
			t.Errorf("a terminal that does not answer the cancellation: %+v %v", o, err)
		}
		if took := time.Since(start); took < 24*time.Second || took > 26*time.Second {
			t.Errorf("it took %v: ten seconds, and fifteen from the cancellation", took)
		}
	})
}

// TestDeadline: whatever the terminal does, a command ends.
func TestDeadline(t *testing.T) {
	d := newDevice()
	d.answer = untilCancelled
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		start := time.Now()
		o, err := tm.Run(t.Context(), sale("42"), Hooks{})
		if err != nil || o.Result != protocol.InDoubt || o.Reason != protocol.ReasonNoAnswer {
			t.Errorf("%+v %v", o, err)
		}
		if took := time.Since(start).Round(time.Second); took != 195*time.Second {
			t.Errorf("it took %v, want T_rsp and 15 s", took)
		}
		if n := d.has("T00"); n != 1 {
			t.Errorf("the command was sent %d times", n)
		}
	})
}

func TestOneAtATime(t *testing.T) {
	d := newDevice()
	var running atomic.Int32
	d.answer = func(d *device, r pax.Request) {
		if running.Add(1) > 1 {
			t.Error("two commands at once")
		}
		m := d.charge(r)
		d.say(frame.ACK)
		time.AfterFunc(3*time.Second, func() {
			running.Add(-1)
			d.say(framedResponse(m.Response("1.43"))...)
		})
	}
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		ended := make(chan protocol.Outcome, 8)
		for _, ref := range []string{"1", "2", "3"} {
			go func() {
				o, err := tm.Run(context.Background(), sale(ref), Hooks{})
				if err != nil {
					t.Error(err)
				}
				ended <- o
			}()
		}
		var refs []string
		for range 3 {
			o := <-ended
			if o.Result != protocol.Approved {
				t.Errorf("%+v", o)
			}
			refs = append(refs, o.Ref)
		}
		slices.Sort(refs)
		if !slices.Equal(refs, []string{"1", "2", "3"}) {
			t.Errorf("answers for %v", refs)
		}
	})
}

func TestUnplugged(t *testing.T) {
	d := newDevice()
	d.answer = func(d *device, r pax.Request) {
		d.charge(r)
		d.say(frame.ACK)
		time.AfterFunc(time.Second, d.unplug)
	}
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		start := time.Now()
		o, err := tm.Run(t.Context(), sale("42"), Hooks{Result: func(protocol.Outcome) error { t.Error("a result"); return nil }})
		if err != nil || o.Result != protocol.InDoubt || o.Reason != protocol.ReasonUnplugged {
			t.Errorf("%+v %v", o, err)
		}
		if took := time.Since(start); took > 1100*time.Millisecond {
			t.Errorf("noticed after %v", took)
		}
		attached(t, tm, false)
		attached(t, tm, true)
		o, err = tm.Lookup(t.Context(), protocol.Question{Ref: "42", Kind: protocol.Sale, Amount: 15000})
		if err != nil || o.Result != protocol.Approved || o.AuthCode != "611529" {
			t.Errorf("look-up: %+v %v", o, err)
		}
		o, err = tm.Lookup(t.Context(), protocol.Question{Ref: "43", Kind: protocol.Sale, Amount: 15000})
		if err != nil || o.Result != protocol.NotCharged || o.Evidence != protocol.EvidenceOlder {
			t.Errorf("look-up of a command that never came: %+v %v", o, err)
		}
		if d.has("T00") != 1 {
			t.Error("a look-up charged")
		}
	})
}

// TestBackOff: a terminal that does not answer is asked again and again, but
// not more often than every five seconds.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.silent = true
		tm := Start(testConfig(d))
		defer tm.Close()
		<-time.After(10 * time.Minute)
		d.mu.Lock()
		n := d.dials
		d.mu.Unlock()
		// Each attempt takes a second of draining and three ACK times.
		if n < 20 || n > 30 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		if s := tm.Status(); s.Attached || s.Reason != protocol.ReasonNoAck {
			t.Errorf("%+v", s)
		}
	})
}

func TestSubstitution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.serial = "99999999"
		tm := Start(testConfig(d))
		defer tm.Close()
		attached(t, tm, true)
		judged := 0
		tm.OnAttach(func(d protocol.Device) (protocol.Reason, error) {
			judged++
			if d.Serial != "53236566" {
				return protocol.ReasonSubstitute, nil
			}
			return protocol.ReasonNone, nil
		})
		if s := tm.Status(); !s.Quarantined || s.Reason != protocol.ReasonSubstitute {
			t.Errorf("%+v", s)
		}
		o, err := tm.Run(t.Context(), sale("42"), never(t))
		if err != nil || o.Result != protocol.NotSent || o.Reason != protocol.ReasonSubstitute {
			t.Errorf("%+v %v", o, err)
		}
		if o, err := tm.Lookup(t.Context(), protocol.Question{Ref: "42", Kind: protocol.Sale, Amount: 15000, Serial: "53236566"}); err != nil || o.Result != protocol.InDoubt {
			t.Errorf("the look-up of another terminal's payment: %+v %v", o, err)
		}
		d.set(func(d *device) { d.serial = "53236566" })
		d.unplug()
		attached(t, tm, false)
		attached(t, tm, true)
		if s := tm.Status(); s.Quarantined {
			t.Errorf("the right terminal is back: %+v", s)
		}
		tm.Lock(protocol.ReasonLeak)
		tm.Recheck()
		if s := tm.Status(); !s.Quarantined || s.Reason != protocol.ReasonLeak {
			t.Errorf("a good verdict lifted a lock: %+v", s)
		}
		if tm.Release(); tm.Status().Quarantined || judged < 3 {
			t.Errorf("released: %+v, judged %d times", tm.Status(), judged)
		}
	})
}

// TestUnchecked: a terminal that nobody can compare with the register does not
// attach, and tries again by itself.
func TestUnchecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		tm := Start(testConfig(d))
		defer tm.Close()
		attached(t, tm, true)
		fails := 3
		tm.OnAttach(func(protocol.Device) (protocol.Reason, error) {
			if fails--; fails >= 0 {
				return protocol.ReasonNone, errNobody
			}
			return protocol.ReasonNone, nil
		})
		if s := tm.Status(); !s.Quarantined || s.Reason != protocol.ReasonUnchecked {
			t.Errorf("%+v", s)
		}
		if o, err := tm.Run(t.Context(), sale("42"), never(t)); err != nil || o.Result != protocol.NotSent || o.Reason != protocol.ReasonUnchecked {
			t.Errorf("%+v %v", o, err)
		}
		d.unplug()
		attached(t, tm, false)
		attached(t, tm, true)
		if s := tm.Status(); s.Quarantined || fails >= 0 {
			t.Errorf("%+v, %d failures to come", s, fails)
		}
	})
}

func TestLeak(t *testing.T) {
	const card = "4111111111111111"
	d := newDevice()
	d.answer = func(d *device, r pax.Request) {
		m := d.charge(r)
		m.Account.LastFour = card
		d.say(frame.ACK)
		d.say(framedResponse(m.Response("1.43"))...)
	}
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		cfg := testConfig(d)
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		tm := Start(cfg)
		attached(t, tm, true)
		var kept protocol.Outcome
		o, err := tm.Run(t.Context(), sale("42"), Hooks{Result: func(o protocol.Outcome) error { kept = o; return nil }})
		if err != nil || o.Result != protocol.InDoubt || o.Reason != protocol.ReasonLeak || kept != o {
			t.Errorf("%+v %v", o, err)
		}
		if s := tm.Status(); !s.Quarantined || s.Reason != protocol.ReasonLeak {
			t.Errorf("%+v", s)
		}
		if o, err := tm.Run(t.Context(), sale("43"), never(t)); err != nil || o.Reason != protocol.ReasonQuarantined {
			t.Errorf("the next command: %+v %v", o, err)
		}
		d.set(func(d *device) { d.answer = nil })
		d.unplug() // attaching again does not lift it
		attached(t, tm, false)
		attached(t, tm, true)
		if !tm.Status().Quarantined {
			t.Error("the quarantine was lifted by pulling the cable")
		}
		tm.Release()
		if o, err := tm.Run(t.Context(), sale("44"), Hooks{}); err != nil || o.Result != protocol.Approved {
			t.Errorf("after its release: %+v %v", o, err)
		}
		tm.Close()
		if s := log.String(); strings.Contains(s, "1111") || !strings.Contains(s, "pan_leak") {
			t.Errorf("the log: %s", s)
		}
	})
}

// TestLateAnswers: what a terminal still has to say when it is attached is
// kept before it gets its ACK.
func TestLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.greet = framedResponse(approval("41", 9900).Response("1.43"))
		tm := Start(testConfig(d))
		defer tm.Close()
		attached(t, tm, true)
		if got := d.words(); !slices.Equal(got, []string{"A00", "ACK"}) {
			t.Errorf("before anybody keeps late answers: %v", got)
		}
		var kept []protocol.Outcome
		tm.OnStray(func(o protocol.Outcome) error { kept = append(kept, o); return nil })
		if len(kept) != 1 || kept[0].Ref != "41" || kept[0].Approved != 9900 || kept[0].Kind != protocol.Sale {
			t.Errorf("%+v", kept)
		}
		d.say(framedResponse(approval("40", 100).Response("1.43"))...)
		synctest.Wait()
		if len(kept) != 2 || kept[1].Ref != "40" || d.has("ACK") != 2 {
			t.Errorf("%+v; %v", kept, d.words())
		}
		<-time.After(5 * time.Second)
		if o, err := tm.Run(t.Context(), sale("42"), Hooks{}); err != nil || o.Result != protocol.Approved {
			t.Errorf("the next command: %+v %v", o, err)
		}
	})
}

func TestCloseDuringACommand(t *testing.T) {
	d := newDevice()
	d.answer = untilCancelled
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		time.AfterFunc(time.Second, func() { tm.Close() })
		o, err := tm.Run(t.Context(), sale("42"), Hooks{})
		if err != nil || o.Result != protocol.InDoubt || o.Reason != protocol.ReasonClosed {
			t.Errorf("%+v %v", o, err)
		}
		if o, err := tm.Run(t.Context(), sale("43"), never(t)); err != nil || o.Result != protocol.NotSent || o.Reason != protocol.ReasonClosed {
			t.Errorf("after Close: %+v %v", o, err)
		}
		if err := tm.Close(); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	})
}

// TestKeepAlive: a terminal that has died without a word is noticed before
// somebody wants to pay.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		cfg := testConfig(d)
		cfg.Profile.Timers.KeepAlive = 60_000
		tm := Start(cfg)
		defer tm.Close()
		attached(t, tm, true)
		<-time.After(5*time.Minute + time.Second)
		if n := d.has("A00"); n != 6 {
			t.Errorf("%d handshakes in five minutes", n)
		}
		d.set(func(d *device) { d.silent = true })
		start := time.Now()
		for tm.Status().Attached {
			<-tm.Changed()
		}
		if took := time.Since(start); took > 90*time.Second {
			t.Errorf("noticed after %v", took)
		}
	})
}

// broken is a conversation with a defect.
type broken struct{}

func (broken) Start(time.Time) []protocol.Action {
	return []protocol.Action{{Do: protocol.Sending, Bytes: []byte{frame.EOT}}}
}
func (broken) Receive(time.Time, []byte) []protocol.Action { return nil }
func (broken) Tick(time.Time) []protocol.Action            { panic("a defect") }
func (broken) Cancel(time.Time) []protocol.Action          { return nil }
func (broken) Lost(time.Time) []protocol.Action            { return nil }
func (broken) Deadline() time.Time                         { return time.Now() }

// TestDefect: a defect in a conversation ends it in doubt, and only it.
func TestDefect(t *testing.T) {
	d := newDevice()
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		blank := protocol.Outcome{Result: protocol.NotSent, Ref: "42"}
		o, err := tm.submit(t.Context(), &job{machine: broken{}, blank: blank, money: true})
		if err == nil || o.Result != protocol.InDoubt || o.Ref != "42" {
			t.Errorf("%+v %v", o, err)
		}
		attached(t, tm, true)
		for tm.Status().Busy {
			<-tm.Changed()
		}
		<-time.After(time.Minute)
		if o, err := tm.Run(t.Context(), sale("43"), never(t)); err != nil || o.Reason != protocol.ReasonQuarantined {
			t.Errorf("before its release: %+v %v", o, err)
		}
		tm.Release()
		if o, err := tm.Run(t.Context(), sale("43"), Hooks{}); err != nil || o.Result != protocol.Approved {
			t.Errorf("the next command: %+v %v", o, err)
		}
	})
}

// TestDefectOutsideAConversation: what breaks while a line is opened locks the
// terminal and takes nothing else down.
func TestDefectOutsideAConversation(t *testing.T) {
	d := newDevice()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(d)
		dial, first := cfg.Dial, true
		cfg.Dial = func(ctx context.Context) (net.Conn, error) {
			if first {
				first = false
				panic("a defect")
			}
			return dial(ctx)
		}
		tm := Start(cfg)
		defer tm.Close()
		attached(t, tm, true)
		if s := tm.Status(); !s.Quarantined || s.Reason != protocol.ReasonDefect {
			t.Errorf("%+v", s)
		}
	})
}

// TestLookupInQuarantine: a locked terminal takes no command, and says what
// became of the one that it got.
func TestLookupInQuarantine(t *testing.T) {
	d := newDevice()
	bubble(t, d, func(t *testing.T, tm *Terminal) {
		if o, err := tm.Run(t.Context(), sale("42"), Hooks{}); err != nil || o.Result != protocol.Approved {
			t.Fatalf("%+v %v", o, err)
		}
		var told []protocol.Reason
		tm.OnLock(func(r protocol.Reason) error { told = append(told, r); return nil })
		tm.alarm(protocol.ReasonLeak)
		if !slices.Equal(told, []protocol.Reason{protocol.ReasonLeak}) {
			t.Errorf("told %v", told)
		}
		q := protocol.Question{Ref: "42", Kind: protocol.Sale, Amount: 15000}
		if o, err := tm.Lookup(t.Context(), q); err != nil || o.Result != protocol.Approved {
			t.Errorf("%+v %v", o, err)
		}
		if !tm.Status().Quarantined {
			t.Error("a lookup lifted the quarantine")
		}
		q.Serial = "99887766"
		if o, err := tm.Lookup(t.Context(), q); err != nil || o.Result != protocol.InDoubt || o.Reason != protocol.ReasonSubstitute {
			t.Errorf("another terminal: %+v %v", o, err)
		}
	})
}
