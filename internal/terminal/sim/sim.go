package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/money"
)

// Sim is one simulated terminal. All its methods may be called from any
// goroutine.
type Sim struct {
	o    Options
	ops  chan func()
	quit chan struct{}
	done chan struct{} // the engine has ended
	wg   sync.WaitGroup
	once sync.Once

	p personality

	// What follows belongs to the engine's goroutine.
	book    *book
	chaos   *rand.Rand // which faults
	codes   *rand.Rand // authorisation codes and cryptograms
	armed   []*armed   // faults that wait for their occasion
	doors   []door
	links   []*link // newest last
	powered bool
	plugged bool
	serial  string          // of the device that is there now
	app     string          // version of its payment application
	skew    time.Duration   // of its clock
	stored  map[string]bool // host references of what it approved by itself, and has not told the bank yet
	broken  error           // the ledger cannot be written
	watch   *watch
	stats   Stats
	sent    atomic.Int64 // bytes, counted by the lines

	screen      Screen
	tx          *tx
	clock, hand *timer // of the device, and of the hand that presents a card
	power       *timer
	lastReply   []byte // payload of the newest reply to a money command, for the fault stale
	staleNext   bool   // send it to whoever attaches next
	declineNext bool
	said        string // how the newest transaction ended
}

// Stats count what has happened since New.
type Stats struct {
	Commands int `json:"commands"` // frames that were carried out
	Replies  int `json:"replies"`  // replies that were acknowledged
	Faults   int `json:"faults"`   // faults that struck
	Sent     int `json:"sent"`     // bytes that went out
}

// Status is what there is to see of the terminal.
type Status struct {
	Serial   string `json:"serial"`
	Model    string `json:"model"`
	Powered  bool   `json:"powered"`
	Plugged  bool   `json:"plugged"`
	Attached int    `json:"attached"` // connections
	Screen   Screen `json:"screen"`
	Manual   bool   `json:"manual"` // a card is presented by hand only
	// Amount is what the screen shows while a transaction runs.
	Amount  money.Amount `json:"amount_cents,omitempty"`
	Said    string       `json:"said,omitempty"` // how the newest transaction ended, in words
	Ref     string       `json:"ref,omitempty"`  // ECR reference of the transaction on the device
	Records int          `json:"records"`        // lines of the open batch
	Stats   Stats        `json:"stats"`
}

// door is a way in: a pseudo-terminal, a listener, or a socket in memory.
// Its methods run on the engine.
type door interface {
	raise() error // the terminal is there: let somebody attach
	lower()       // it is gone
	end()         // for ever
	sticky() bool // a reply may reach whoever is attached by then
}

