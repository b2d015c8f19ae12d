package sim

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestStrict misbehaves in each way that strict knows, and has each found.
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
			d.end()
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
				if !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == c.rule }) {
					t.Errorf("found %+v", found)
				}
				for _, v := range found {
					if v.Rule != c.rule {
						t.Errorf("also found %+v", v)
					}
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
