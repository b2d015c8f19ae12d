package terminal

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/pax"
	"coffer/internal/terminal/protocol"
)

// device is the other end of the line: a terminal with no more manners than
// the tests of this package need. Its answers are functions of the request.
type device struct {
	serial string
	answer func(d *device, r pax.Request) // to T00; nil approves
	silent bool                           // answers nothing at all
	greet  []byte                         // what it sends when it is connected

	mu      sync.Mutex
	seen    []string // commands and control bytes, as they came
	records []pax.FindReply
	dials   int
	conn    io.ReadWriteCloser
	out     chan []byte
	acked   chan struct{} // an ACK came
}

func newDevice() *device { return &device{serial: "53236566", acked: make(chan struct{}, 64)} }

// dial connects a terminal to the device, in memory.
func (d *device) dial(context.Context) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dials++
	if d.conn != nil {
		return nil, io.ErrClosedPipe
	}
	near, far := net.Pipe()
	d.plug(far)
	return near, nil
}

// plug makes the device speak on a connection. d.mu must be held.
func (d *device) plug(conn io.ReadWriteCloser) {
	d.conn, d.out = conn, make(chan []byte, 64)
	go pump(conn, d.out)
	go d.listen(conn, d.out)
	if d.greet != nil {
		d.out <- d.greet
	}
}

// pump writes what the device says, so that it never waits for its reader.
func pump(conn io.Writer, out <-chan []byte) {
	for b := range out {
		if _, err := conn.Write(b); err != nil {
			return
		}
	}
}

func (d *device) listen(conn io.ReadWriteCloser, out chan []byte) {
	defer d.gone(conn, out)
	var dec frame.Decoder
	buf := make([]byte, 256)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		for _, c := range buf[:n] {
			e, ok := dec.Push(c)
			switch {
			case ok && e.Kind == frame.Control:
				d.control(e.Byte)
			case ok && e.Kind == frame.Frame:
				if r, err := pax.ParseRequest(e.Payload); err == nil {
					d.request(r)
				}
			}
		}
	}
}

func (d *device) gone(conn io.ReadWriteCloser, out chan []byte) {
	conn.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	close(out)
	if d.conn == conn {
		d.conn = nil
	}
}

// unplug cuts the line.
func (d *device) unplug() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		d.conn.Close()
	}
}

func (d *device) say(b ...byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		d.out <- b
	}
}

func (d *device) control(c byte) {
	d.note(map[byte]string{frame.ACK: "ACK", frame.NAK: "NAK", frame.EOT: "EOT"}[c])
	if c == frame.ACK {
		d.acked <- struct{}{}
		d.say(frame.EOT)
	}
}

func (d *device) note(word string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, word)
}

// words returns what has come so far.
func (d *device) words() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.seen...)
}

// has reports how often a word has come.
func (d *device) has(word string) int {
	n := 0
	for _, w := range d.words() {
		if w == word {
			n++
		}
	}
	return n
}

// set changes how the device behaves from now on.
func (d *device) set(change func(*device)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *device) request(r pax.Request) {
	d.note(r.Command)
	d.mu.Lock()
	silent, serial, answer := d.silent, d.serial, d.answer
	d.mu.Unlock()
	if silent {
		return
	}
	switch r.Command {
	case pax.Initialise:
		d.say(frame.ACK)
		d.say(framedResponse(pax.Device{Serial: serial, Model: "A35", OS: "1", App: "2"}.Response("1.43"))...)
	case pax.Cancel:
		d.say(frame.EOT)
	case pax.FindRecord:
		d.say(frame.ACK)
		d.say(framedResponse(d.find(r).Response("1.43"))...)
	case pax.Credit:
		if answer != nil {
			answer(d, r)
			return
		}
		d.approve(r)
	}
}

// approve charges, and answers so.
func (d *device) approve(r pax.Request) {
	m := d.charge(r)
	d.say(frame.ACK)
	d.say(framedResponse(m.Response("1.43"))...)
}

