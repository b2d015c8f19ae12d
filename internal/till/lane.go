package till

import (
	"context"
	"slices"
	"sync"
	"time"

	"coffer/internal/ident"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// lane is one terminal with what the till wants of it: one goroutine that
// first finds out what is not known, then runs what is new, one at a time.
type lane struct {
	till     *Till
	terminal *terminal.Terminal
	id       ident.ID[ident.Terminal]
	wake     chan struct{}

	mu       sync.Mutex
	open     bool                                // Recover has been called
	fresh    []attempt                           // to run, oldest first
	unknown  []ident.ID[ident.Attempt]           // to find out, oldest first
	read     map[ident.ID[ident.Attempt]]attempt // of these, as the journal has them
	live     live
	asked    map[ident.ID[ident.Attempt]]int // of these, how often the terminal was asked
	pause    time.Duration                   // until the next question
	noted    presence                        // of the terminal, as the audit trail has it
	unwanted ident.ID[ident.Attempt]         // to be cancelled as soon as the terminal asks for its card
	idle     chan struct{}                   // closed when nothing runs or waits; nil unless somebody drains
}

// live is what is known of the running attempt and stands in no journal.
type live struct {
	id         ident.ID[ident.Attempt]
	step       protocol.Step
	cancelling bool
	checking   bool // a question about an unknown outcome, not a command
}

func newLane(t *Till, m *terminal.Terminal) *lane {
	return &lane{till: t, terminal: m, id: m.ID(), wake: make(chan struct{}, 1), read: map[ident.ID[ident.Attempt]]attempt{}, asked: map[ident.ID[ident.Attempt]]int{}}
}

// start lets the lane work, first on the unknown attempts.
func (l *lane) start(unknown []ident.ID[ident.Attempt]) {
	l.mu.Lock()
	l.open, l.unknown = true, append(unknown, l.unknown...)
	l.mu.Unlock()
	l.terminal.OnLock(func(why protocol.Reason) error { return l.till.keepHold(l.id, why) })
	if s := l.terminal.Status(); s.Quarantined && s.Reason != protocol.ReasonSubstitute {
		if err := l.till.keepHold(l.id, s.Reason); err != nil {
			l.till.log.Error("that a terminal is locked could not be kept", "error", err.Error())
		}
	}
	l.terminal.OnStray(l.stray)
	l.terminal.OnAttach(l.attach)
	l.note()
	l.till.running.Go(func() { l.loop(l.till.ctx) })
}

// run queues a fresh attempt.
func (l *lane) run(a attempt) {
	l.mu.Lock()
	l.fresh = append(l.fresh, a)
	l.mu.Unlock()
	l.nudge()
}

// doubt queues an attempt whose outcome is not known.
func (l *lane) doubt(id ident.ID[ident.Attempt]) {
	l.mu.Lock()
	l.unknown = append(l.unknown, id)
	l.mu.Unlock()
}

// reread makes the lane look again at an unknown attempt that somebody else
// has settled.
func (l *lane) reread(id ident.ID[ident.Attempt]) {
	l.mu.Lock()
	delete(l.read, id)
	l.mu.Unlock()
	l.nudge()
}

func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// free returns nil when a new command may go to the terminal, else why not and
// the attempt in the way.
func (l *lane) free(tx *vault.Tx) (ident.ID[ident.Attempt], error) {
	row, held, err := attempts.First(tx, indexTerminal, l.id.String())
	if err != nil {
		return ident.ID[ident.Attempt]{}, err
	}
	s := l.terminal.Status()
	switch {
	case !l.isOpen():
		return row.Shared.ID, ErrRecovering
	case s.Quarantined && s.Reason != protocol.ReasonInspection:
		return row.Shared.ID, ErrQuarantined
	case held && row.Shared.State != InDoubt && l.isWorking(row.Shared.ID):
		return row.Shared.ID, ErrBusy
	case held:
		return row.Shared.ID, ErrRecovering
	case !s.Attached:
		return ident.ID[ident.Attempt]{}, ErrUnplugged
	}
	v, err := l.verdict(tx, s.Device)
	switch {
	case err != nil:
		return ident.ID[ident.Attempt]{}, err
	case v.Reason == protocol.ReasonInspection:
		return ident.ID[ident.Attempt]{}, ErrInspection
	case v.Reason != protocol.ReasonNone:
		return ident.ID[ident.Attempt]{}, ErrQuarantined
	}
	return ident.ID[ident.Attempt]{}, nil
}

// isOpen reports whether Recover has been called.
func (l *lane) isOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// isWorking reports whether the attempt runs or waits to run.
func (l *lane) isWorking(id ident.ID[ident.Attempt]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live.id == id && !l.live.checking {
		return true
	}
	for _, a := range l.fresh {
		if a.ID == id {
			return true
		}
	}
	return false
}

// loop works until ctx ends.
func (l *lane) loop(ctx context.Context) {
	pause := l.till.retry.start()
	for ctx.Err() == nil {
		l.restIfDone()
		var more bool
		if pause, more = l.turn(ctx, pause); !more {
			pause = l.wait(ctx, pause)
		}
	}
	l.rest()
}

// turn does the next thing, if there is one, behind a recover: a defect of the
// program at one terminal must not take the others down with it. It returns
// the next pause (negative: until something happens), and whether to go on
// without one.
func (l *lane) turn(ctx context.Context, pause time.Duration) (next time.Duration, more bool) {
	next = max(pause, l.till.retry.start())
	defer func() {
		if p := recover(); p != nil {
			l.broken()
			more = false
		}
	}()
	if id, ok := l.nextUnknown(); ok {
		if l.settleUnknown(ctx, id) {
			return l.till.retry.start(), true
		}
		return next, false
	}
	if a, ok := l.nextFresh(); ok {
		l.execute(a)
		return next, true
	}
	return -1, false
}

// broken locks a terminal at which the program itself has failed. What ran is
// not known.
func (l *lane) broken() {
	l.till.log.Error("a lane broke on a defect of the program; its terminal is locked")
	l.mu.Lock()
	if !l.live.id.IsZero() && !l.live.checking {
		l.unknown = append(l.unknown, l.live.id)
	}
	l.live = live{}
	l.mu.Unlock()
	l.terminal.Lock(protocol.ReasonDefect)
	if err := l.till.keepHold(l.id, protocol.ReasonDefect); err != nil {
		l.till.log.Error("that a terminal is locked could not be kept", "error", err.Error())
	}
	l.till.bell(TopicTerminals)
}

// wait waits for something to do, at most for the pause, and returns the next
// pause. A terminal that came back starts the back-off anew.
func (l *lane) wait(ctx context.Context, pause time.Duration) time.Duration {
	var due <-chan time.Time
	if pause >= 0 {
		l.pauses(pause)
		timer := time.NewTimer(pause)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-l.wake:
	case <-l.terminal.Changed():
		l.note()
		l.till.bell(TopicTerminals)
		l.ringUnknown()
		return l.till.retry.start()
	case <-due:
		return l.till.retry.after(pause)
	}
	return max(pause, l.till.retry.start())
}

// pauses remembers how long the lane waits until its next question.
func (l *lane) pauses(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pause = d
}

// asks counts a question about an unknown attempt.
func (l *lane) asks(id ident.ID[ident.Attempt]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[id]++
}

// asking returns how often the terminal was asked about an attempt, and how
// long the lane waits between two questions.
func (l *lane) asking(id ident.ID[ident.Attempt]) (times int, pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked[id], l.pause
}

// ringUnknown says that the words for unknown attempts may have changed.
func (l *lane) ringUnknown() {
	l.mu.Lock()
	ids := append([]ident.ID[ident.Attempt](nil), l.unknown...)
	l.mu.Unlock()
	for _, id := range ids {
		l.till.bell(topic(id))
	}
}

// restIfDone is rest if no command waits. Nothing runs when it is called.
func (l *lane) restIfDone() {
	l.mu.Lock()
	waits := len(l.fresh) > 0
	l.mu.Unlock()
	if !waits {
		l.rest()
	}
}

// rest says to whoever drains that nothing runs.
func (l *lane) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// drain waits until no command runs or waits, or ctx ends. What is only not
// known does not hold it up: the next start finds out.
func (l *lane) drain(ctx context.Context) {
	l.mu.Lock()
	if !l.open || len(l.fresh) == 0 && (l.live.id.IsZero() || l.live.checking) {
		l.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	l.idle = idle
	l.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

func (l *lane) nextUnknown() (id ident.ID[ident.Attempt], ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.unknown) == 0 {
		return id, false
	}
	l.live = live{id: l.unknown[0], step: protocol.StepChecking, checking: true}
	return l.unknown[0], true
}

func (l *lane) nextFresh() (a attempt, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.fresh) == 0 {
		return a, false
	}
	a, l.fresh = l.fresh[0], l.fresh[1:]
	l.live = live{id: a.ID, step: protocol.StepQueued}
	return a, true
}

// execute runs a fresh attempt at the terminal, to whatever end.
func (l *lane) execute(a attempt) {
	ctx, cancel := context.WithTimeout(context.Background(), l.till.runMax)
	defer cancel()
	kept := false
	token, err := l.till.token(&a)
	if err != nil {
		l.till.log.Warn("the token of the card could not be read", "attempt", a.ID.String(), "error", err.Error())
	}
	o, err := l.terminal.Run(ctx, command(&a, token), terminal.Hooks{
		Sending: func() error { return l.till.mark(a.ID, Sent) },
		Acked:   func() error { return l.till.mark(a.ID, Acked) },
		Result: func(o protocol.Outcome) error {
			_, err := l.till.apply(a.ID, o)
			kept = err == nil
			return err
		},
		Step: func(s protocol.Step) { l.show(a.ID, s) },
	})
	if err != nil {
		l.till.log.Warn("a payment's step could not be kept", "attempt", a.ID.String(), "error", err.Error())
	}
	l.conclude(a.ID, o, kept)
}

// conclude journals the end of a command whose conversation is over. What
// cannot be journaled stays unknown, and is tried again.
func (l *lane) conclude(id ident.ID[ident.Attempt], o protocol.Outcome, kept bool) {
	var err error
	if !kept {
		_, err = l.till.apply(id, o)
	}
	known := false
	if err == nil {
		known, err = l.till.close(id)
	}
	if err != nil {
		l.till.log.Error("a payment's end could not be kept; trying again", "attempt", id.String(), "error", err.Error())
	}
	if !known {
		l.doubt(id)
	}
	l.quiet()
	l.till.bell(topic(id))
	l.till.bell(TopicTerminals)
}

func (l *lane) quiet() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = live{}
}

