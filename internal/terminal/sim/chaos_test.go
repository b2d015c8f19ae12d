package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// till is a careful client in as few lines as it takes: it never sends a sale
// again after an ACK or a byte of the reply, and looks up whatever it does not
// know the end of.
type till struct {
	driver
	s *Sim
}

var errLine = errors.New("the line is gone or confused")

// get returns the next whole frame, refusing damaged ones, and acknowledges
// it; or the control byte that came instead.
func (p *till) get(limit time.Duration) ([]byte, byte, error) {
	deadline := time.Now().Add(limit)
	for naks := 0; ; {
		c, err := p.next(time.Until(deadline))
		if err != nil || c != 0x02 {
			return nil, c, err
		}
		f, whole := p.body()
		n := len(f)
		if whole && check(f[1:n-1]) == f[n-1] {
			_, err := p.conn.Write([]byte{0x06})
			return f, 0, err
		}
		if naks++; naks > 3 {
			_, err := p.conn.Write([]byte{0x04})
			return nil, 0, errors.Join(errLine, err)
		}
		if _, err := p.conn.Write([]byte{0x15}); err != nil {
			return nil, 0, err
		}
	}
}

// body reads what follows an STX; whole is false when it breaks off.
func (p *till) body() (b []byte, whole bool) {
	b = []byte{0x02}
	for ended := false; ; {
		c, err := p.next(500 * time.Millisecond)
		if err != nil || len(b) > 70_000 {
			return b, false
		}
		if b = append(b, c); ended {
			return b, true
		}
		ended = c == 0x03
	}
}

// ask sends a command and returns its reply.
func (p *till) ask(command []byte, reply, ref string, refGroup int, limit time.Duration) (message, error) {
	for try := 1; try <= 3; try++ {
		if _, err := p.conn.Write(command); err != nil {
			return message{}, err
		}
		c, err := p.next(7 * time.Second)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), err == nil && c == 0x15:
			continue
		case err != nil:
			return message{}, err
		case c == 0x04:
			return message{}, errLine // it proves nothing of the command
		case c == 0x02:
			p.buf = append([]byte{c}, p.buf...)
		case c != 0x06:
			return message{}, errLine
		}
		return p.reply(reply, ref, refGroup, limit)
	}
	return message{}, errLine
}

// reply waits for the reply that names the reference.
func (p *till) reply(reply, ref string, refGroup int, limit time.Duration) (message, error) {
	deadline := time.Now().Add(limit)
	var before []byte
	for time.Now().Before(deadline) {
		f, c, err := p.get(time.Until(deadline))
		if err != nil {
			return message{}, err
		}
		if c == 0x04 {
			return message{}, errLine
		}
		if f == nil {
			continue
		}
		if f[1] == '1' {
			before = f[:len(f)-2]
			continue
		}
		m := p.join(before, f)
		before = nil
		plain := m.code != "000000" && m.code != "000100"
		if m.command == reply && (ref == "" || plain || m.item(refGroup, 1) == ref) {
			p.settle()
			return m, nil
		}
	}
	return message{}, errLine
}

// join puts two packets together.
func (p *till) join(before, f []byte) message {
	if before == nil {
		return parse(p.t, f)
	}
	head := 0
	for n := 0; n < 5 && head < len(f); head++ {
		if f[head] == 0x1c {
			n++
		}
	}
	whole := append(before[:len(before):len(before)], f[head-1:]...)
	whole[len(whole)-1] = check(whole[1 : len(whole)-1])
	return parse(p.t, whole)
}

// settle waits for EOT, and acknowledges what is repeated.
func (p *till) settle() {
	for {
		_, c, err := p.get(4 * time.Second)
		if err != nil || c == 0x04 {
			return
		}
	}
}

// attach gets a line and lets stale bytes go by.
func (p *till) attach() {
	for {
		conn, err := p.s.Dial(p.t.Context())
		if err == nil {
			p.conn, p.buf = conn, nil
			break
		}
		time.Sleep(time.Second)
	}
	p.drain()
}

func (p *till) drain() {
	for {
		if _, _, err := p.get(2 * time.Second); err != nil {
			return
		}
	}
}

// lookUp finds out what the terminal took for ref.
func (p *till) lookUp(ref string) int {
	for range 100 {
		p.drain()
		if _, err := p.conn.Write(nil); err != nil {
			p.attach()
		}
		if _, err := p.ask(raw("A00|1.35"), "A01", "", 0, 10*time.Second); err != nil {
			continue
		}
		m, err := p.ask(raw("R02|1.35|00||||||"+ref), "R03", ref, 8, 15*time.Second)
		switch {
		case err != nil:
		case m.code == "100023":
			return 0
		case m.code == "000000":
			n, err := strconv.Atoi(m.item(6, 0))
			if err != nil {
				p.t.Fatalf("%+v", m)
			}
			return n
		}
	}
	p.t.Fatalf("the terminal never says what became of %s", ref)
	return 0
}

