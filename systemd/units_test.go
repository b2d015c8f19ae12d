package systemd

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// exposureMax is the exposure that the unit may have, in tenths: systemd's
// scale goes from 0 (confined) to 100 (can do all).
const exposureMax = 20

// program returns the path of one of systemd's programs.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: ./script/setup installs it (package systemd)", name)
	}
	return path
}

func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, name), args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_PAGER=cat", "SYSTEMD_COLORS=0", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// box is a root directory with the units, their program, and the targets that
// every system has.
func box(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	units := filepath.Join(root, "usr/lib/systemd/system")
	for _, name := range []string{"cofferd.service", "cofferd.socket"} {
		write(t, filepath.Join(units, name), read(t, name), 0o644)
	}
	for _, name := range []string{"sysinit", "basic", "shutdown", "sockets", "multi-user", "network-online", "time-sync"} {
		write(t, filepath.Join(units, name+".target"), "[Unit]\nDescription="+name+"\n", 0o644)
	}
	write(t, filepath.Join(root, "usr/bin/cofferd"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(root, "usr/share/doc/coffer/operating.md"), "", 0o644)
	return root
}

// complaints is what systemd-analyze verify says about the units below root.
func complaints(t *testing.T, root string) string {
	t.Helper()
	out, err := run(t, "systemd-analyze", "verify", "--root="+root, "cofferd.service", "cofferd.socket")
	if err != nil && strings.TrimSpace(out) == "" {
		return err.Error()
	}
	return strings.TrimSpace(out)
}

func TestUnitsVerify(t *testing.T) {
	if out := complaints(t, box(t)); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
}

// TestVerifyBites: what the test above relies on can fail.
func TestVerifyBites(t *testing.T) {
	root := box(t)
	unit := filepath.Join(root, "usr/lib/systemd/system/cofferd.service")
	write(t, unit, strings.Replace(read(t, unit), "WatchdogSec=", "WatchDogSeconds=", 1), 0o644)
	if out := complaints(t, root); !strings.Contains(out, "WatchDogSeconds") {
		t.Errorf("a misspelt setting passes: %q", out)
	}
	root = box(t)
	if err := os.Remove(filepath.Join(root, "usr/bin/cofferd")); err != nil {
		t.Fatal(err)
	}
	if out := complaints(t, root); !strings.Contains(out, "cofferd is not executable") {
		t.Errorf("a missing program passes: %q", out)
	}
}

var overall = regexp.MustCompile(`Overall exposure level for \S+: (\d+)\.(\d)`)

// exposure scores a unit file, in tenths, and returns the table too.
func exposure(t *testing.T, unit string) (int, string) {
	t.Helper()
	out, err := run(t, "systemd-analyze", "security", "--offline=true", "--no-pager", unit)
	m := overall.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no score: %v %s", err, out)
	}
	tenths, err := strconv.Atoi(m[1] + m[2])
	if err != nil {
		t.Fatal(err)
	}
	return tenths, out
}

func TestUnitIsConfined(t *testing.T) {
	unit, err := filepath.Abs("cofferd.service")
	if err != nil {
		t.Fatal(err)
	}
	got, table := exposure(t, unit)
	if got > exposureMax {
		t.Errorf("exposure %d.%d, allowed %d.%d\n%s", got/10, got%10, exposureMax/10, exposureMax%10, table)
	}
	bare := filepath.Join(t.TempDir(), "cofferd.service")
	write(t, bare, "[Service]\nExecStart=/usr/bin/true\n", 0o644)
	if open, _ := exposure(t, bare); open < 80 {
		t.Errorf("a unit without hardening scores %d tenths: the measure does not bite", open)
	}
}

// TestUnitSaysWhatTheDaemonReliesOn: settings that no score demands.
func TestUnitSaysWhatTheDaemonReliesOn(t *testing.T) {
	text := "\n" + read(t, "cofferd.service")
	for _, line := range []string{
		"Type=notify", "WatchdogSec=30s", "LimitCORE=0", "MemorySwapMax=0", "UMask=0077",
		"ExecStart=/usr/bin/cofferd run --config /etc/coffer/cofferd.toml",
		"StateDirectory=coffer", "StateDirectoryMode=0700", "RuntimeDirectory=coffer", "RuntimeDirectoryMode=0700",
		"CapabilityBoundingSet=", "DevicePolicy=closed", "IPAddressDeny=any", "User=coffer",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("cofferd.service lacks %s", line)
		}
	}
	socket := read(t, "cofferd.socket")
	for _, m := range regexp.MustCompile(`(?m)^ListenStream=(.*)$`).FindAllStringSubmatch(socket, -1) {
		if !strings.HasPrefix(m[1], "127.0.0.1:") {
			t.Errorf("the socket as shipped listens at %s", m[1])
		}
	}
	if !strings.Contains(socket, "\nFileDescriptorName=https\n") {
		t.Error("the socket has lost the name that cofferd asks for")
	}
}

