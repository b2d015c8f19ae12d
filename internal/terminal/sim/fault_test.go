package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// faultCases has one observation on the wire for each kind: what a driver sees
// that a sale of 50.00 is made to. Each leaves the terminal able to answer.
var faultCases = map[Kind]struct {
	fault Fault
	see   func(*testing.T, *Sim, *driver)
}{
	DropByte: {Fault{At: 5}, func(t *testing.T, s *Sim, d *driver) {
		bad := d.begun().frame(patience)
		d.write([]byte{0x15})
		good := d.frame(patience)
		if !bytes.Equal(append(good[:4:4], good[5:]...), bad) {
			t.Errorf("%q is not %q without its fifth byte", bad, good)
		}
		d.end()
	}},
	DropFrame: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().silent(6 * time.Second)
		d.approved()
	}},
	FlipBit: {Fault{At: 20}, func(t *testing.T, s *Sim, d *driver) {
		bad := d.begun().frame(patience)
		d.write([]byte{0x15})
		good := d.frame(patience)
		differ := 0
		for i := range good {
			if good[i] != bad[i] {
				differ++
			}
		}
		if differ != 1 || bad[19] == good[19] {
			t.Errorf("%q and %q differ in %d bytes", bad, good, differ)
		}
		d.end()
	}},
	NoiseBefore: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().noise()
		d.approved()
	}},
	NoiseAfter: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().frame(patience)
		d.noise()
		d.end()
	}},
	WrongLRC: {Fault{Count: 2}, func(t *testing.T, s *Sim, d *driver) {
		d.begun()
		for range 2 {
			if f := d.frame(patience); check(f[1:len(f)-1]) == f[len(f)-1] {
				t.Error("the check byte is right")
			}
			d.write([]byte{0x15})
		}
		d.approved()
	}},
	Gap: {Fault{At: 30, Delay: Duration(3 * time.Second)}, func(t *testing.T, s *Sim, d *driver) {
		d.begun()
		for range 29 {
			if _, err := d.next(time.Second); err != nil {
				t.Fatal(err)
			}
		}
		d.silent(2900 * time.Millisecond)
		d.rest([]byte{0x02})
		d.end()
	}},
	Split: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun()
		b := make([]byte, 4096)
		n, err := d.conn.Read(b)
		if err != nil || n > 300 || bytes.IndexByte(b[:n], 0x03) >= 0 {
			t.Errorf("the first piece has %d bytes, %v", n, err)
		}
		d.buf = append(b[:n:n], d.buf...)
		d.approved()
	}},
	Duplicate: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		one, two := d.begun().frame(patience), d.frame(time.Second)
		if !bytes.Equal(one, two) {
			t.Errorf("%q and %q differ", one, two)
		}
		d.write([]byte{0x06})
		d.expect(0x04, time.Second)
		d.write([]byte{0x06})
		d.silent(time.Second)
	}},
	HangUp: {Fault{At: 41, Delay: Duration(3 * time.Second)}, func(t *testing.T, s *Sim, d *driver) {
		d.begun()
		for range 40 {
			if _, err := d.next(time.Second); err != nil {
				t.Fatal(err)
			}
		}
		d.gone(time.Second)
		if _, err := s.Dial(t.Context()); !errors.Is(err, ErrAway) {
			t.Errorf("the line is back at once: %v", err)
		}
		time.Sleep(3*time.Second + linger)
		d.conn = s.Pipe()
	}},
	Merge: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		synctest.Wait()
		b := make([]byte, 4096)
		n, err := d.conn.Read(b)
		if err != nil || n < 100 || b[0] != 0x06 || b[1] != 0x02 {
			t.Errorf("%q, %v", b[:n], err)
		}
		d.buf = b[1:n]
		d.approved()
	}},
	LateReply: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().silent(199 * time.Second)
		if m := d.exchange(raw("R02|1.35|00||||||1")); m.code != "000000" {
			t.Errorf("meanwhile a look-up gives %+v", m)
		}
		d.approved()
	}},
	EOTForReply: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().expect(0x04, time.Second)
		d.silent(time.Minute)
	}},
	MissingEOT: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().frame(patience)
		d.write([]byte{0x06})
		d.silent(3 * time.Second)
		d.write([]byte{0x06})
		d.silent(3 * time.Second)
	}},
	MultiPacket: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		one := d.begun().frame(patience)
		d.write([]byte{0x06})
		two := d.frame(time.Second)
		d.end()
		if one[1] != '1' || two[1] != '0' {
			t.Fatalf("status %c, then %c", one[1], two[1])
		}
		head := len("0|T01|1.43|000000|OK")
		whole := append(one[:len(one)-2:len(one)-2], two[1+head:]...)
		whole[len(whole)-1] = check(whole[1 : len(whole)-1])
		if m := parse(t, whole); m.item(4, 1) != "1" || m.ext(8, "SN") != "53236566" {
			t.Errorf("joined: %+v", m)
		}
	}},
	ExtraGroups: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		m := d.begun().answer()
		if len(m.groups) < 13 || len(m.groups[3]) < 20 || m.ext(8, "NEWKEY") != "1=2" || m.item(4, 1) != "1" {
			t.Errorf("%+v", m)
		}
	}},
	LowerCaseKeys: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.ext(8, "sn") != "53236566" || m.ext(8, "SN") != "" {
			t.Errorf("%+v", m)
		}
	}},
	UpperCaseKeys: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.ext(8, "HREF") == "" || m.ext(8, "SN") != "53236566" {
			t.Errorf("%+v", m)
		}
	}},
	Offline: {Fault{}, func(t *testing.T, s *Sim, d *driver) { d.begun().approved() }},
	ClockJump: {Fault{Delay: Duration(-time.Hour)}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.item(4, 2) != time.Now().Add(-time.Hour).Format(stamp) {
			t.Errorf("at %s: %+v", time.Now(), m)
		}
	}},
	Downgrade: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().approved()
		if m := d.exchange(raw("A00|1.35")); !strings.Contains(strings.Join(m.groups[0], " "), oldApp) && !strings.Contains(fmt.Sprint(m.groups), oldApp) {
			t.Errorf("%+v", m)
		}
	}},
	NonASCII: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); !strings.Contains(m.ext(8, "APPLAB"), "\xc9") {
			t.Errorf("%+v", m)
		}
	}},
	CheckByte: {Fault{Byte: 0x04}, func(t *testing.T, s *Sim, d *driver) {
		f := d.begun().frame(patience)
		if f[len(f)-1] != 0x04 {
			t.Errorf("the check byte is %#02x", f[len(f)-1])
		}
		d.end()
	}},
	Oversize: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if f := d.begun().frame(patience); len(f) < 65536 {
			t.Errorf("%d bytes", len(f))
		}
		d.end()
	}},
	WrongCommand: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.command != "B01" {
			t.Errorf("%+v", m)
		}
	}},
	WrongRef: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.item(4, 1) != "999999999999" || m.code != "000000" {
			t.Errorf("%+v", m)
		}
	}},
	PANLeak: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.item(3, 0) != "4111111111111111" {
			t.Errorf("%+v", m)
		}
	}},
	NoAck: {Fault{}, func(t *testing.T, s *Sim, d *driver) { d.approved() }},
	NoAckBusy: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.silent(4 * time.Second) // a card is presented after five
		d.write(sale("1", 5000))
		d.expect(0x04, time.Second)
		d.approved()
	}},
	EOTForAck: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.expect(0x04, time.Second)
		d.approved()
	}},
	LateAck: {Fault{Delay: Duration(4 * time.Second)}, func(t *testing.T, s *Sim, d *driver) {
		d.silent(3900 * time.Millisecond)
		d.begun()
		d.approved()
	}},
	DropCommand: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.silent(time.Minute)
		d.write(sale("1", 5000))
		d.begun()
		d.approved()
	}},
	Nak: {Fault{Count: 2}, func(t *testing.T, s *Sim, d *driver) {
		d.expect(0x15, time.Second)
		d.write(sale("1", 5000))
		d.expect(0x15, time.Second)
		d.write(sale("1", 5000))
		d.begun()
		d.approved()
	}},
	Busy: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.expect(0x04, time.Second)
		d.silent(time.Minute)
	}},
	Reboot: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().gone(time.Second)
		d.back(s)
	}},
	PowerBefore: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().gone(time.Minute)
		d.back(s)
		if m := d.exchange(raw("R02|1.35|00||||||1")); m.code != codeNotFound {
			t.Errorf("%+v", m)
		}
	}},
	PowerAfter: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().gone(time.Minute)
		d.back(s)
		if m := d.exchange(raw("R02|1.35|00||||||1")); m.code != "000000" || m.item(6, 0) != "5000" {
			t.Errorf("%+v", m)
		}
	}},
	Chatter: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun()
		for range 2 {
			if m := parse(t, d.frame(patience)); m.command != "A35" {
				t.Errorf("%+v", m)
			}
			d.write([]byte{0x06})
		}
		d.approved()
	}},
	Timeout: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.code != "100001" {
			t.Errorf("%+v", m)
		}
	}},
	HostDown: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.code != codeConnect || len(m.groups) != 0 {
			t.Errorf("%+v", m)
		}
	}},
	SlowHost: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().silent(19 * time.Second)
		d.approved()
	}},
	Partial: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.item(0, 0) != "10" || m.item(2, 0) != "2500" || m.item(2, 1) != "2500" {
			t.Errorf("%+v", m)
		}
	}},
	LocalDup: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.code != "100011" || m.item(4, 1) != "0" || m.item(0, 3) == "" {
			t.Errorf("%+v", m)
		}
	}},
	HostDup: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.code != "103000" || m.item(4, 1) != "0" {
			t.Errorf("%+v", m)
		}
	}},
	Stale: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		d.begun().approved()
		if err := errors.Join(s.Unplug(), s.Plug()); err != nil {
			t.Fatal(err)
		}
		d.gone(time.Second)
		d.conn = s.Pipe()
		d.approved()
	}},
	Swap: {Fault{}, func(t *testing.T, s *Sim, d *driver) {
		if m := d.begun().answer(); m.ext(8, "SN") != swappedSerial {
			t.Errorf("%+v", m)
		}
		if m := d.exchange(raw("A00|1.35")); m.item(0, 0) != swappedSerial {
			t.Errorf("%+v", m)
		}
		if err := errors.Join(s.PowerOff(), s.PowerOn()); err != nil {
			t.Fatal(err)
		}
		d.back(s)
	}},
}