// take sells, and returns what was taken.
func (p *till) take(ref string, cents int) int {
	m, err := p.ask(sale(ref, cents), "T01", ref, 4, 90*time.Second)
	switch {
	case err != nil, m.code == "100007":
		return p.lookUp(ref)
	case m.code != "000000" || !strings.Contains("00 10", m.item(0, 0)):
		return 0
	}
	n, err := strconv.Atoi(m.item(2, 0))
	if err != nil {
		p.t.Fatalf("%+v", m)
	}
	return n
}

// TestChaos sells through every fault that chaos draws. The careful client
// must agree with the issuer to the cent, and strict must find no fault in it.
func TestChaos(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger")
			synctest.Test(t, func(t *testing.T) {
				s := quick(t, Options{Ledger: path, Seed: seed, Chaos: 0.5, Strict: true, Rules: DefaultRules(),
					CardDelay: time.Second, HostDelay: time.Second})
				p := &till{driver: driver{t: t}, s: s}
				p.attach()
				sum := 0
				for i := range 60 {
					ref, cents := strconv.Itoa(1000+i), 100+i
					got := p.take(ref, cents)
					truth := 0
					for _, o := range s.Ledger() {
						if o.Ref == ref {
							truth += int(o.Amount)
						}
					}
					if got != truth {
						t.Fatalf("sale %s: the client says %d, the issuer %d", ref, got, truth)
					}
					sum += got
				}
				if net := int(Net(s.Ledger())); net != sum || s.Status().Stats.Faults < 20 {
					t.Errorf("client %d, issuer %d, %d faults", sum, net, s.Status().Stats.Faults)
				}
				for _, v := range s.Violations() {
					t.Errorf("%+v", v)
				}
			})
		})
	}
}

// TestSeed runs the same exchanges twice and gets the same bytes.
func TestSeed(t *testing.T) {
	record := func(seed uint64) (frames []string) {
		synctest.Test(t, func(t *testing.T) {
			s := quick(t, Options{Seed: seed, Chaos: 1, ChaosKinds: []Kind{ExtraGroups, FlipBit, CheckByte, LowerCaseKeys, MissingEOT}})
			d := drive(t, s)
			for i := range 12 {
				d.write(sale(strconv.Itoa(i), 100))
				d.expect(0x06, time.Second)
				for { // until silence
					c, err := d.next(time.Minute)
					if err != nil {
						break
					}
					frames = append(frames, string([]byte{c}))
				}
			}
		})
		return frames
	}
	first, again, other := record(7), record(7), record(8)
	if !slices.Equal(first, again) {
		t.Error("the same seed gives different bytes")
	}
	if slices.Equal(first, other) {
		t.Error("another seed gives the same bytes")
	}
}

// FuzzReceive feeds the terminal anything at all: it must live, be able to
// answer soon after, and charge for nothing but whole sales.
func FuzzReceive(f *testing.F) {
	for _, b := range [][]byte{raw("A00|1.35"), sale("1", 100), raw("R02|1.35|00|||0"), raw("T00|1.35|16|||9|||||HREF=1"),
		{0x06, 0x15, 0x04, 0x05}, []byte("\x02\x02\x03\x03"), []byte("36"), raw("B00|1.35|1"), raw("A26|1.35"), raw("|||")} {
		f.Add(b)
	}
	for _, b := range sampleFrames(f) {
		f.Add(b)
	}
	for _, b := range trapFrames(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			s := quick(t, Options{Strict: true, Manual: true})
			d := drive(t, s)
			d.write(b)
			time.Sleep(5 * time.Minute)
			if n := len(s.Ledger()); n > 0 && Net(s.Ledger()) != 0 {
				t.Fatalf("%q moved money without a card: %+v", b, s.Ledger())
			}
			d.conn = s.Pipe()
			d.buf = nil
			if m := d.exchange(raw("A00|1.35")); m.command != "A01" {
				t.Fatalf("%+v", m)
			}
		})
	})
}

// FuzzCommand feeds the control socket anything at all.
func FuzzCommand(f *testing.F) {
	for _, line := range []string{"tap visa", "fault nak 2", `fault nak {"count":2}`, `{"do":"fault","fault":{"kind":"gap","delay":"1s"}}`,
		"unplug", "power-off", "ledger", "", `{"do":"tap","args":[]}`} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s := quick(t, Options{BootDelay: time.Microsecond})
		if r := s.Command(line); r.OK == (r.Error != "") {
			t.Fatalf("%q is answered %+v", line, r)
		}
	})
}
