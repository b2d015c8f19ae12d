package sim

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestStrict misbehaves in each way that strict knows, and has each found, as
// one fault.
func TestStrict(t *testing.T) {
	tests := []struct {
		rule  string
		drive func(*Sim, *driver)
	}{
		{AckMissing, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.frame(8 * time.Second) // it comes again
			d.frame(8 * time.Second)
			d.expect(0x04, 8*time.Second)
		}},
		{AckMissing, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.exchange(sale("1", 100)) // no ACK, straight on
		}},
		{ResendAfterAck, func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.answer()
		}},
		{ResendAfterAck, func(s *Sim, d *driver) {
			d.exchange(sale("1", 100))
			d.exchange(sale("1", 100))
		}},
		{ResendAfterRep, func(s *Sim, d *driver) {
			d.inject(s, Fault{Kind: NoAck})
			d.write(sale("1", 100))
			d.frame(time.Minute)
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.answer()
		}},
		{BadLRC, func(s *Sim, d *driver) {
			b := raw("A00|1.35")
			b[len(b)-1]++
			d.write(b)
			d.expect(0x15, time.Second)
		}},
		{BrokenFrame, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35")[:6])
			d.expect(0x15, time.Second)
		}},
		{BrokenFrame, func(s *Sim, d *driver) {
			d.write(append(raw("A00|1.35")[:6], raw("A00|1.35")...))
			d.expect(0x06, time.Second)
			d.answer()
		}},
		{BadMessage, func(s *Sim, d *driver) {
			d.write(raw("hello"))
			d.expect(0x06, time.Second)
			d.expect(0x04, time.Second)
		}},
		{ASCIIAck, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.write([]byte("36"))
			d.write([]byte{0x06})
			d.expect(0x04, time.Second)
		}},
		{Garbage, func(s *Sim, d *driver) { d.write([]byte("\r\n")) }},
		{Garbage, func(s *Sim, d *driver) { d.write([]byte("3")) }},
		{ASCIIAck, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.write([]byte("6"))
			d.end()
		}},
		{AckMissing, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.close() // well before the ACK is overdue
		}},
		{AckMissing, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.frame(8 * time.Second)
			d.close()
		}},
		{LeftExchange, func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.close()
		}},
		{BrokenFrame, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35")[:6])
			d.close()
		}},
		{StrayControl, func(s *Sim, d *driver) { d.write([]byte{0x06}) }},
		{StrayControl, func(s *Sim, d *driver) { d.write([]byte{0x15}) }},
		{StrayControl, func(s *Sim, d *driver) { d.write([]byte{0x04}) }},
		{StrayControl, func(s *Sim, d *driver) { d.write([]byte{0x05}) }},
		{StrayControl, func(s *Sim, d *driver) {
			d.exchange(raw("A00|1.35"))
			d.write([]byte{0x06}) // once more
		}},
		{StrayControl, func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.write([]byte{0x06}) // nothing has come yet
			d.answer()
		}},
		{BrokenOff, func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.write([]byte{0x04})
			d.answer()
		}},
		{BrokenOff, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.write([]byte{0x04})
		}},
		{NothingToCancel, func(s *Sim, d *driver) {
			d.write(raw("A14|1.35"))
			d.expect(0x04, time.Second)
		}},
		{NothingToCancel, func(s *Sim, d *driver) {
			d.exchange(raw("A00|1.35"))
			d.exchange(sale("1", 100))
			d.exchange(raw("A00|1.35"))
			d.write(raw("A14|1.35"))
			d.expect(0x04, time.Second)
		}},
		{NothingToCancel, func(s *Sim, d *driver) {
			d.exchange(sale("1", 100))
			d.replug(s)
			d.write(raw("A14|1.35")) // once is careful
			d.expect(0x04, time.Second)
			d.write(raw("A14|1.35"))
			d.expect(0x04, time.Second)
		}},
		{BusyCommand, func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.write(raw("A00|1.35"))
			d.expect(0x04, time.Second)
			d.answer()
		}},
		{NakGood, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.write([]byte{0x15})
			d.answer()
		}},
		{BusyCommand, func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.write(sale("2", 100))
			d.expect(0x04, time.Second)
			d.answer()
		}},
		{RefReused, func(s *Sim, d *driver) {
			d.exchange(sale("1", 100))
			d.exchange(sale("1", 101))
		}},
		{RefMissing, func(s *Sim, d *driver) { d.exchange(sale("", 100)) }},
		{Forbidden, func(s *Sim, d *driver) { d.exchange(raw("A30|1.35|1")) }},
		{Forbidden, func(s *Sim, d *driver) { d.exchange(raw("T12|1.35|01")) }},
		{AccountFilled, func(s *Sim, d *driver) { d.exchange(raw("T00|1.35|01|100|~1230|1")) }},
		{EarlyWrite, func(s *Sim, d *driver) {
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.write(append([]byte{0x06}, raw("A00|1.35")...))
			d.expect(0x04, time.Second)
			d.expect(0x06, time.Second)
			d.answer()
		}},
		{EarlyWrite, func(s *Sim, d *driver) {
			d.inject(s, Fault{Kind: MissingEOT, Message: "A00"})
			d.write(raw("A00|1.35"))
			d.expect(0x06, time.Second)
			d.frame(time.Second)
			d.write([]byte{0x06})
			d.silent(time.Second / 2)
			d.exchange(raw("A00|1.35"))
		}},
	}
	for _, c := range tests {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []Violation
				s := quick(t, Options{Strict: true, CardDelay: time.Second, OnViolation: func(v Violation) { told = append(told, v) }})
				c.drive(s, drive(t, s))
				synctest.Wait()
				found := s.Violations()
				if len(found) != 1 || found[0].Rule != c.rule || found[0].Text == "" {
					t.Errorf("found %+v", found)
				}
				if !slices.Equal(told, found) {
					t.Errorf("told %+v", told)
				}
			})
		})
	}
}

