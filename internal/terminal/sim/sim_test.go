package sim

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/money"
)

func TestHandshakeAndSale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{Serial: "12345678", Model: "S300", CardDelay: time.Second, HostDelay: time.Second})
		d := drive(t, s)
		a := d.exchange(raw("A00|1.35"))
		if a.command != "A01" || a.code != "000000" || a.item(0, 0) != "12345678" || a.item(1, 0) != "S300" || a.item(2, 0) == "" {
			t.Errorf("A01 is %+v", a)
		}
		start := time.Now()
		m := d.exchange(sale("100000000001", 15000))
		if got := time.Since(start); got < 2*time.Second || got > 3*time.Second {
			t.Errorf("the sale took %v", got)
		}
		truth := s.Ledger()
		if len(truth) != 1 || truth[0].Act != Charge || truth[0].Amount != 15000 || truth[0].Ref != "100000000001" || truth[0].Invoice != "INV7" {
			t.Fatalf("the ledger is %+v", truth)
		}
		for _, c := range []struct{ what, got, want string }{
			{"command", m.command, "T01"}, {"code", m.code, "000000"}, {"host code", m.item(0, 0), "00"},
			{"auth code", m.item(0, 2), truth[0].AuthCode}, {"host reference", m.item(0, 3), truth[0].HostRef},
			{"type", m.item(1, 0), "01"}, {"approved", m.item(2, 0), "15000"}, {"due", m.item(2, 1), "0"},
			{"last four", m.item(3, 0), "1111"}, {"entry mode", m.item(3, 1), "2"}, {"card type", m.item(3, 6), "01"},
			{"ECR reference", m.item(4, 1), "100000000001"}, {"SN", m.ext(8, "SN"), "12345678"},
			{"AID", m.ext(8, "AID"), "A0000000031010"}, {"HREF", m.ext(8, "HREF"), truth[0].HostRef},
		} {
			if c.got != c.want {
				t.Errorf("%s is %q, want %q", c.what, c.got, c.want)
			}
		}
		for _, key := range []string{"TC", "TVR", "TSI", "IAD", "ARC", "APPLAB", "CVM", "ATC", "GLOBALUID"} {
			if m.ext(8, key) == "" {
				t.Errorf("%s is missing", key)
			}
		}
	})
}

// TestPublishedFrames drives the terminal with frames of public client kits.
func TestPublishedFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		frames := sampleFrames(t)
		d := drive(t, quick(t, Options{Manual: true}))
		d.write(frames["A14-1.35"])
		d.expect(0x04, time.Second) // nothing runs; the answer is the same
		d.write(frames["A14-1.31"]) // its check byte is wrong
		d.expect(0x15, time.Second)
		d.silent(time.Minute)
		d.write(frames["A26-1.31"])
		d.expect(0x06, time.Second)
		if m := d.answer(); m.command != "A27" || m.code != "000000" {
			t.Errorf("A26 is answered %+v", m)
		}
		d.gone(time.Minute) // it restarts
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{Manual: true, HostDelay: 3 * time.Second})
		d := drive(t, s)
		d.write(sale("1", 100))
		d.expect(0x06, time.Second)
		d.write(raw("A14|1.35"))
		d.expect(0x04, time.Second)
		if m := d.answer(); m.code != "100002" || m.text != "ABORTED" || len(m.groups) != 0 {
			t.Errorf("cancelled: %+v", m)
		}
		d.write(sale("2", 100))
		d.expect(0x06, time.Second)
		if err := s.Tap("mastercard"); err != nil {
			t.Fatal(err)
		}
		d.write(raw("A14|1.35")) // too late: the host is being asked
		d.expect(0x04, time.Second)
		if m := d.answer(); m.code != "000000" || m.item(3, 0) != "4444" {
			t.Errorf("the approval that won the race: %+v", m)
		}
		d.write(sale("3", 100))
		d.expect(0x06, time.Second)
		if err := s.Cancel(); err != nil {
			t.Fatal(err)
		}
		if m := d.answer(); m.code != "100002" {
			t.Errorf("the red key: %+v", m)
		}
		if m := d.exchange(sale("4", 100)); m.code != "100001" || m.text != "TIMEOUT" {
			t.Errorf("nobody comes: %+v", m)
		}
		if n := len(s.Ledger()); n != 1 {
			t.Errorf("%d charges, want 1", n)
		}
	})
}