// show keeps what the terminal shows, for pages.
func (l *lane) show(id ident.ID[ident.Attempt], s protocol.Step) {
	l.mu.Lock()
	l.live.step = s
	unwanted := l.unwanted == id && cancellable(s)
	l.mu.Unlock()
	if unwanted { // not here: the terminal is in the middle of telling
		l.till.running.Go(func() { l.cancel(id) })
	}
	l.till.bell(topic(id))
}

// stepOf returns what the terminal shows for an attempt, if it runs now.
func (l *lane) stepOf(id ident.ID[ident.Attempt]) (live, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live.id == id {
		return l.live, true
	}
	for _, a := range l.fresh {
		if a.ID == id {
			return live{id: id, step: protocol.StepQueued}, true
		}
	}
	return live{}, false
}

// askCancel asks the terminal to stop the attempt, if it still waits for the
// card. Asked before that, it is remembered until the terminal asks for it.
func (l *lane) askCancel(id ident.ID[ident.Attempt]) error {
	if !l.cancel(id) && !l.wish(id) {
		return ErrTooLate
	}
	l.till.bell(topic(id))
	return nil
}

// cancel asks with the lane held, so that it is this attempt that is stopped
// and never the next one. (The terminal calls nothing back while it is asked.)
func (l *lane) cancel(id ident.ID[ident.Attempt]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live.id != id || l.live.checking || !cancellable(l.live.step) {
		return false
	}
	l.live.cancelling = true
	l.terminal.Cancel()
	return true
}

