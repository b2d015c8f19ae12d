package host

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"

	"coffer/internal/fault"

	"golang.org/x/sys/unix"
)

var (
	errConfine = fault.New(fault.Unavailable, "The process cannot keep its memory out of core dumps, so it will not take the key. Start Coffer on a Linux kernel that allows prctl and setrlimit.")
	errFacts   = fault.New(fault.Unavailable, "The machine does not say what it should about itself. Check that /proc and /sys are mounted.")
)

// Confine makes the process undumpable: no core file, no ptrace by its own
// user, no reading of its memory through /proc. It is called before any key
// is in memory.
func Confine() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return errConfine
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return errConfine
	}
	return nil
}

// Confinement is what binds the running process, as the kernel says.
type Confinement struct {
	Dumpable        bool   `json:"dumpable"`          // true: memory may be dumped or traced
	CoreLimitBytes  uint64 `json:"core_limit_bytes"`  // soft limit of core files
	NoNewPrivileges bool   `json:"no_new_privileges"` // set by the unit
	SystemCalls     bool   `json:"system_calls"`      // true: a seccomp filter is in force
	Capabilities    uint64 `json:"capabilities"`      // effective set, as a bit mask
	Root            bool   `json:"root"`              // runs as uid 0
}

// Confined returns what binds this process.
func Confined() (Confinement, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return Confinement{}, errFacts
	}
	defer f.Close() // nothing was written
	c, err := parseStatus(f)
	if err != nil {
		return Confinement{}, err
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return Confinement{}, errFacts
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return Confinement{}, errFacts
	}
	c.Dumpable, c.CoreLimitBytes, c.Root = dumpable != 0, limit.Cur, os.Geteuid() == 0
	return c, nil
}

// parseStatus reads what /proc/self/status says (proc_pid_status(5)).
func parseStatus(r io.Reader) (Confinement, error) {
	var c Confinement
	seen := 0
	s := bufio.NewScanner(r)
	for s.Scan() {
		name, value, _ := strings.Cut(s.Text(), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "NoNewPrivs":
			c.NoNewPrivileges = value == "1"
		case "Seccomp":
			c.SystemCalls = value == "2"
		case "CapEff":
			n, err := strconv.ParseUint(value, 16, 64)
			if err != nil {
				return Confinement{}, errFacts
			}
			c.Capabilities = n
		default:
			continue
		}
		seen++
	}
	if s.Err() != nil || seen != 3 {
		return Confinement{}, errFacts
	}
	return c, nil
}
