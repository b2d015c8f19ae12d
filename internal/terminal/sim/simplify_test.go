package sim

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/money"
)

// lines writes a Simplify payload given with | for CR LF.
func lines(message string) string {
	return strings.ReplaceAll(message, "|", "\r\n") + "\r\n\x04"
}

// pad frames a Simplify message for a serial line.
func pad(message string) []byte {
	body := lines(message) + "\x03"
	return append([]byte("\x02"+body), check([]byte(body)))
}

const stampFields = "|13,030226|14,090100"

func padSale(ref, amount string) []byte {
	return pad("0001,02|0002," + amount + "|0007," + ref + stampFields + "|1008,ID:")
}

func padOf(typ, ref, amount string) []byte {
	return pad("0001," + typ + "|0002," + amount + "|0007," + ref + stampFields)
}

func padVoid(ref, amount string) []byte {
	return pad("0001,11|0002," + amount + "|0003,ID:911201061951117|0007," + ref + stampFields)
}

// fields takes a framed reply apart, with no help from the codec.
func fields(t testing.TB, frame []byte) map[string]string {
	t.Helper()
	if n := len(frame); n < 4 || check(frame[1:n-1]) != frame[n-1] || frame[n-3] != 0x04 {
		t.Fatalf("%q is no frame of Simplify", frame)
	}
	m := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(frame[1:len(frame)-3]), "\r\n"), "\r\n") {
		k, v, _ := strings.Cut(line, ",")
		m[strings.TrimLeft(k, "0")] = v
	}
	return m
}

// reply takes messages, acknowledging each, until one is no status message.
func (d *driver) reply() map[string]string {
	d.t.Helper()
	for {
		m := fields(d.t, d.frame(patience))
		d.write([]byte{0x06})
		if m["1"] != "36" {
			return m
		}
	}
}

func (d *driver) ask(command []byte) map[string]string {
	d.t.Helper()
	d.write(command)
	d.expect(0x06, time.Second)
	return d.reply()
}

func simplifyQuick(t testing.TB, o Options) *Sim {
	o.Protocol = Simplify
	return quick(t, o)
}

func TestSimplifyMoney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simplifyQuick(t, Options{Rules: DefaultRules(), Serial: "284431938", Strict: true})
		d := drive(t, s)
		want := func(what string, m map[string]string, net money.Amount, pairs ...string) {
			t.Helper()
			for i := 0; i < len(pairs); i += 2 {
				if m[pairs[i]] != pairs[i+1] {
					t.Errorf("%s: field %s is %q, want %q", what, pairs[i], m[pairs[i]], pairs[i+1])
				}
			}
			if got := Net(s.Ledger()); got != net {
				t.Errorf("%s: the issuer has %v, want %v", what, got, net)
			}
		}
		want("health", d.ask(pad("0001,73|0007,7765"+stampFields)), 0, "1", "73", "7", "7765", "5002", "")
		want("sale", d.ask(padSale("11", "150.00")), 15000, "1", "02", "7", "11", "2", "150.00", "1003", "0000", "1010", "COMPLETE",
			"1000", "VI", "1008", "XXXXXXXXXXXX1111", "5002", "284431938", "52", "2", "1325", "A0000000031010")
		want("cents without a point", d.ask(padSale("12", "2000")), 17000, "2", "20.00")
		want("a part", d.ask(padSale("13", "10.61")), 17531, "2", "5.31", "1003", "0000")
		want("declined", d.ask(padSale("14", "10.41")), 17531, "1003", "0060", "1009", "05")
		want("no host", d.ask(padSale("15", "10.91")), 17531, "1003", "0003", "1010", "*SLR COMMUNICATIONS ERROR.")
		want("the inquiry of a sale", d.ask(padOf("22", "11", "150.00")), 17531, "1", "02", "7", "11", "1010", "COMPLETE")
		want("that of a part", d.ask(padOf("22", "13", "10.61")), 17531, "1", "02", "2", "5.31")
		want("that of a decline", d.ask(padOf("22", "14", "10.41")), 17531, "1", "02", "1003", "0060")
		want("that of nothing", d.ask(padOf("22", "15", "10.91")), 17531, "1", "22", "1010", "NO RECORDS FOUND", "5002", "284431938")
		want("that of another amount", d.ask(padOf("22", "12", "20.01")), 17531, "1", "22", "1010", "NO RECORDS FOUND")
		want("void", d.ask(padOf("11", "12", "20.00")), 15531, "1", "11", "7", "12", "1003", "0000")
		want("void once more", d.ask(padOf("11", "12", "20.00")), 15531, "1003", "0005")
		want("the inquiry of a voided sale", d.ask(padOf("22", "12", "20.00")), 15531, "1", "11")
		want("void of nothing", d.ask(padOf("11", "99", "20.00")), 15531, "1003", "0007")
		want("return", d.ask(padOf("09", "16", "1.00")), 15431, "1", "09", "1003", "0000")
		want("a message that it has not", d.ask(pad("0001,61|0002,1.00|0007,17"+stampFields)), 15431, "1010", "*SLR INVALID FORMAT.")
		want("batch close", d.ask(pad("0001,13|0007,18"+stampFields)), 15431, "1", "13", "1012", "5", "1013", "154.31")
		want("the inquiry of an earlier batch", d.ask(padOf("22", "11", "150.00")), 15431, "1010", "NO RECORDS FOUND")
		for _, v := range s.Violations() {
			if v.Rule != OriginalMissing { // the inquiry of another amount
				t.Errorf("%+v", v)
			}
		}
	})
}

func TestSimplifyCancelAndBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simplifyQuick(t, Options{Manual: true, HostDelay: 3 * time.Second})
		d := drive(t, s)
		begin := func(ref string) {
			t.Helper()
			d.write(padSale(ref, "10.00"))
			d.expect(0x06, time.Second)
			if m := fields(t, d.frame(time.Second)); m["1"] != "36" || m["1010"] != "PRESENT CARD" {
				t.Errorf("the status message is %v", m)
			}
			d.write([]byte{0x06})
		}
		cancel := pad("0001,80|0007,11" + stampFields)
		if m := d.ask(cancel); m["1"] != "80" || m["1003"] != "" {
			t.Errorf("nothing runs: %v", m)
		}
		begin("11")
		if m := d.ask(cancel); m["1"] != "80" || m["1003"] != "" || s.Status().Screen != Idle {
			t.Errorf("cancelled: %v", m)
		}
		begin("12")
		if m := d.ask(pad("0001,73|0007,1" + stampFields)); m["1"] != "73" || m["1003"] != "" {
			t.Errorf("health while busy: %v", m)
		}
		if m := d.ask(padSale("13", "11.00")); m["1003"] != "0030" || m["1010"] != "*SLR BUSY." || m["7"] != "13" {
			t.Errorf("a second sale: %v", m)
		}
		if err := s.Tap(""); err != nil {
			t.Fatal(err)
		}
		if m := fields(t, d.frame(time.Second)); m["1010"] != "PROCESSING" {
			t.Errorf("the status message is %v", m)
		}
		d.write([]byte{0x06})
		if m := d.ask(cancel); m["1"] != "80" || m["1003"] != "0030" || m["1010"] != "*SLR Busy." {
			t.Errorf("too late: %v", m)
		}
		if m := d.reply(); m["1"] != "02" || m["7"] != "12" || m["1010"] != "COMPLETE" {
			t.Errorf("the approval: %v", m)
		}
		begin("14")
		if err := s.Cancel(); err != nil {
			t.Fatal(err)
		}
		if m := d.reply(); m["7"] != "14" || m["1010"] != "*SLR CANCELLED." {
			t.Errorf("the red key: %v", m)
		}
		if m := d.ask(padSale("15", "1.00")); m["1010"] != "*SLR TIMEOUT." {
			t.Errorf("nobody comes: %v", m)
		}
		if n := len(s.Ledger()); n != 1 {
			t.Errorf("%d charges", n)
		}
	})
}

