package host

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"coffer/internal/fault"
)

// manager is a service manager's notify socket.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		os.RemoveAll(dir)
	})
	t.Setenv("NOTIFY_SOCKET", path)
	return c
}

func hear(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestManagerIsTold(t *testing.T) {
	c := manager(t)
	for _, say := range []struct {
		tell func() error
		want string
	}{
		{func() error { return Ready("serving") }, "READY=1\nSTATUS=serving"},
		{Stopping, "STOPPING=1"},
	} {
		if err := say.tell(); err != nil {
			t.Fatal(err)
		}
		if got := hear(t, c); got != say.want {
			t.Errorf("heard %q, want %q", got, say.want)
		}
	}
	c.Close()
	if err := Stopping(); !errors.Is(err, errNotify) {
		t.Errorf("told a closed socket: %v", err)
	}
}

func TestNoManagerIsNoFailure(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	if err := errors.Join(Ready("serving"), Stopping()); err != nil {
		t.Fatal(err)
	}
	unasked := func(context.Context) error { t.Error("asked for health without a watchdog"); return nil }
	if err := Watch(t.Context(), unasked, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

// TestWatchdogIsFedByHealthOnly: sick three times, then well; the first feed
// comes after the fourth question, and each feed follows one.
func TestWatchdogIsFedByHealthOnly(t *testing.T) {
	c := manager(t)
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan int, 1000)
	var log bytes.Buffer
	n := 0
	healthy := func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("health is asked without a deadline")
		}
		n++
		asked <- n
		if n <= 3 {
			return fault.New(fault.Exhausted, "No space.")
		}
		return nil
	}
	done := make(chan error)
	go func() { done <- Watch(ctx, healthy, slog.New(slog.NewTextHandler(&log, nil))) }()
	if got := hear(t, c); got != "WATCHDOG=1" {
		t.Fatalf("heard %q", got)
	}
	if len(asked) < 4 {
		t.Fatalf("fed after %d questions", len(asked))
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(log.String(), "watchdog not fed"); got != 3 || !strings.Contains(log.String(), "kind=exhausted") {
		t.Fatalf("logged %s", log.String())
	}
}

func TestWatchdogIntervalMustBeReadable(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "often")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	if err := Watch(t.Context(), nil, nil); !errors.Is(err, errWatchdog) {
		t.Fatal(err)
	}
}

// childEnv makes this test binary a child that reports what it was given.
const childEnv = "COFFER_HOST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "listeners":
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		given, err := Listeners()
		if err != nil {
			os.Stdout.WriteString(fault.Message(err))
			os.Exit(0)
		}
		for name, l := range given {
			os.Stdout.WriteString(name + " " + l.Addr().String())
		}
		os.Exit(0)
	case "confine":
		before, err1 := Confined()
		err2 := Confine()
		after, err3 := Confined()
		if errors.Join(err1, err2, err3) == nil && before.Dumpable && !after.Dumpable && after.CoreLimitBytes == 0 {
			os.Exit(0)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestSocketActivation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		names, want string
		files       []*os.File
	}{
		{"https", "https " + l.Addr().String(), []*os.File{f}},
		{"https:https", errSockets.Message(), []*os.File{f, f}},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.ExtraFiles = c.files
		cmd.Env = append(os.Environ(), childEnv+"=listeners", "LISTEN_FDS="+strconv.Itoa(len(c.files)), "LISTEN_FDNAMES="+c.names)
		out, err := cmd.Output()
		if err != nil || string(out) != c.want {
			t.Errorf("%s: %q %v, want %q", c.names, out, err, c.want)
		}
	}
	if given, err := Listeners(); err != nil || len(given) != 0 {
		t.Errorf("given %v %v without a manager", given, err)
	}
}