// wish remembers that an attempt is to be cancelled which the terminal does not
// show yet, and reports whether that can still come. One that is being
// cancelled already needs no second wish.
func (l *lane) wish(id ident.ID[ident.Attempt]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := slices.ContainsFunc(l.fresh, func(a attempt) bool { return a.ID == id })
	if l.live.id == id && !l.live.checking {
		waiting = l.live.cancelling || l.live.step == protocol.StepQueued || l.live.step == protocol.StepSending
	}
	if waiting && !l.live.cancelling {
		l.unwanted = id
	}
	return waiting
}

// cancellable reports whether a command may be cancelled while the terminal
// shows s: only while it waits for the card.
func cancellable(s protocol.Step) bool { return s == protocol.StepPresent }

// command returns what the terminal is told: amount and reference, and nothing
// about the client.
func command(a *attempt, token protocol.Token) protocol.Command {
	return protocol.Command{
		Kind: protocol.Kind(a.Kind), Ref: a.Ref, Amount: a.Amount, Invoice: a.Ref,
		OriginalRef: a.OfRef, OriginalHostRef: a.OfHost, OriginalTerminalRef: a.OfTerm, OriginalToken: token,
		AllowDuplicate: a.Again,
	}
}

// question returns what the terminal is asked about an attempt.
func question(a *attempt, token protocol.Token) protocol.Question {
	return protocol.Question{
		Ref: a.Ref, Kind: protocol.Kind(a.Kind), Amount: a.Amount,
		OriginalRef: a.OfRef, OriginalHostRef: a.OfHost, OriginalTerminalRef: a.OfTerm, OriginalToken: token, Serial: a.Serial,
	}
}

// backoff is how long to wait between two questions.
type backoff struct{ min, max time.Duration }

func (b backoff) start() time.Duration { return b.min }

// after returns the pause that follows d.
func (b backoff) after(d time.Duration) time.Duration { return min(max(2*d, b.min), b.max) }