// TestSimplifyStrict misbehaves in each way that strict knows of Simplify, and
// has each found.
func TestSimplifyStrict(t *testing.T) {
	for _, c := range []struct {
		rule  string
		drive func(d *driver)
	}{
		{"", func(d *driver) { d.ask(padSale("11", "1.00")); d.ask(padOf("22", "11", "1.00")) }},
		{"", func(d *driver) {
			d.ask(padSale("11", "1.00"))
			d.ask(padVoid("11", "1.00"))
			d.ask(padVoid("11", "1.00"))
		}},
		{OriginalMissing, func(d *driver) { d.ask(padSale("11", "1.00")); d.ask(padOf("11", "11", "1.00")) }},
		{ResendAfterAck, func(d *driver) { d.ask(padSale("11", "1.00")); d.ask(padSale("11", "1.00")) }},
		{RefReused, func(d *driver) { d.ask(padSale("11", "1.00")); d.ask(padSale("11", "2.00")) }},
		{RefReused, func(d *driver) { d.ask(padSale("11", "1.00")); d.ask(padOf("09", "11", "1.00")) }},
		{BadRef, func(d *driver) { d.ask(padSale("0011", "1.00")) }},
		{BadRef, func(d *driver) { d.ask(padSale("INV7", "1.00")) }},
		{RefMissing, func(d *driver) { d.ask(pad("0001,02|0002,1.00" + stampFields)) }},
		{BadAmount, func(d *driver) { d.ask(padSale("11", "1.0")) }},
		{BadAmount, func(d *driver) { d.ask(padSale("11", "0.00")) }},
		{StampMissing, func(d *driver) { d.ask(pad("0001,02|0002,1.00|0007,11|0013,030226")) }},
		{AccountFilled, func(d *driver) { d.ask(pad("0001,02|0002,1.00|0007,11|0003,1111" + stampFields)) }},
		{AccountFilled, func(d *driver) { d.ask(pad("0001,02|0002,1.00|0007,11|0004,1230" + stampFields)) }},
		{UnknownType, func(d *driver) { d.ask(pad("0001,77|0007,11")) }},
		{OriginalMissing, func(d *driver) { d.ask(padSale("11", "1.00")); d.ask(padOf("22", "11", "2.00")) }},
		{OriginalMissing, func(d *driver) { d.ask(padSale("11", "1.00")); d.ask(pad("0001,22|0007,11" + stampFields)) }},
		{BadMessage, func(d *driver) { d.write(pad("hello")); d.expect(0x06, time.Second) }},
		{BadMessage, func(d *driver) { d.write(pad("0001,73|0001,73")); d.expect(0x06, time.Second) }},
		{BadLRC, func(d *driver) {
			b := pad("0001,73|0007,1")
			b[len(b)-1]++
			d.write(b)
			d.expect(0x15, time.Second)
		}},
		{NakGood, func(d *driver) {
			d.write(pad("0001,73|0007,1"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.write([]byte{0x15})
			d.reply()
		}},
		{AckMissing, func(d *driver) {
			d.write(pad("0001,13|0007,1"))
			d.expect(0x06, time.Second)
			for range 3 { // it comes again
				d.frame(8 * time.Second)
			}
		}},
		{BusyCommand, func(d *driver) {
			d.write(padOf("09", "11", "10.68"))
			d.expect(0x06, time.Second)
			d.write(padSale("12", "2.00"))
		}},
		{NothingToCancel, func(d *driver) { d.ask(pad("0001,80|0007,11")) }},
		{StrayControl, func(d *driver) { d.write([]byte{0x06}) }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simplifyQuick(t, Options{Strict: true, CardDelay: time.Second})
				d := drive(t, s)
				c.drive(d)
				time.Sleep(30 * time.Second)
				var rules []string
				for _, v := range s.Violations() {
					rules = append(rules, v.Rule)
				}
				if c.rule == "" && len(rules) > 0 || c.rule != "" && !slices.Contains(rules, c.rule) {
					t.Errorf("found %v, want %s", rules, c.rule)
				}
			})
		})
	}
}

