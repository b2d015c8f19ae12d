package sim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTruthSurvivesPowerLoss cuts the power at each moment of a sale and looks
// at what a fresh terminal with the same ledger knows.
func TestTruthSurvivesPowerLoss(t *testing.T) {
	tests := []struct {
		name    string
		after   time.Duration // from the sale to the power cut
		charged bool
	}{
		{"before the card", time.Second, false},
		{"before the issuer's answer", 3 * time.Second, false},
		{"after the issuer's answer", 5 * time.Second, true},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger")
			synctest.Test(t, func(t *testing.T) {
				o := Options{Ledger: path, CardDelay: 2 * time.Second, HostDelay: 2 * time.Second}
				s := quick(t, o)
				d := drive(t, s)
				d.write(sale("1", 5000))
				d.expect(0x06, time.Second)
				time.Sleep(c.after)
				if err := s.PowerOff(); err != nil {
					t.Fatal(err)
				}
				d.gone(time.Second)
				before := s.Ledger()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = quick(t, o)
				if diff := cmp.Diff(before, s.Ledger()); diff != "" {
					t.Errorf("the ledger changed: %s", diff)
				}
				m := drive(t, s).exchange(raw("R02|1.35|00||||||1"))
				if got := m.code == "000000"; got != c.charged || (len(before) == 1) != c.charged {
					t.Errorf("%+v, %+v", m, before)
				}
			})
		})
	}
}

// TestDurableBeforeReply reads the file at the moment at which the reply's
// first byte is there.
func TestDurableBeforeReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger")
		s := quick(t, Options{Ledger: path, Baud: 9600})
		d := drive(t, s)
		for i := range 3 {
			d.write(sale(string(rune('1'+i)), 100))
			d.expect(0x06, time.Second)
			d.expect(0x02, time.Second)
			lines, err := ReadLedger(path)
			if err != nil || len(lines) != i+1 {
				t.Errorf("%d lines, %v", len(lines), err)
			}
			d.rest([]byte{0x02})
			d.end()
		}
	})
}

func TestTornAndDamagedLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	line, err := json.Marshal(Truth{Seq: 1, Act: Charge, Ref: "1", Amount: 100, Requested: 100, HostRef: "20000000001"})
	if err != nil {
		t.Fatal(err)
	}
	write := func(b string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(string(line) + "\n" + string(line[:20]))
	s := quick(t, Options{Ledger: path})
	if l := s.Ledger(); len(l) != 1 || l[0].Ref != "1" {
		t.Errorf("a torn line: %+v", l)
	}
	if m := drive(t, s).exchange(sale("2", 200)); m.code != "000000" {
		t.Errorf("%+v", m)
	}
	if l, err := ReadLedger(path); err != nil || len(l) != 2 || l[1].Ref != "2" {
		t.Errorf("after it: %+v, %v", l, err)
	}
	for _, bad := range []string{"nonsense\n", string(line) + "\n" + string(line) + "\n"} {
		write(bad)
		if _, err := New(Options{Ledger: path}); err == nil {
			t.Errorf("%q is taken for a ledger", bad)
		}
	}
}

func TestLedgerThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{Ledger: filepath.Join(t.TempDir(), "ledger"), HostDelay: time.Second})
		d := drive(t, s)
		if err := s.do(func() error { return s.book.file.Close() }); err != nil {
			t.Fatal(err)
		}
		d.write(sale("1", 100))
		d.expect(0x06, time.Second)
		d.gone(time.Minute) // dark, and not a word of approval
		if err := s.PowerOn(); err != nil {
			t.Fatal(err)
		}
		if st := s.Status(); st.Powered || len(s.Ledger()) != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func FuzzLedger(f *testing.F) {
	f.Add([]byte(`{"seq":1,"act":"charge","amount_cents":100}` + "\n"))
	f.Add([]byte(`{"seq":1,"act":"charge"}` + "\n" + `{"seq":2,"act":"void","of":"2"`))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "ledger")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		lines, err := ReadLedger(path)
		if err != nil {
			return
		}
		book, err := openBook(path)
		if err != nil {
			t.Fatalf("it can be read and not opened: %v", err)
		}
		if _, err := book.append(Truth{Act: Charge, Amount: 1}); err != nil {
			t.Fatal(err)
		}
		if err := book.close(); err != nil {
			t.Fatal(err)
		}
		if again, err := ReadLedger(path); err != nil || len(again) != len(lines)+1 {
			t.Fatalf("%d lines became %d, %v", len(lines), len(again), err)
		}
	})
}
