package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"coffer/internal/terminal/sim"
)

// config is what the flags say.
type config struct {
	options       sim.Options
	pty           string
	tcp           string
	control       string
	web           string
	exchanges     int
	duration      time.Duration
	dieWithParent bool
}

const usage = `terminalsim is a card terminal in software.

usage: terminalsim -pty LINK | -tcp ADDR  [flags]

It answers as a PAX terminal does on its serial or network port: frames of
STX … ETX LRC, ACK, NAK and EOT; the messages A00 A14 A16 A26 T00 R00 R02 B00.
With -protocol simplify it answers as a PIN pad with Elavon's Simplify: lines of
NNNN,value that end with EOT, on a serial line in such frames, on TCP bare; the
types 02 09 11 13 17 22 73 80. With -protocol upa it answers as a terminal with the
Unified Payments Application, on TCP: JSON between STX LF and LF ETX LF, ACK and
READY as messages; Ping GetAppInfo Sale Void Refund CancelTransaction
GetBatchDetails EODProcessing. A moment after a sale arrives it presents a test
card by itself, so that any client can drive it. Money that was moved is a line of
the ledger file before the reply leaves, and is still there after a restart.

example, in two shells:

  terminalsim -pty /tmp/terminal -ledger /tmp/ledger -control /tmp/terminal.sock -manual
  echo 'tap visa' | socat - UNIX-CONNECT:/tmp/terminal.sock

With -web 127.0.0.1:8444 it can be seen and used in a browser.

The first prints a line for each door and then "ready"; a client opens
/tmp/terminal as it would open /dev/ttyACM0, and sends a sale.

amounts: cents .41 are declined (05), .51 have no funds (51), .61 are approved
in half (10), .68 take long, .91 do not reach the host. -no-rules ends that.
A decline is told in two ways, as by real terminals, so that a client must read
both codes: 05 comes with the device's own CODE 000100, and 51 with CODE 000000
and the decline in the host's code alone.

-strict reports each fault of whoever drives the terminal in one line, as
"strict: RULE: MESSAGE: what was wrong", and counts them at the end. A run of
bytes that belong to no frame is one fault, a frame that stops is one, a reply
that is never acknowledged is one. After a line loss a client may acknowledge
what still comes, send A00, and send A14 once before it looks its payment up.

exit status: 0 after a signal, quit, -exchanges or -for; 1 when it cannot run;
2 for wrong flags; 3 when -strict has found a fault of whoever drove it.

flags:
`

