package sim

import (
	"log/slog"
	"time"
)

// Options say which terminal this is and how it behaves. The zero value is a
// terminal that answers at once, never fails and keeps its ledger in memory.
type Options struct {
	Protocol Protocol // what it speaks; default PAX

	Serial string // serial number in A01 and in SN of every reply; default "53236566"
	Model  string // default "A35"
	OS     string // operating system version in A01
	App    string // payment application version in A01

	Ledger string // path of the truth ledger (JSON lines); "" keeps it in memory

	// Seed starts the generator of authorisation codes, cryptograms and chaos.
	// Two terminals with the same seed that are driven alike behave alike.
	Seed uint64
	// Chaos is the probability, 0 to 1, that an exchange meets a fault.
	Chaos float64
	// ChaosKinds are the faults that chaos draws from; nil means the protocol's.
	ChaosKinds []Kind
	// Faults is the script: each entry fires when its turn comes.
	Faults []Fault

	// Strict watches whoever drives the terminal; see Violation.
	Strict bool
	// OnViolation, if set, is told each violation as it happens, on the
	// terminal's own goroutine: it must not call back into the Sim.
	OnViolation func(Violation)

	// OnMessage, if set, is told each message of the driver as it came, whole
	// ones without their frame; the rule of OnViolation holds.
	OnMessage func(payload []byte)

	// OnExchange, if set, is told how many replies have been acknowledged and
	// ended with EOT, each time that number grows; the rule of OnViolation holds.
	OnExchange func(n int)

	// Manual waits for Tap or Insert; otherwise a test card is presented
	// CardDelay after the terminal asks for one.
	Manual bool

	CardDelay   time.Duration // until a card is presented by itself; default none
	PINDelay    time.Duration // a chip card's PIN entry; default none
	HostDelay   time.Duration // the issuer's answer; default none
	RemoveDelay time.Duration // removing an inserted card; default none
	CardTimeout time.Duration // no card: the sale ends 100001; default 60 s
	SlowHost    time.Duration // the issuer's answer when a rule says slow; default 20 s
	BootDelay   time.Duration // from power-on until the line is up; default 2 s
	PlugDelay   time.Duration // from a fault's hang-up until the line is back; default 1 s

	AckTimeout time.Duration // an unacknowledged reply is sent again; default 7 s
	GapTimeout time.Duration // silence inside a frame is answered NAK; default 500 ms
	LateReply  time.Duration // how long the fault late-reply holds a reply; default 200 s

	// DuplicateWindow makes the issuer report a second sale of the same amount
	// on the same card within the window as a duplicate (103000); 0 is never.
	DuplicateWindow time.Duration
	// Rules decide an authorisation by its amount; nil means DefaultRules().
	Rules []Rule

	// Baud paces the bytes sent (10 bits a byte); 0 sends without pause.
	Baud int

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default none
}

func (o Options) withDefaults() Options {
	text := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	span := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	if o.Protocol == "" {
		o.Protocol = PAX
	}
	text(&o.Serial, "53236566")
	text(&o.Model, "A35")
	text(&o.OS, "10.0.27.8034R")
	text(&o.App, "BroadPOS V1.04.07E_20240131")
	span(&o.CardTimeout, time.Minute)
	span(&o.SlowHost, 20*time.Second)
	span(&o.BootDelay, 2*time.Second)
	span(&o.PlugDelay, time.Second)
	span(&o.AckTimeout, 7*time.Second)
	span(&o.GapTimeout, 500*time.Millisecond)
	span(&o.LateReply, 200*time.Second)
	if o.ChaosKinds == nil {
		o.ChaosKinds = o.Protocol.ChaosKinds()
	}
	if o.Rules == nil {
		o.Rules = DefaultRules()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