func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{CardDelay: 10 * time.Second})
		d := drive(t, s)
		d.write(sale("1", 100))
		d.expect(0x06, time.Second)
		d.write(raw("A00|1.35"))
		d.expect(0x04, time.Second)
		d.write(sale("2", 200))
		d.expect(0x04, time.Second)
		d.write(sale("1", 100)) // the same frame once more: a repetition on the link
		d.expect(0x06, time.Second)
		if m := d.answer(); m.item(4, 1) != "1" {
			t.Errorf("%+v", m)
		}
		if n := len(s.Ledger()); n != 1 {
			t.Errorf("%d charges", n)
		}
	})
}

func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{})
		d := drive(t, s)
		none := d.exchange(raw("R02|1.35|00|||0"))
		if none.code != codeNotFound || none.item(0, 0) != "0" {
			t.Errorf("an empty batch: %+v", none)
		}
		for i := range 3 {
			d.exchange(sale("10"+strconv.Itoa(i), 100*(i+1)))
		}
		find := func(what, query, ref, amount string) {
			t.Helper()
			m := d.exchange(raw("R02|1.35|00|||" + query))
			if m.command != "R03" || m.code != "000000" || m.item(0, 0) != "3" || m.item(8, 1) != ref || m.item(6, 0) != amount {
				t.Errorf("%s: %+v", what, m)
			}
		}
		find("by reference", "|||101", "101", "200")
		find("the newest", "0", "102", "300")
		find("the first", "1", "100", "100")
		for _, query := range []string{"|||999", "4"} {
			if m := d.exchange(raw("R02|1.35|00|||" + query)); m.code != codeNotFound || m.item(0, 0) != "3" {
				t.Errorf("%s: %+v", query, m)
			}
		}
		if m := d.exchange(raw("R00|1.35|01")); m.command != "R01" || m.item(1, 0) != "3" || m.item(2, 0) != "600" {
			t.Errorf("totals: %+v", m)
		}
		if m := d.exchange(raw("B00|1.35|20261125093000")); m.command != "B01" || m.item(1, 0) != "3" || m.item(2, 0) != "600" {
			t.Errorf("batch close: %+v", m)
		}
		if m := d.exchange(raw("R02|1.35|00||||||101")); m.code != codeNotFound || m.item(0, 0) != "0" {
			t.Errorf("after the batch close: %+v", m)
		}
		if l := s.Ledger(); l[len(l)-1].Act != Batch || Net(l) != 600 {
			t.Errorf("the ledger ends %+v", l[len(l)-1])
		}
	})
}

func TestVoidAndRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{})
		d := drive(t, s)
		first := d.exchange(sale("1", 5000)).item(0, 3)
		second := d.exchange(sale("2", 7000)).item(0, 3)
		void := func(ref, href string) message {
			return d.exchange(raw("T00|1.35|16|||" + ref + "|||||HREF=" + href))
		}
		refund := func(ref, href string, cents string) message {
			return d.exchange(raw("T00|1.35|02|" + cents + "||" + ref + "|||||HREF=" + href))
		}
		want := func(what string, m message, host string, net money.Amount) {
			t.Helper()
			if m.item(0, 0) != host || Net(s.Ledger()) != net {
				t.Errorf("%s: %+v, net %v", what, m, Net(s.Ledger()))
			}
		}
		want("void", void("3", first), "00", 7000)
		want("void of it again", void("4", first), "12", 7000)
		want("void of nothing", void("5", "29999999999"), "12", 7000)
		want("refund", refund("6", second, "3000"), "00", 4000)
		want("refund of too much", refund("7", second, "4001"), "12", 4000)
		want("refund of the rest", refund("8", second, "4000"), "00", 0)
		want("refund to a card", d.exchange(raw("T00|1.35|02|100||9|||||TIPREQ=0")), "00", -100)
		if m := d.exchange(raw("R02|1.35|00||||||1")); m.item(4, 0) != "17" || m.item(5, 0) != "01" {
			t.Errorf("the record of a voided sale: %+v", m)
		}
		if m := d.exchange(raw("R02|1.35|00||||||3")); m.item(4, 0) != "16" || m.item(6, 0) != "5000" {
			t.Errorf("the record of the void: %+v", m)
		}
		if m := d.exchange(raw("T00|1.35|16|||10")); m.code != codeBadCommand {
			t.Errorf("a void of nothing in particular: %+v", m)
		}
	})
}