// charged says whether the sale of a case is in the ledger afterwards.
func charged(k Kind) bool {
	switch k {
	case Busy, Reboot, PowerBefore, Timeout, HostDown, LocalDup, HostDup:
		return false
	}
	return true
}

func (d *driver) begun() *driver {
	d.t.Helper()
	d.expect(0x06, time.Second)
	return d
}

func (d *driver) end() {
	d.t.Helper()
	d.write([]byte{0x06})
	d.expect(0x04, time.Second)
}

// approved takes the reply that says so.
func (d *driver) approved() {
	d.t.Helper()
	if m := d.answer(); m.code != "000000" || m.item(0, 0) != "00" || m.item(4, 1) != "1" || m.item(2, 0) != "5000" {
		d.t.Errorf("%+v", m)
	}
}

func (d *driver) noise() {
	d.t.Helper()
	for _, c := range []byte{0x02, 0x03, 0x06, 0x10, 0x15, 0xff} {
		d.expect(c, patience)
	}
}

// back attaches again once the terminal has booted.
func (d *driver) back(s *Sim) {
	d.t.Helper()
	time.Sleep(3 * time.Second)
	d.conn, d.buf = s.Pipe(), nil
}

func TestEachFault(t *testing.T) {
	for _, k := range PAX.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, ok := faultCases[k]
				if !ok {
					t.Fatal("nothing observes this fault")
				}
				o := Options{Strict: true}
				if k == NoAckBusy || k == LateAck {
					o.CardDelay = 5 * time.Second
				}
				s := quick(t, o)
				d := drive(t, s)
				d.exchange(sale("0", 5000))
				before := len(s.Ledger())
				c.fault.Kind = k
				if err := s.Inject(c.fault); err != nil {
					t.Fatal(err)
				}
				d.write(sale("1", 5000))
				c.see(t, s, d)
				if got := len(s.Ledger()) > before; got != charged(k) {
					t.Errorf("charged: %v, want %v", got, charged(k))
				}
				time.Sleep(5 * time.Second)
				if m := d.exchange(raw("A00|1.35")); m.item(0, 0) != "53236566" {
					t.Errorf("afterwards A00 is answered %+v", m)
				}
				for _, v := range s.Violations() {
					t.Errorf("a fault of ours was put down to the driver: %+v", v)
				}
			})
		})
	}
}