func (d *driver) inject(s *Sim, f Fault) {
	d.t.Helper()
	if err := s.Inject(f); err != nil {
		d.t.Fatal(err)
	}
}

// TestStrictFields sends messages that are wrong by themselves.
func TestStrictFields(t *testing.T) {
	tests := []struct{ message, rule string }{
		{"T00|1.35|01|-100||1", BadAmount},
		{"T00|1.35|01|12.50||1", BadAmount},
		{"T00|1.35|01|0||1", BadAmount},
		{"T00|1.35|01|000||1", BadAmount},
		{"T00|1.35|01|||1", BadAmount},
		{"T00|1.35|01|1234567890123456789012345||1", BadAmount},
		{"T00|1.35|01|100~1.5||1", BadAmount},
		{"T00|1.35|02|||1", BadAmount},
		{"T00|1.35|16|x||1|||||HREF=7", BadAmount},
		{"T00|1.35|16|||1", OriginalMissing},
		{"T00|1.35|16|||1|||||TIPREQ=0", OriginalMissing},
		{"T00|1.35|17|||1", OriginalMissing},
		{"R02|1.35|00", OriginalMissing},
		{"T00|1.35|77|100||1", UnknownType},
		{"T00|1.35||100||1", UnknownType},
		{"T00|1.35|01|100||1234567890123456789012345678901234567890", BadRef},
		{"T00|1.35|01|100||1_2", BadRef},
		{"R02|1.35|00||||||12345678901234567", BadRef},
		{"R02|1.35|00|||first", BadRef},
		{"Z98|1.35", UnknownCommand},
		{"Z99|1.35", UnknownCommand},
		{"A01|1.35", UnknownCommand},
		{"x99|1.35", BadMessage},
		{"A00|", BadMessage},
		{"A00|x", BadMessage},

		{"T00|1.35|01|999999999999||1765900203580-1", ""},
		{"T00|1.35|02|100||1", ""},
		{"T00|1.35|16|100||1|||||HREF=7", ""},
		{"T00|1.35|16|||1~~~7", ""},
		{"T00|1.35|16|||1~~~~~~7", ""},
		{"T02|1.35|01|100||1|||EDCTYPE=02", ""},
		{"T02|1.35|16|||1|||HREF=7", ""},
		{"R02|1.35|00|||0", ""},
		{"R02|1.35|00||||7", ""},
		{"A08|1.35|0", ""},
		{"B00|1.35|20261125093000", ""},
	}
	for _, c := range tests {
		t.Run(c.message, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quick(t, Options{Strict: true})
				d := drive(t, s)
				d.write(raw(c.message))
				d.expect(0x06, time.Second)
				if c, err := d.next(time.Minute); err == nil && c == 0x02 {
					d.rest([]byte{c})
					d.end()
				}
				found := s.Violations()
				if c.rule == "" && len(found) == 0 {
					return
				}
				if len(found) != 1 || found[0].Rule != c.rule {
					t.Errorf("found %+v, want %q", found, c.rule)
				}
			})
		})
	}
}

