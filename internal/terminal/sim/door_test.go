package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serial opens a serial line as a client does, without any library.
func serial(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// until waits for a condition that a goroutine of the terminal brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-tick.C
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestPTY(t *testing.T) {
	link := filepath.Join(t.TempDir(), "terminal")
	s := quick(t, Options{BootDelay: time.Millisecond})
	if err := s.ServePTY(link); err != nil {
		t.Fatal(err)
	}
	first, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, conn: serial(t, link)}
	for c := range 256 { // every byte passes as it is: this reference holds all that a frame can
		if strings.ContainsRune("\x02\x03\x1c\x1f|~", rune(c)) {
			continue
		}
		ref := "R" + string([]byte{byte(c)})
		if m := d.exchange(sale(ref, 100)); m.item(4, 1) != ref {
			t.Fatalf("byte %#02x does not pass: %+v", c, m)
		}
	}
	if err := s.Unplug(); err != nil {
		t.Fatal(err)
	}
	d.gone(5 * time.Second)
	if exists(link) {
		t.Error("the link is still there")
	}
	if err := s.Plug(); err != nil {
		t.Fatal(err)
	}
	second, err := os.Readlink(link)
	if err != nil || second == first {
		t.Errorf("plugged in at %s again, %v", second, err)
	}
	d.close()
	d = &driver{t: t, conn: serial(t, link)}
	d.exchange(raw("A00|1.35"))
	if err := errors.Join(s.PowerOff(), s.PowerOn()); err != nil {
		t.Fatal(err)
	}
	d.gone(5 * time.Second)
	d.close()
	until(t, "the link comes back", func() bool { return exists(link) })
	d = &driver{t: t, conn: serial(t, link)}
	d.exchange(raw("A00|1.35"))
	d.close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if exists(link) {
		t.Error("the link is still there after the end")
	}
}

func TestPTYHangUpAtByte(t *testing.T) {
	link := filepath.Join(t.TempDir(), "terminal")
	s := quick(t, Options{Faults: []Fault{{Kind: HangUp, At: 11, Delay: Duration(50 * time.Millisecond)}}})
	if err := s.ServePTY(link); err != nil {
		t.Fatal(err)
	}
	first, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, conn: serial(t, link)}
	d.write(sale("1", 5000))
	d.expect(0x06, 5*time.Second)
	for range 10 {
		if _, err := d.next(5 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	d.gone(5 * time.Second)
	until(t, "the link points elsewhere", func() bool {
		now, err := os.Readlink(link)
		return err == nil && now != first
	})
	d.close()
	d = &driver{t: t, conn: serial(t, link)}
	if m := d.exchange(raw("R02|1.35|00||||||1")); m.code != "000000" {
		t.Errorf("%+v", m)
	}
	d.close()
}

// TestPTYKeepsForNextDriver lets a driver go in the middle of a sale: the next
// one finds the reply on the line.
func TestPTYKeepsForNextDriver(t *testing.T) {
	link := filepath.Join(t.TempDir(), "terminal")
	s := quick(t, Options{Manual: true, AckTimeout: time.Minute})
	if err := s.ServePTY(link); err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, conn: serial(t, link)}
	d.write(sale("1", 5000))
	d.expect(0x06, 5*time.Second)
	d.close()
	if err := s.Tap(""); err != nil {
		t.Fatal(err)
	}
	until(t, "the card is charged", func() bool { return len(s.Ledger()) == 1 })
	d = &driver{t: t, conn: serial(t, link)}
	if m := d.answer(); m.item(4, 1) != "1" {
		t.Errorf("%+v", m)
	}
	d.close()
}

func TestPTYRefusesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := quick(t, Options{}).ServePTY(path); err == nil {
		t.Error("a file was replaced")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestTCP(t *testing.T) {
	s := quick(t, Options{Manual: true})
	addr, err := s.ServeTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dial := func() *driver {
		t.Helper()
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		return &driver{t: t, conn: c}
	}
	d, other := dial(), dial()
	for _, c := range sale("1", 5000) {
		d.write([]byte{c})
	}
	d.expect(0x06, 5*time.Second)
	other.write(raw("A00|1.35"))
	other.expect(0x04, 5*time.Second) // one at a time
	if err := s.Tap("jcb"); err != nil {
		t.Fatal(err)
	}
	if m := d.answer(); m.code != "000000" || m.item(3, 6) != "07" {
		t.Errorf("%+v", m)
	}
	other.exchange(raw("A00|1.35"))
	if err := s.Unplug(); err != nil {
		t.Fatal(err)
	}
	d.gone(5 * time.Second)
	other.gone(5 * time.Second)
	third := dial()
	third.gone(5 * time.Second)
	if err := s.Plug(); err != nil {
		t.Fatal(err)
	}
	fourth := dial()
	fourth.exchange(raw("A00|1.35"))
	for _, x := range []*driver{d, other, third, fourth} {
		x.close()
	}
}

func TestControl(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "control")
	quit := make(chan struct{})
	s := quick(t, Options{Manual: true, BootDelay: time.Millisecond, Strict: true})
	if err := s.ServeControl(path, func() { close(quit) }); err != nil {
		t.Fatal(err)
	}
	if err := s.ServeControl(path, nil); err == nil {
		t.Error("two control sockets at one path")
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	ask := func(line string) Reply {
		t.Helper()
		if _, err := io.WriteString(c, line+"\n"); err != nil {
			t.Fatal(err)
		}
		b, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var r Reply
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		return r
	}
	ok := func(line string) Reply {
		t.Helper()
		r := ask(line)
		if !r.OK {
			t.Errorf("%s: %s", line, r.Error)
		}
		return r
	}
	for line, want := range map[string]string{
		"tap": "not asking", "insert gold": "no test card", "cancel": "nothing to cancel", "press cancel": "nothing to cancel", "press 5": "one key", "swipe gold": "no test card", "dance": "no such command",
		"fault nonsense": "no fault", "fault nak x": "NTH", `{"do":`: "not a command", `fault nak {"x"`: "not a fault",
	} {
		if r := ask(line); r.OK || !strings.Contains(r.Error, want) {
			t.Errorf("%s is answered %+v", line, r)
		}
	}
	if r := ok("fault"); len(r.Faults) != len(PAX.Kinds()) || r.Faults[0].Name != PAX.Kinds()[0] || r.Faults[0].About == "" {
		t.Errorf("fault lists %+v", r.Faults)
	}
	d := drive(t, s)
	begin := func(ref string) {
		t.Helper()
		d.write(sale(ref, 5000))
		d.expect(0x06, 5*time.Second)
	}
	begin("1")
	if st := ok("status").Status; st == nil || st.Screen != Present || st.Ref != "1" || st.Attached != 1 {
		t.Errorf("status is %+v", st)
	}
	ok("tap visa")
	d.answer()
	ok("fault wrong-ref 2")
	ok(`fault nak {"message":"A00","count":1}`)
	ok(`{"do":"fault","fault":{"kind":"partial","nth":3}}`)
	d.write(raw("A00|1.35"))
	d.expect(0x15, 5*time.Second)
	begin("2")
	ok(`{"do":"insert","args":["amex"]}`)
	if m := d.answer(); m.item(3, 0) != "0005" || m.item(3, 1) != "4" {
		t.Errorf("%+v", m)
	}
	begin("3")
	ok("decline")
	if m := d.answer(); m.item(0, 0) != "05" || m.item(4, 1) != "999999999999" {
		t.Errorf("%+v", m)
	}
	begin("4")
	ok("tap")
	if m := d.answer(); m.item(0, 0) != "10" {
		t.Errorf("%+v", m)
	}
	begin("6")
	ok("swipe discover")
	if m := d.answer(); m.item(3, 0) != "1117" || m.item(3, 1) != "1" {
		t.Errorf("%+v", m)
	}
	begin("5")
	ok("press cancel")
	if m := d.answer(); m.code != "100002" {
		t.Errorf("%+v", m)
	}
	if r := ok("ledger"); len(r.Ledger) != 4 || r.Net == nil || *r.Net != 17500 {
		t.Errorf("ledger is %+v", r)
	}
	if r := ok("violations"); len(r.Violations) != 0 {
		t.Errorf("violations are %+v", r.Violations)
	}
	ok("unplug")
	d.gone(5 * time.Second)
	ok("plug")
	ok("pull-power")
	if st := ok("status").Status; st.Powered || st.Screen != Off {
		t.Errorf("status is %+v", st)
	}
	ok("power-on")
	until(t, "it has booted", func() bool { return s.Status().Screen == Idle })
	ok("quit")
	<-quit
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsLeft opens all doors, uses them, leaves everything open, and
// closes the terminal: no goroutine and no descriptor stays.
func TestNothingIsLeft(t *testing.T) {
	fds := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	once := func() {
		dir := t.TempDir()
		s, err := New(Options{Ledger: filepath.Join(dir, "ledger"), Manual: true})
		if err != nil {
			t.Fatal(err)
		}
		addr, err := s.ServeTCP("127.0.0.1:0")
		if err == nil {
			err = s.ServePTY(filepath.Join(dir, "terminal"))
		}
		if err == nil {
			err = s.ServeControl(filepath.Join(dir, "control"), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		control, err := net.Dial("unix", filepath.Join(dir, "control"))
		if err != nil {
			t.Fatal(err)
		}
		d := &driver{t: t, conn: serial(t, filepath.Join(dir, "terminal"))}
		d.write(sale("1", 100))
		d.expect(0x06, 5*time.Second)
		s.Pipe()
		if err := errors.Join(s.Unplug(), s.Plug()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(tcp.Close(), control.Close(), d.conn.Close()); err != nil {
			t.Fatal(err)
		}
	}
	once() // what the runtime opens once for all is open from here on
	before, goroutines := fds(), runtime.NumGoroutine()
	for range 5 {
		once()
	}
	until(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if after := fds(); after > before {
		t.Errorf("%d descriptors, then %d", before, after)
	}
}