// TestPowerFailsInBatchClose cuts the power before and after the issuer has
// closed the batch: what the driver finds afterwards is what the ledger has.
func TestPowerFailsInBatchClose(t *testing.T) {
	for kind, closed := range map[Kind]bool{PowerBefore: false, PowerAfter: true} {
		for _, p := range []struct {
			speaks      Protocol
			sale, close string
		}{
			{PAX, string(sale("1", 5000)), string(raw("B00|1.35|20261125120000"))},
			{Simplify, string(framed([]byte("0001,02\r\n0002,50.00\r\n0007,1\r\n0013,112526\r\n0014,120000\r\n\x04"))), string(framed([]byte("0001,13\r\n0007,2\r\n0013,112526\r\n0014,120000\r\n\x04")))},
			{UPA, "\x02\n" + `{"message":"MSG","data":{"command":"Sale","EcrId":"13","requestId":"1","data":{"transaction":{"baseAmount":"50.00","invoiceNbr":"1"}}}}` + "\n\x03\n",
				"\x02\n" + `{"message":"MSG","data":{"command":"EODProcessing","EcrId":"13","requestId":"2"}}` + "\n\x03\n"},
		} {
			t.Run(string(kind)+" "+string(p.speaks), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := quick(t, Options{Protocol: p.speaks})
					d := drive(t, s)
					d.write([]byte(p.sale))
					time.Sleep(time.Minute)
					message := map[Protocol]string{PAX: "B00", Simplify: "13", UPA: "EODProcessing"}[p.speaks]
					if err := s.Inject(Fault{Kind: kind, Message: message}); err != nil {
						t.Fatal(err)
					}
					d.conn = s.Pipe()
					d.write([]byte(p.close))
					time.Sleep(time.Minute)
					lines := s.Ledger()
					if got := lines[len(lines)-1].Act == Batch; got != closed || lines[0].Act != Charge {
						t.Errorf("%+v", lines)
					}
					if st := s.Status(); st.Screen != Idle || st.Stats.Faults != 1 {
						t.Errorf("%+v", st)
					}
				})
			})
		}
	}
}