// TestStrictRuns has one fault from whatever belongs together.
func TestStrictRuns(t *testing.T) {
	good := raw("A00|1.35")
	tests := []struct {
		name  string
		want  int
		drive func(d *driver)
	}{
		{"text", 1, func(d *driver) { d.write([]byte("hello, terminal\r\n")) }},
		{"bytes in pieces", 1, func(d *driver) {
			for range 20 {
				d.write([]byte{0xff})
				time.Sleep(100 * time.Millisecond)
			}
		}},
		{"two runs", 2, func(d *driver) {
			d.write([]byte("one"))
			time.Sleep(2 * time.Second)
			d.write([]byte("two"))
		}},
		{"two runs with something good between", 2, func(d *driver) {
			d.write([]byte("one"))
			d.exchange(good)
			d.write([]byte("two"))
		}},
		{"a frame that stops, and something else later", 2, func(d *driver) {
			d.write(good[:4])
			time.Sleep(10 * time.Second)
			d.write([]byte("later"))
		}},
		{"a run of control bytes", 1, func(d *driver) { d.write([]byte{0x06, 0x06, 0x15, 0x04, 0x05}) }},
		{"a pause in a frame", 1, func(d *driver) {
			d.write(good[:4])
			time.Sleep(2 * time.Second)
			d.write(good[4:])
			time.Sleep(2 * time.Second)
			d.buf = nil
			d.expect(0x15, time.Second)
			d.exchange(good)
		}},
		{"wrong check bytes", 3, func(d *driver) {
			bad := append([]byte(nil), good...)
			bad[len(bad)-1] ^= 1
			for range 3 {
				d.write(bad)
				d.expect(0x15, time.Second)
			}
			d.exchange(good)
		}},
		{"a line break after a frame", 1, func(d *driver) { d.exchange(append(append([]byte(nil), good...), "\r\n"...)) }},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quick(t, Options{Strict: true})
				c.drive(drive(t, s))
				time.Sleep(time.Minute)
				if found := s.Violations(); len(found) != c.want {
					t.Errorf("%d faults, want %d: %+v", len(found), c.want, found)
				}
			})
		})
	}
}

// TestStrictNoise has one fault from a burst of anything at all, as long as no
// whole frame is in it.
func TestStrictNoise(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			s := quick(t, Options{Strict: true})
			d := drive(t, s)
			r := rand.New(rand.NewPCG(seed, 0))
			burst := []byte("noise:")
			for range 4000 {
				burst = append(burst, byte(r.IntN(256)))
			}
			for piece := range slices.Chunk(burst, 100) {
				d.write(piece)
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(time.Minute)
			if found := s.Violations(); len(found) != 1 {
				t.Errorf("seed %d: %+v", seed, found)
			}
		})
	}
}

// TestStrictAllows plays what a careful driver must do after a line loss.
func TestStrictAllows(t *testing.T) {
	tests := []struct {
		name  string
		drive func(*Sim, *driver)
	}{
		{"A14, A00 and a look-up on a new line, while the command runs", func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.replug(s)
			d.write(raw("A00|1.35"))
			d.expect(0x04, time.Second) // busy
			d.write(raw("A14|1.35"))
			d.expect(0x04, time.Second)
			d.answer() // aborted
			d.exchange(raw("A00|1.35"))
			d.exchange(raw("R02|1.35|00||||||1"))
		}},
		{"A14 and a look-up on a new line, while nothing runs", func(s *Sim, d *driver) {
			d.exchange(sale("1", 100))
			d.replug(s)
			for range 2 {
				d.write(raw("A14|1.35"))
				d.expect(0x04, time.Second)
				d.exchange(raw("A00|1.35"))
				d.exchange(raw("R02|1.35|00||||||1"))
			}
		}},
		{"an answer to the line before is acknowledged", func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.replug(s)
			d.answer()
		}},
		{"an answer to the line before is ended", func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.replug(s)
			d.frame(patience)
			d.write([]byte{0x04})
			d.exchange(raw("A00|1.35"))
		}},
		{"an answer to the line before crosses with a command", func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.replug(s)
			d.frame(patience)
			d.exchange(raw("A00|1.35"))
		}},
		{"A14 crosses with the answer", func(s *Sim, d *driver) {
			d.write(sale("1", 100))
			d.expect(0x06, time.Second)
			d.frame(patience)
			d.write(raw("A14|1.35"))
			d.expect(0x04, time.Second)
			d.end()
		}},
		{"A14 on the second line, where no command ever came", func(s *Sim, d *driver) {
			d.exchange(raw("A00|1.35"))
			d.close()
			d.conn, d.buf = s.Pipe(), nil
			d.exchange(raw("A00|1.35"))
			d.write(raw("A14|1.35"))
			d.expect(0x04, time.Second)
		}},
		{"A14 after a refusal of a command that was sent twice", func(s *Sim, d *driver) {
			d.inject(s, Fault{Kind: DropCommand})
			d.write(sale("1", 100))
			d.silent(8 * time.Second)
			d.exchange(sale("1", 100))
			d.write(raw("A14|1.35"))
			d.expect(0x04, time.Second)
		}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quick(t, Options{Strict: true, CardDelay: 2 * time.Second})
				d := drive(t, s)
				c.drive(s, d)
				d.close()
				time.Sleep(time.Minute)
				if v := s.Violations(); len(v) > 0 {
					t.Errorf("%+v", v)
				}
			})
		})
	}
}