// TestSimplifyFaultBytes has the faults of a reply's content on the wire.
func TestSimplifyFaultBytes(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		holds func(frame []byte, m map[string]string) bool
	}{
		{Fault{Kind: WrongRef}, func(_ []byte, m map[string]string) bool { return m["7"] == "999999999999" }},
		{Fault{Kind: WrongCommand}, func(_ []byte, m map[string]string) bool { return m["1"] == "13" }},
		{Fault{Kind: PANLeak}, func(_ []byte, m map[string]string) bool { return m["1008"] == "4111111111111111" }},
		{Fault{Kind: NonASCII}, func(b []byte, _ map[string]string) bool { return slices.Contains(b, 0xc9) }},
		{Fault{Kind: CheckByte, Byte: 0x03}, func(b []byte, _ map[string]string) bool { return b[len(b)-1] == 0x03 }},
		{Fault{Kind: HostDown}, func(_ []byte, m map[string]string) bool { return m["1010"] == "*SLR COMMUNICATIONS ERROR." }},
		{Fault{Kind: Partial}, func(_ []byte, m map[string]string) bool { return m["2"] == "0.50" }},
		{Fault{Kind: Busy}, func(_ []byte, m map[string]string) bool { return m["1010"] == "*SLR BUSY." }},
		{Fault{Kind: Swap}, func(_ []byte, m map[string]string) bool { return m["5002"] == swappedSerial }},
	} {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simplifyQuick(t, Options{})
				d := drive(t, s)
				d.inject(s, c.fault)
				d.write(padSale("11", "1.00"))
				d.expect(0x06, time.Second)
				for {
					b := d.frame(time.Minute)
					d.write([]byte{0x06})
					if m := fields(t, b); m["1"] != "36" {
						if !c.holds(b, m) {
							t.Errorf("the reply is %q", b)
						}
						return
					}
				}
			})
		})
	}
	for _, k := range (&simplifyTerminal{}).lacks() {
		s := simplifyQuick(t, Options{})
		if err := s.Inject(Fault{Kind: k}); err == nil || slices.Contains(Simplify.Kinds(), k) {
			t.Errorf("%s can be armed", k)
		}
	}
}

// TestSimplifyTCP: bare payloads over a socket, in both directions.
func TestSimplifyTCP(t *testing.T) {
	s := simplifyQuick(t, Options{Strict: true})
	at, err := s.ServeTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, conn: c}
	defer d.close()
	for i := range 3 {
		d.write([]byte(lines(fmt.Sprintf("1,02|2,%d.00|7,%d", i+1, 11+i) + stampFields)))
		got := ""
		for !strings.Contains(got, "1010,COMPLETE") || !strings.HasSuffix(got, "\x04") {
			c, err := d.next(5 * time.Second)
			if err != nil {
				t.Fatalf("after %q: %v", got, err)
			}
			got += string([]byte{c})
		}
		if strings.ContainsAny(got, "\x02\x03\x06") || !strings.Contains(got, fmt.Sprintf("0007,%d\r\n", 11+i)) {
			t.Errorf("the answer is %q", got)
		}
	}
	if got := Net(s.Ledger()); got != 600 {
		t.Errorf("the issuer has %v", got)
	}
	for _, v := range s.Violations() {
		t.Errorf("%+v", v)
	}
}

// FuzzSimplifyReceive feeds the PIN pad anything at all: it must live, be able
// to answer soon after, and charge for nothing without a card.
func FuzzSimplifyReceive(f *testing.F) {
	for _, b := range [][]byte{padSale("11", "1.00"), padOf("22", "11", "1.00"), padOf("11", "11", "1.00"), pad("0001,80|0007,1"),
		pad("0001,13"), {0x06, 0x15, 0x04, 0x05}, []byte("\x02\x02\x03\x03"), pad("0001,36"), pad(",")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			s := simplifyQuick(t, Options{Strict: true, Manual: true})
			d := drive(t, s)
			d.write(b)
			time.Sleep(5 * time.Minute)
			for _, l := range s.Ledger() {
				if l.Act != Batch {
					t.Fatalf("%q moved money without a card: %+v", b, l)
				}
			}
			d.conn, d.buf = s.Pipe(), nil
			if m := d.ask(pad("0001,73|0007,1" + stampFields)); m["1"] != "73" {
				t.Fatalf("%v", m)
			}
		})
	})
}