// charge makes a record of a command, and the answer to it.
func (d *device) charge(r pax.Request) pax.MoneyReply {
	q, err := pax.ParseMoney(r)
	if err != nil {
		return pax.MoneyReply{Code: "100003", Text: "ERROR"}
	}
	m := approval(q.Ref, q.Amount)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = append(d.records, pax.FindReply{
		Code: pax.CodeOK, Text: "OK", Record: len(d.records) + 1, Host: m.Host, Type: q.Type,
		Approved: q.Amount, Account: m.Account, Trace: m.Trace, Ext: m.Ext,
	})
	return m
}

func approval(ref string, amount money.Amount) pax.MoneyReply {
	return pax.MoneyReply{
		Code: pax.CodeOK, Text: "OK", Type: pax.TypeSale, Approved: amount,
		Host:    pax.Host{Code: "00", Text: "APPROVAL", Auth: "611529", Ref: "7", Batch: "1"},
		Account: pax.Account{LastFour: "1111", EntryMode: "4", CardType: "01"},
		Trace:   pax.Trace{TerminalRef: "2", Ref: ref, At: "20240417141656"},
		Ext:     map[string]string{"HREF": "20006912367"},
	}
}

func (d *device) find(r pax.Request) pax.FindReply {
	f, err := pax.ParseFind(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	none := pax.FindReply{Code: "100023", Text: "NOT FOUND", Total: len(d.records)}
	if err != nil {
		return none
	}
	for i, rec := range d.records {
		rec.Total = len(d.records)
		if f.Ref != "" && rec.Trace.Ref == f.Ref || f.Record == string(rune('1'+i)) {
			return rec
		}
	}
	return none
}

func framedResponse(r pax.Response) []byte {
	f, err := frame.Append(nil, r.Append(nil))
	if err != nil {
		return nil
	}
	return f
}

// profile has the limits of a real terminal; tests run in virtual time.
func profile() protocol.Profile {
	return protocol.Profile{
		ID: "pax-test", Protocol: "pax", FrameMax: frame.SizeMax, Version: pax.VersionSent,
		Messages: []string{"A00", "A14", "A16", "A35", "B00", "R02", "T00"},
		Timers: protocol.Timers{
			Ack: 7000, Byte: 500, EOT: 3000, Settle: 1000, Cancel: 15000, Whole: 240000, Quiet: 1000, Drain: 2000,
			Write: 2000, RetryMin: 250, RetryMax: 5000,
			Answer: map[string]protocol.Millis{"A00": 10000, "R02": 15000, "T00": 180000},
		},
		Retries: protocol.Retries{Send: 3, NAK: 3, EOT: 7},
		Lookup:  protocol.Lookup{NotFound: []string{"100023"}, First: 1, Proof: true},
	}
}

// quick is profile for tests on the wall's clock.
func quick() protocol.Profile {
	p := profile()
	p.Timers = protocol.Timers{
		Ack: 1000, Byte: 200, EOT: 300, Settle: 100, Cancel: 500, Whole: 20000, Quiet: 200, Drain: 500,
		Write: 1000, RetryMin: 50, RetryMax: 5000,
		Answer: map[string]protocol.Millis{"A00": 2000, "R02": 2000, "T00": 10000},
	}
	return p
}

func testConfig(d *device) Config {
	return Config{ID: ident.New[ident.Terminal](time.Unix(0, 0)), Name: "Front desk", Profile: profile(), Dial: d.dial}
}

// attached waits until the terminal is attached, or not, as wanted.
func attached(t *testing.T, tm *Terminal, want bool) {
	t.Helper()
	end := time.After(time.Minute)
	for tm.Status().Attached != want {
		select {
		case <-tm.Changed():
		case <-end:
			t.Fatalf("attached is %v for a minute", !want)
		}
	}
}

func sale(ref string) protocol.Command {
	return protocol.Command{Kind: protocol.Sale, Ref: ref, Amount: 15000}
}