// replug pulls the cable, and attaches again.
func (d *driver) replug(s *Sim) {
	d.t.Helper()
	if err := s.Unplug(); err != nil {
		d.t.Fatal(err)
	}
	if err := s.Plug(); err != nil {
		d.t.Fatal(err)
	}
	d.close()
	d.conn, d.buf = s.Pipe(), nil
}

// TestStrictPTY drives on a pseudo-terminal, where the terminal cannot hear the
// driver go: a reply left without ACK is found when the terminal ends, and a
// driver that is still there has done nothing wrong yet.
func TestStrictPTY(t *testing.T) {
	for _, stays := range []bool{false, true} {
		t.Run(fmt.Sprint(stays), func(t *testing.T) {
			s := quick(t, Options{Strict: true})
			link := filepath.Join(t.TempDir(), "terminal")
			if err := s.ServePTY(link); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(link, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			d := &driver{t: t, conn: f}
			d.exchange(raw("A00|1.35"))
			d.write(raw("A00|1.35"))
			d.expect(0x06, 5*time.Second)
			d.frame(5 * time.Second)
			want := 0
			if stays {
				defer d.close()
			} else {
				d.close()
				want = 1
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			found := s.Violations()
			if len(found) != want || want == 1 && found[0].Rule != AckMissing {
				t.Errorf("found %+v", found)
			}
		})
	}
}

// TestStrictRestart has a driver that was started again at a pseudo-terminal:
// its second A00 tells, and lets it send A14.
func TestStrictRestart(t *testing.T) {
	s := quick(t, Options{Strict: true})
	link := filepath.Join(t.TempDir(), "terminal")
	if err := s.ServePTY(link); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f, err := os.OpenFile(link, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		d := &driver{t: t, conn: f}
		d.exchange(raw("A00|1.35"))
		d.write(raw("A14|1.35"))
		d.expect(0x04, 5*time.Second)
		d.close()
	}
	if v := s.Violations(); len(v) != 1 || v[0].Rule != NothingToCancel {
		t.Errorf("only the first A14 had nothing to cancel: %+v", v)
	}
}

// TestStrictTCP goes on without waiting for EOT, as clients on TCP do.
func TestStrictTCP(t *testing.T) {
	s := quick(t, Options{Strict: true})
	addr, err := s.ServeTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, conn: c}
	d.write(raw("A00|1.35"))
	d.expect(0x06, 5*time.Second)
	d.frame(5 * time.Second)
	d.write(append([]byte{0x06}, raw("A00|1.35")...))
	d.expect(0x04, 5*time.Second)
	d.expect(0x06, 5*time.Second)
	d.answer()
	d.close()
	if v := s.Violations(); len(v) > 0 {
		t.Errorf("%+v", v)
	}
}

// TestStrictPraises drives by the book, and strict has nothing to say.
func TestStrictPraises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{Strict: true, CardDelay: time.Second})
		d := drive(t, s)
		d.exchange(raw("A00|1.35"))
		href := d.exchange(sale("1", 100)).item(0, 3)
		d.exchange(raw("R02|1.35|00||||||1"))
		d.exchange(raw("T00|1.35|16|||2|||||HREF=" + href))
		d.write(sale("3", 100))
		d.expect(0x06, time.Second)
		d.write(raw("A14|1.35"))
		d.expect(0x04, time.Second)
		d.answer()
		d.exchange(raw("B00|1.35|20261125093000"))
		if v := s.Violations(); len(v) > 0 {
			t.Errorf("%+v", v)
		}
	})
}