// needed are system calls that the daemon dies or refuses without.
var needed = []string{
	"accept4", "bind", "clock_gettime", "clone3", "connect", "epoll_pwait", "fchmod", "fdatasync", "flock", "fsync",
	"ftruncate", "futex", "getrandom", "ioctl", "link", "linkat", "listen", "madvise", "mlock", "mmap", "munlock", "openat",
	"ppoll", "prctl", "pread64", "prlimit64", "pwrite64", "recvmsg", "renameat", "sendmsg", "setsockopt", "statfs", "unlinkat",
}

// refused are system calls that it must not have.
var refused = []string{"adjtimex", "bpf", "init_module", "mount", "pivot_root", "ptrace", "reboot", "setuid", "swapon"}

func TestSystemCallFilterFits(t *testing.T) {
	out, err := run(t, "systemd-analyze", "syscall-filter", "--no-pager")
	if err != nil {
		t.Fatal(err, out)
	}
	sets := parseSets(out)
	allowed := sets.expand("@system-service")
	for _, taken := range []string{"@privileged", "@resources"} {
		for call := range sets.expand(taken) {
			delete(allowed, call)
		}
	}
	for _, call := range needed {
		if !allowed[call] {
			t.Errorf("%s is filtered away", call)
		}
	}
	for _, call := range refused {
		if allowed[call] {
			t.Errorf("%s is allowed", call)
		}
	}
}

// callSets are systemd's named groups of system calls.
type callSets map[string][]string

func parseSets(out string) callSets {
	sets, name := callSets{}, ""
	for line := range strings.Lines(out) {
		word := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "@"):
			name = word
		case strings.HasPrefix(word, "#") || word == "" || name == "":
		default:
			sets[name] = append(sets[name], word)
		}
	}
	return sets
}

func (s callSets) expand(name string) map[string]bool {
	calls := map[string]bool{}
	for _, word := range s[name] {
		if !strings.HasPrefix(word, "@") {
			calls[word] = true
			continue
		}
		for call := range s.expand(word) {
			calls[call] = true
		}
	}
	return calls
}

func TestAccountAndDirectories(t *testing.T) {
	root := t.TempDir()
	conf := filepath.Join(root, "usr/lib/sysusers.d/coffer.conf")
	write(t, conf, read(t, "sysusers.d/coffer.conf"), 0o644)
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "systemd-sysusers", "--root="+root, conf); err != nil {
		t.Fatalf("systemd-sysusers: %v %s", err, out)
	}
	if passwd := read(t, filepath.Join(root, "etc/passwd")); !strings.Contains(passwd, ":/var/lib/coffer:/usr/sbin/nologin") {
		t.Errorf("account: %s", passwd)
	}
	groups := read(t, filepath.Join(root, "etc/group"))
	for _, name := range []string{"tss", "dialout"} {
		if !regexp.MustCompile(`(?m)^` + name + `:.*:coffer$`).MatchString(groups) {
			t.Errorf("coffer is not in %s: %s", name, groups)
		}
	}
	directories(t, root)
}

// directories makes the directories below root, owned by whoever runs the test.
func directories(t *testing.T, root string) {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	owned := regexp.MustCompile(`(coffer coffer|root   root) `).ReplaceAllString(read(t, "tmpfiles.d/coffer.conf"), me.Uid+" "+me.Gid+" ")
	conf := filepath.Join(root, "usr/lib/tmpfiles.d/coffer.conf")
	write(t, conf, owned, 0o644)
	if out, err := run(t, "systemd-tmpfiles", "--create", "--root="+root, conf); err != nil || out != "" {
		t.Fatalf("systemd-tmpfiles: %v %s", err, out)
	}
	for path, mode := range map[string]os.FileMode{"var/lib/coffer": 0o700, "run/coffer": 0o700, "etc/coffer": 0o755} {
		fi, err := os.Stat(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != mode {
			t.Errorf("%s has mode %v", path, fi.Mode())
		}
	}
}

// TestUnitRunsTheDaemon runs the daemon as ExecStart does, with a boot file
// that is wrong: it must end with the status for which the unit does not start
// it again.
func TestUnitRunsTheDaemon(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "cofferd")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "coffer/cmd/cofferd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v %s", err, out)
	}
	unit := read(t, "cofferd.service")
	line := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/cofferd (.*)$`).FindStringSubmatch(unit)
	prevent := regexp.MustCompile(`(?m)^RestartPreventExitStatus=(\d+)$`).FindStringSubmatch(unit)
	if line == nil || prevent == nil {
		t.Fatal("cofferd.service lacks ExecStart or RestartPreventExitStatus")
	}
	bad := filepath.Join(t.TempDir(), "cofferd.toml")
	write(t, bad, "clinik = \"misspelt\"\n", 0o600)
	args := strings.Fields(strings.Replace(line[1], "/etc/coffer/cofferd.toml", bad, 1))
	daemon := exec.CommandContext(t.Context(), binary, args...)
	out, err := daemon.CombinedOutput()
	if err == nil || strconv.Itoa(daemon.ProcessState.ExitCode()) != prevent[1] || !strings.Contains(string(out), "clinik") {
		t.Errorf("exit %d, want %s: %s", daemon.ProcessState.ExitCode(), prevent[1], out)
	}
}