// TestCheckBytes asks for a reply with each check byte that looks like a
// control byte, of a sale and of a look-up.
func TestCheckBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{})
		d := drive(t, s)
		d.exchange(sale("1", 5000))
		for _, want := range []byte{0x02, 0x03, 0x04, 0x06, 0x15, 0x00, 0x1c, 0x1f} {
			if err := s.Inject(Fault{Kind: CheckByte, Byte: want}); err != nil {
				t.Fatal(err)
			}
			d.write(raw("R02|1.35|00||||||1"))
			f := d.begun().frame(patience)
			if f[len(f)-1] != want || parse(t, f).item(8, 1) != "1" {
				t.Errorf("the check byte is %#02x, want %#02x", f[len(f)-1], want)
			}
			d.end()
		}
	})
}

func TestScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var script []Fault
		text := `[{"kind":"partial","message":"T01","nth":2},{"kind":"wrong-ref","message":"R02","count":2},{"kind":"gap","message":"A00","at":3,"delay":"1.5s"}]`
		if err := json.Unmarshal([]byte(text), &script); err != nil {
			t.Fatal(err)
		}
		s := quick(t, Options{Faults: script})
		d := drive(t, s)
		for i, want := range []string{"100", "50", "100"} {
			if m := d.exchange(sale(string(rune('1'+i)), 100)); m.item(2, 0) != want {
				t.Errorf("sale %d: %+v", i, m)
			}
		}
		for i, want := range []string{"999999999999", "999999999999", "1"} {
			if m := d.exchange(raw("R02|1.35|00||||||1")); m.item(8, 1) != want {
				t.Errorf("look-up %d: %+v", i, m)
			}
		}
		start := time.Now()
		d.exchange(raw("A00|1.35"))
		if got := time.Since(start); got != 1500*time.Millisecond {
			t.Errorf("the gap took %v", got)
		}
		if err := s.Inject(Fault{Kind: "no-such"}); !errors.Is(err, ErrKind) {
			t.Errorf("an unknown kind: %v", err)
		}
	})
}