// parse reads the flags.
func parse(args []string, stderr io.Writer) (config, error) {
	var c config
	var script string
	var noRules, pace bool
	f := flag.NewFlagSet("terminalsim", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { help(f, stderr) }
	o := &c.options
	f.StringVar((*string)(&o.Protocol), "protocol", string(sim.PAX), "the `protocol` to speak: one of "+protocols())
	f.StringVar(&c.pty, "pty", "", "make a pseudo-terminal, and `LINK` a symbolic link to it")
	f.StringVar(&c.tcp, "tcp", "", "listen at `ADDR`, such as 127.0.0.1:10009 (port 0 takes a free one)")
	f.StringVar(&c.control, "control", "", "open a control `SOCKET`: one command a line, one line of JSON as its answer")
	f.StringVar(&c.web, "web", "", "show the terminal on a page at `ADDR` of this machine, such as 127.0.0.1:0")
	f.StringVar(&o.Ledger, "ledger", "", "keep the truth in `FILE`, as lines of JSON")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of codes and of chaos")
	f.Float64Var(&o.Chaos, "chaos", 0, "`RATE`, 0 to 1: how likely an exchange meets a fault")
	f.StringVar(&script, "faults", "", "arm the faults in `FILE`, a JSON array")
	f.BoolVar(&o.Strict, "strict", false, "report each fault of whoever drives the terminal, and exit with 3 if there is one")
	f.BoolVar(&o.Manual, "manual", false, "wait for tap, insert or swipe on the control socket or the page")
	f.StringVar(&o.Serial, "serial", "", "serial `number` of the device (default 53236566)")
	f.StringVar(&o.Model, "model", "", "`model` of the device (default A35)")
	f.BoolVar(&pace, "pace", false, "send at the speed of the line, see -baud")
	f.IntVar(&o.Baud, "baud", 115200, "`speed` of the line in bits per second, with -pace")
	f.DurationVar(&o.CardDelay, "card-delay", 1500*time.Millisecond, "present a card by itself after `D`")
	f.DurationVar(&o.HostDelay, "host-delay", 700*time.Millisecond, "the issuer's answer takes `D`")
	f.DurationVar(&o.PINDelay, "pin-delay", 0, "entering the PIN of a chip card takes `D`")
	f.DurationVar(&o.CardTimeout, "card-timeout", time.Minute, "give up without a card after `D`")
	f.DurationVar(&o.BootDelay, "boot-delay", 2*time.Second, "booting takes `D`")
	f.DurationVar(&o.LateReply, "late-reply", 200*time.Second, "the fault late-reply holds a reply for `D`")
	f.BoolVar(&noRules, "no-rules", false, "approve whatever the amount")
	f.IntVar(&c.exchanges, "exchanges", 0, "end after `N` acknowledged replies")
	f.DurationVar(&c.duration, "for", 0, "end after `D`")
	f.BoolVar(&c.dieWithParent, "die-with-parent", false, "end when the process that started it ends")
	if err := f.Parse(args); err != nil {
		return config{}, err
	}
	if !pace {
		o.Baud = 0
	}
	if noRules {
		o.Rules = sim.NoRules()
	}
	if err := check(&c, f, script); err != nil {
		fmt.Fprintln(stderr, "terminalsim:", err)
		return config{}, err
	}
	return c, nil
}

// check refuses what cannot work, and reads the fault script.
func check(c *config, f *flag.FlagSet, script string) error {
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("%q is not a flag; see terminalsim -h", f.Arg(0))
	case !slices.Contains(sim.Protocols(), c.options.Protocol):
		return errors.New("-protocol: one of " + protocols())
	case c.pty == "" && c.tcp == "":
		return errors.New("name a door: -pty LINK, -tcp ADDR, or both; see terminalsim -h")
	case c.options.Chaos < 0 || c.options.Chaos > 1:
		return errors.New("-chaos is a rate from 0 to 1")
	case c.options.Manual && c.control == "" && c.web == "":
		return errors.New("-manual needs -control SOCKET or -web ADDR, or nobody could present a card")
	case script == "":
		return nil
	}
	b, err := os.ReadFile(script)
	if err != nil {
		return fmt.Errorf("-faults: %w", err)
	}
	if err := json.Unmarshal(b, &c.options.Faults); err != nil {
		return fmt.Errorf("-faults: %s is not a JSON array of faults: %w", script, err)
	}
	return nil
}

// help prints everything there is to know.
func help(f *flag.FlagSet, w io.Writer) {
	fmt.Fprint(w, usage)
	f.PrintDefaults()
	fmt.Fprintf(w, "\ncontrol socket:\n  %s\n", strings.ReplaceAll(sim.ControlHelp, "\n", "\n  "))
	for _, p := range sim.Protocols() {
		fmt.Fprintf(w, "\nfaults of %s (for \"fault NAME\" and -faults; chaos draws those with a star):\n", p)
		faultHelp(p, w)
	}
	fmt.Fprint(w, "\n-faults FILE holds, for example:\n  "+
		`[{"kind":"wrong-lrc","message":"T01","nth":2,"count":3}, {"kind":"hang-up","at":100,"delay":"3s"}]`+"\n")
}

// faultHelp lists the faults of a protocol's terminal.
func faultHelp(p sim.Protocol, w io.Writer) {
	drawn := p.ChaosKinds()
	for _, k := range p.Kinds() {
		star := " "
		if slices.Contains(drawn, k) {
			star = "*"
		}
		fmt.Fprintf(w, "  %s %-14s %s\n", star, k, k.About())
	}
}

// protocols names all protocols.
func protocols() string {
	var names []string
	for _, p := range sim.Protocols() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