func TestIssuer(t *testing.T) {
	tests := []struct {
		name     string
		cents    int
		card     string
		code     string
		host     string
		approved string
		charged  money.Amount
	}{
		{"approve", 10000, "amex", "000000", "00", "10000", 10000},
		{"decline by amount", 10041, "visa", "000100", "05", "0", 0},
		{"no funds by amount", 10051, "visa", "000000", "51", "0", 0},
		{"half by amount", 10061, "visa", "000000", "10", "5031", 5031},
		{"slow", 10068, "visa", "000000", "00", "10068", 10068},
		{"host down", 10091, "visa", "100007", "", "", 0},
		{"declined card", 10000, "declined", "000100", "05", "0", 0},
		{"poor card", 10000, "poor", "000000", "51", "0", 0},
		{"prepaid card", 10000, "prepaid", "000000", "10", "5000", 5000},
		{"prepaid card with enough", 4000, "prepaid", "000000", "00", "4000", 4000},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quick(t, Options{Manual: true, Rules: DefaultRules(), PINDelay: time.Second, RemoveDelay: time.Second})
				d := drive(t, s)
				d.write(sale("1", c.cents))
				d.expect(0x06, time.Second)
				if err := s.Insert(c.card); err != nil {
					t.Fatal(err)
				}
				m := d.answer()
				if m.code != c.code || m.item(0, 0) != c.host || m.item(2, 0) != c.approved || Net(s.Ledger()) != c.charged {
					t.Errorf("%+v, net %v", m, Net(s.Ledger()))
				}
			})
		})
	}
}

func TestDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{DuplicateWindow: 30 * time.Second})
		d := drive(t, s)
		first := d.exchange(sale("1", 5000))
		again := d.exchange(sale("1", 5000))
		if again.code != "100011" || again.item(0, 3) != first.item(0, 3) || again.item(4, 1) != "1" || again.item(2, 0) != "5000" {
			t.Errorf("local: %+v", again)
		}
		host := d.exchange(sale("2", 5000))
		if host.code != "103000" || host.item(0, 3) != first.item(0, 3) || host.item(4, 1) != "1" {
			t.Errorf("host: %+v", host)
		}
		if m := d.exchange(raw("T00|1.35|01|5000|~~~~~1|3|||||TIPREQ=0")); m.code != "000000" || m.item(4, 1) != "3" {
			t.Errorf("override: %+v", m)
		}
		time.Sleep(31 * time.Second)
		if m := d.exchange(sale("4", 5000)); m.code != "000000" {
			t.Errorf("after the window: %+v", m)
		}
		if n := len(s.Ledger()); n != 3 {
			t.Errorf("%d charges, want 3", n)
		}
	})
}

func TestStatusReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{Manual: true, PINDelay: time.Second, HostDelay: time.Second, RemoveDelay: time.Second})
		d := drive(t, s)
		d.write(raw("T00|1.35|01|100||1|||||TIPREQ=0~REPORTSTATUS=1"))
		d.expect(0x06, time.Second)
		for i, screen := range []Screen{Present, PIN, Processing, Remove} {
			m := parse(t, d.frame(time.Minute))
			if m.command != "A35" || m.text != strings.ToUpper(string(screen)) {
				t.Errorf("report %d is %+v", i, m)
			}
			d.write([]byte{0x06})
			if screen == Present {
				if err := s.Insert(""); err != nil {
					t.Fatal(err)
				}
			}
		}
		if m := d.answer(); m.code != "000000" || m.item(3, 1) != "4" {
			t.Errorf("%+v", m)
		}
	})
}

func TestOtherCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := drive(t, quick(t, Options{}))
		for command, want := range map[string]string{
			"A16|1.35": "A17 000000", "T00|1.35|99|100||1": "T01 100004", "T00|1.35|01|-5||1": "T01 100003",
			"T00|1.35|01|||1": "T01 100003", "T00|1.35|01|100|4111111111111111|1": "T01 100003",
			"C00|1.35": "C01 100004", "R02|1.35": "R03 100003", "Z98|1.35": "Z99 100004",
		} {
			if m := d.exchange(raw(command)); m.command+" "+m.code != want {
				t.Errorf("%s is answered %s %s, want %s", command, m.command, m.code, want)
			}
		}
		for _, none := range []string{"hello", "Z99|1.35", "A09|1.35"} { // the last two are names of replies
			d.write(raw(none))
			d.expect(0x06, time.Second)
			d.expect(0x04, time.Second)
		}
	})
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := drive(t, quick(t, Options{Baud: 9600}))
		start := time.Now()
		d.write(raw("A00|1.35"))
		d.expect(0x06, time.Second)
		f := d.frame(time.Second)
		want := time.Duration(1+len(f)) * (10 * time.Second / 9600)
		if got := time.Since(start); got < want-time.Millisecond || got > want+time.Millisecond {
			t.Errorf("%d bytes took %v, want %v", 1+len(f), got, want)
		}
	})
}

func TestReplyIsRepeatedThenGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := drive(t, quick(t, Options{}))
		d.write(raw("A00|1.35"))
		d.expect(0x06, time.Second)
		for range triesMax {
			d.frame(8 * time.Second)
		}
		d.expect(0x04, 8*time.Second)
		if m := d.exchange(raw("A00|1.35")); m.command != "A01" {
			t.Errorf("%+v", m)
		}
	})
}

// TestCheckByteTraps sends frames whose check byte looks like a control byte:
// the byte after ETX is the check byte whatever its value.
func TestCheckByteTraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := drive(t, quick(t, Options{}))
		traps := trapFrames(t)
		for _, f := range traps {
			d.write(f) // a reply is no command, but it is a whole frame
			d.expect(0x06, time.Second)
			d.expect(0x04, time.Second)
			d.silent(time.Second)
		}
		if len(traps) != 8 {
			t.Errorf("%d frames", len(traps))
		}
		wanted := map[byte]bool{0x02: true, 0x03: true, 0x04: true, 0x06: true, 0x15: true}
		for i := 0; len(wanted) > 0; i++ {
			ref := strconv.Itoa(100000 + i)
			f := raw("T00|1.35|01|100||" + ref + "|||||NOTE=" + string([]byte{byte(0x40 + i%64), byte(0x20 + i/64)}))
			if wanted[f[len(f)-1]] {
				delete(wanted, f[len(f)-1])
				if m := d.exchange(f); m.item(4, 1) != ref {
					t.Errorf("check byte %#02x: %+v", f[len(f)-1], m)
				}
			}
		}
	})
}

// TestHostReferences: what was declined never shares a host reference with
// what was charged.
func TestHostReferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := drive(t, quick(t, Options{Rules: DefaultRules()}))
		seen := make(map[string]bool)
		for i, cents := range []int{100, 141, 100, 151, 161} {
			ref := d.exchange(sale(strconv.Itoa(i), cents)).item(0, 3)
			if ref == "" || seen[ref] {
				t.Errorf("sale %d has host reference %q", i, ref)
			}
			seen[ref] = true
		}
	})
}