// New starts a terminal that is powered on and plugged in. Nobody can reach it
// until a door is opened with ServePTY, ServeTCP, Pipe or Dial.
func New(o Options) (*Sim, error) {
	o = o.withDefaults()
	if o.Chaos < 0 || o.Chaos > 1 {
		return nil, errors.New("sim: chaos is a probability from 0 to 1")
	}
	speaks, known := personalities[o.Protocol]
	if !known {
		return nil, ErrProtocol
	}
	b, err := openBook(o.Ledger)
	if err != nil {
		return nil, err
	}
	s := &Sim{
		o: o, book: b, serial: o.Serial, app: o.App, stored: make(map[string]bool), powered: true, plugged: true, screen: Idle,
		ops: make(chan func()), quit: make(chan struct{}), done: make(chan struct{}),
		chaos: rand.New(rand.NewPCG(o.Seed, 1)),
		codes: rand.New(rand.NewPCG(o.Seed, 2+uint64(len(b.lines)))),
	}
	s.p = speaks(s)
	s.watch = &watch{s: s}
	for _, f := range o.Faults {
		if err := s.arm(f); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	go s.run()
	return s, nil
}

// run is the engine.
func (s *Sim) run() {
	defer close(s.done)
	for {
		select {
		case f := <-s.ops:
			f()
		case <-s.quit:
			s.shutDown()
			return
		}
	}
}

func (s *Sim) shutDown() {
	for _, t := range []**timer{&s.clock, &s.hand, &s.power} {
		s.stop(t)
	}
	for _, d := range s.doors {
		d.end()
	}
	s.dropLinks(nil)
}

// Close ends the terminal, its doors and its goroutines.
func (s *Sim) Close() error {
	err := error(nil)
	s.once.Do(func() {
		ended := s.do(func() error { s.watch.deserted(); return nil })
		close(s.quit)
		<-s.done
		s.wg.Wait()
		err = errors.Join(ended, s.book.close())
	})
	return err
}

// post gives f to the engine; after Close it does nothing.
func (s *Sim) post(f func()) {
	select {
	case s.ops <- f:
	case <-s.quit:
	}
}

// ErrClosed is returned by a Sim that has been closed.
var ErrClosed = errors.New("sim: the terminal is closed")

// do runs f on the engine and waits for it.
func (s *Sim) do(f func() error) error {
	result := make(chan error, 1)
	s.post(func() { result <- f() })
	select {
	case err := <-result:
		return err
	case <-s.done:
		return ErrClosed
	}
}

// timer is a time.Timer whose function runs on the engine, and never after it
// has been stopped there.
type timer struct {
	t    *time.Timer
	dead bool
}

func (s *Sim) after(d time.Duration, f func()) *timer {
	t := &timer{}
	t.t = time.AfterFunc(d, func() {
		s.post(func() {
			if !t.dead {
				t.dead = true
				f()
			}
		})
	})
	return t
}

// stop ends the timer at p, if there is one.
func (s *Sim) stop(p **timer) {
	if *p != nil {
		(*p).dead = true
		(*p).t.Stop()
		*p = nil
	}
}

// Ledger returns the truth: what the issuer has done, oldest first.
func (s *Sim) Ledger() []Truth {
	var lines []Truth
	if err := s.do(func() error { lines = slices.Clone(s.book.lines); return nil }); err != nil {
		<-s.done // after Close nothing changes the book any more
		return slices.Clone(s.book.lines)
	}
	return lines
}

// Status returns what there is to see.
func (s *Sim) Status() Status {
	var st Status
	if s.do(func() error { st = s.status(); return nil }) != nil {
		return Status{Serial: s.o.Serial, Model: s.o.Model, Screen: Off}
	}
	return st
}

func (s *Sim) status() Status {
	st := Status{Serial: s.serial, Model: s.o.Model, Powered: s.powered, Plugged: s.plugged,
		Attached: len(s.links), Screen: s.screen, Manual: s.o.Manual, Said: s.said, Records: len(s.book.open()), Stats: s.stats}
	st.Stats.Sent = int(s.sent.Load())
	if s.tx != nil {
		st.Ref, st.Amount = s.tx.ref, s.tx.amount
	}
	return st
}

// Violations returns what Strict has found so far.
func (s *Sim) Violations() []Violation {
	var v []Violation
	if s.do(func() error { v = slices.Clone(s.watch.found); return nil }) != nil {
		<-s.done
		return slices.Clone(s.watch.found)
	}
	return v
}

// Inject arms a fault, as if it stood at the end of the script.
func (s *Sim) Inject(f Fault) error { return s.do(func() error { return s.arm(f) }) }

// Errors of the hand at the device.
var (
	ErrNotAsked = errors.New("sim: the terminal is not asking for a card")
	ErrNoCard   = errors.New("sim: there is no test card of this name")
	ErrNothing  = errors.New("sim: there is nothing to cancel")
	ErrKey      = errors.New("sim: the terminal has one key to press: cancel")
	ErrOff      = errors.New("sim: the terminal is switched off")
	ErrAway     = errors.New("sim: the terminal is unplugged or switched off")
)

// Tap presents a test card (see Cards; "" is visa) to the contactless reader.
func (s *Sim) Tap(card string) error { return s.card(card, entryContactless) }

// Insert puts a test card into the chip reader.
func (s *Sim) Insert(card string) error { return s.card(card, entryChip) }

// Swipe pulls a test card through the magnetic reader.
func (s *Sim) Swipe(card string) error { return s.card(card, entrySwipe) }

func (s *Sim) card(name, entry string) error {
	if name == "" {
		name = "visa"
	}
	c, ok := Cards()[name]
	if !ok {
		return ErrNoCard
	}
	return s.do(func() error {
		if s.tx == nil || s.screen != Present {
			return ErrNotAsked
		}
		s.present(c, entry)
		return nil
	})
}

// ByHand says whether cards are presented by hand only (Options.Manual), from
// the next transaction on.
func (s *Sim) ByHand(only bool) error {
	return s.do(func() error { s.o.Manual = only; return nil })
}

// Decline presents a card that is declined if the terminal asks for one, and
// otherwise has the issuer decline the next sale.
func (s *Sim) Decline() error {
	return s.do(func() error {
		if s.tx != nil && s.screen == Present {
			s.present(Cards()["declined"], entryContactless)
			return nil
		}
		s.declineNext = true
		return nil
	})
}

// Cancel presses the red key.
func (s *Sim) Cancel() error {
	return s.do(func() error {
		if !s.abort() {
			return ErrNothing
		}
		return nil
	})
}

// Unplug pulls the cable: whoever is attached loses the line. What runs on the
// device goes on.
func (s *Sim) Unplug() error { return s.do(func() error { s.unplug(); return nil }) }

// Plug puts the cable in again.
func (s *Sim) Plug() error { return s.do(s.plug) }

// PowerOff cuts the power: what runs on the device is lost, what the ledger
// holds is not.
func (s *Sim) PowerOff() error { return s.do(func() error { s.powerOff(); return nil }) }

// PowerOn switches the terminal on; it is there after BootDelay.
func (s *Sim) PowerOn() error { return s.do(func() error { s.powerOn(); return nil }) }

// Pipe attaches to the terminal in memory, as with a cable. While the terminal
// is away the connection that it returns is closed already; see Dial.
func (s *Sim) Pipe() net.Conn {
	c, err := s.Dial(context.Background())
	if err != nil {
		a, b := pipe()
		b.Close() // an end in memory closes without failing
		a.Close()
		return a
	}
	return c
}

// Dial attaches to the terminal in memory, as with a cable; while the terminal
// is unplugged, switched off or booting it returns ErrAway.
func (s *Sim) Dial(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	var near net.Conn
	err := s.do(func() error {
		if !s.reachable() {
			return ErrAway
		}
		var far net.Conn
		near, far = pipe()
		s.attach(far, cable{})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return near, nil
}

// cable is the door of connections in memory: it needs no upkeep.
type cable struct{}

func (cable) raise() error { return nil }
func (cable) lower()       {}
func (cable) end()         {}
func (cable) sticky() bool { return true }