func TestConfine(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=confine")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

func TestStatusOfAConfinedProcess(t *testing.T) {
	const status = "Name:\tcofferd\nCapEff:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t22\n"
	c, err := parseStatus(strings.NewReader(status))
	if err != nil || !c.NoNewPrivileges || !c.SystemCalls || c.Capabilities != 0x400 {
		t.Fatalf("%+v %v", c, err)
	}
	for _, bad := range []string{"", "CapEff:\tzz\nNoNewPrivs:\t1\nSeccomp:\t2\n"} {
		if _, err := parseStatus(strings.NewReader(bad)); !errors.Is(err, errFacts) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestDisk(t *testing.T) {
	d, err := DiskAt(t.TempDir())
	if err != nil || d.TotalBytes == 0 || d.FreeBytes > d.TotalBytes {
		t.Fatalf("%+v %v", d, err)
	}
	if _, err := DiskAt(filepath.Join(t.TempDir(), "none")); fault.KindOf(err) != fault.Unavailable {
		t.Fatal(err)
	}
	for d, want := range map[Disk]int{{}: 0, {50, 1000}: 5, {1000, 1000}: 100, {9, 1000}: 0} {
		if got := d.FreePercent(); got != want {
			t.Errorf("%+v: %d%%", d, got)
		}
	}
}

func TestFirmwareFacts(t *testing.T) {
	root := fstest.MapFS{
		"sys/class/dmi/id/sys_vendor":          {Data: []byte("  Maker\x00\x1b[31m Inc\nmore\n")},
		"sys/class/dmi/id/product_name":        {Data: []byte(strings.Repeat("p", 100))},
		"sys/class/tpm/tpm0/tpm_version_major": {Data: []byte("2\n")},
		secureBootVariable:                     {Data: []byte{6, 0, 0, 0, 1}},
	}
	f := FirmwareFacts(root)
	if f.Vendor != "Maker[31m Inc" || len(f.Product) != 64 || f.TPM != "2" || f.SecureBoot != "on" || f.BIOS != "" {
		t.Fatalf("%+v", f)
	}
	root[secureBootVariable].Data[4] = 0
	if f := FirmwareFacts(root); f.SecureBoot != "off" {
		t.Fatalf("%+v", f)
	}
	if f := FirmwareFacts(fstest.MapFS{}); f != (Firmware{}) {
		t.Fatalf("%+v", f)
	}
}

func TestClock(t *testing.T) {
	switch c := ClockFacts(fstest.MapFS{}); c.Sync {
	case SyncYes, SyncNo, SyncUnknown:
	default:
		t.Fatalf("%+v", c)
	}
	if c := markedClock(fstest.MapFS{}); c.Sync != SyncUnknown {
		t.Fatalf("%+v", c)
	}
	if c := markedClock(fstest.MapFS{timesyncMark: {}}); c.Sync != SyncYes {
		t.Fatalf("%+v", c)
	}
}

func TestPortsShowsAListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	want := Port{"127.0.0.1", uint16(l.Addr().(*net.TCPAddr).Port)}
	if !listens(t, want) {
		t.Error("a listener is not listed")
	}
	l.Close()
	if listens(t, want) {
		t.Error("a closed listener is listed")
	}
}

func listens(t *testing.T, want Port) bool {
	t.Helper()
	ports, err := Ports()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ports {
		if p == want {
			return true
		}
	}
	return false
}

const table = `  sl  local_address rem_address   st tx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000
   2: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 0
`

func TestPortsOfATable(t *testing.T) {
	got, err := parsePorts(strings.NewReader(table))
	if err != nil || len(got) != 2 || got[0] != (Port{"127.0.0.1", 8080}) || got[1] != (Port{"::1", 443}) {
		t.Fatalf("%v %v", got, err)
	}
	for _, bad := range []string{"a b c 0A", "a 0100007F c 0A", "a 01:01 c 0A", "a 0100007F:10000 c 0A"} {
		if _, err := parsePorts(strings.NewReader(bad)); !errors.Is(err, errFacts) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzPorts(f *testing.F) {
	f.Add(table)
	f.Fuzz(func(t *testing.T, s string) {
		ports, err := parsePorts(strings.NewReader(s))
		if err != nil && len(ports) > 0 {
			t.Fatal("ports beside an error")
		}
	})
}

func FuzzStatus(f *testing.F) {
	f.Add("CapEff:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseStatus(strings.NewReader(s))
		if err != nil && c != (Confinement{}) {
			t.Fatal("facts beside an error")
		}
	})
}
