package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/phi"
	"coffer/internal/recovery"
	"coffer/internal/roster"
	"coffer/internal/seal/sealtest"
)

const deskPassword = "an umbrella in the harbour"

// person is somebody at a browser without JavaScript.
type person struct {
	t      *testing.T
	base   string
	client *http.Client
}

func (b box) person(t *testing.T) *person {
	t.Helper()
	_, port, err := net.SplitHostPort(b.config.Listen)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, "https://localhost:" + port, &http.Client{Jar: jar, Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}}
}

// page reads an answer.
func (p *person) page(r *http.Response, err error) (int, string) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// field returns the value of a hidden field.
func field(page, name string) string {
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}

// TestFullDisk fills the daemon's disk under it: a payment is refused in words
// that say what to do, and the same form, sent again once there is room, pays
// once. The disk is a small tmpfs in a mount namespace of the daemon's own.
func TestFullDisk(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	client, secret := openShop(t, b)
	disk := filepath.Join(b.dir, "disk")
	pid := b.startOnSmallDisk(t, disk)

	desk := b.person(t)
	code, err := identity.Code(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if status, page := desk.page(desk.client.PostForm(desk.base+"/sign-in", url.Values{
		"name": {"desk"}, "password": {deskPassword}, "code": {code},
	})); status != http.StatusOK {
		t.Fatalf("sign-in answers %d:\n%s", status, page)
	}
	_, form := desk.page(desk.client.Get(desk.base + "/clients/" + client.String() + "/pay"))
	payment := url.Values{
		"csrf": {field(form, "csrf")}, "command": {field(form, "command")}, "client": {client.String()},
		"due": {field(form, "due")}, "amount": {"25.00"}, "tender": {"cash"}, "over": {"yes"},
	}

	filler := filepath.Join("/proc", strconv.Itoa(pid), "root", disk, "filler")
	fill(t, filler)
	refused := false
	for range 200 { // what room is left in the store's own file is used up first
		status, page := desk.page(desk.client.PostForm(desk.base+"/payments", payment))
		if status == http.StatusOK {
			_, form = desk.page(desk.client.Get(desk.base + "/clients/" + client.String() + "/pay"))
			if field(form, "command") != "" {
				payment.Set("command", field(form, "command"))
				payment.Set("second", "yes")
			}
			continue
		}
		if !strings.Contains(page, "disk of the box is full") || !strings.Contains(page, "Ask IT to free space") {
			t.Fatalf("a full disk is answered %d:\n%s", status, page)
		}
		if status != http.StatusServiceUnavailable {
			t.Errorf("a full disk is answered %d", status)
		}
		refused = true
		break
	}
	if !refused {
		t.Fatal("the disk never became full")
	}
	// What can't be put on record is not shown, and the console says why.
	status, page := http.StatusOK, ""
	for range 300 {
		if status, page = desk.page(desk.client.Get(desk.base + "/clients/" + client.String())); status != http.StatusOK {
			break
		}
	}
	if status != http.StatusServiceUnavailable || strings.Contains(page, "Somebody Else") {
		t.Errorf("with a full disk, a client's page is answered %d:\n%s", status, page)
	}
	if out, exit := b.ctl(t, "verify"); exit == 0 || !strings.Contains(out, "full") {
		t.Errorf("the console says of a full disk (exit %d):\n%s", exit, out)
	}
	if log, err := os.ReadFile(filepath.Join(b.dir, "log")); err != nil || !bytes.Contains(log, []byte("nothing could be saved")) || !bytes.Contains(log, []byte("STORE-020")) {
		t.Errorf("the journal does not tell of the full disk: %v\n%s", err, log)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if status, page := desk.page(desk.client.PostForm(desk.base+"/payments", payment)); status != http.StatusOK {
			t.Errorf("with room again, the same form is answered %d:\n%s", status, page)
		}
	}
	if out, exit := b.ctl(t, "verify"); exit != 0 {
		t.Errorf("verify exits %d:\n%s", exit, out)
	}
}

// openShop makes a store with a front desk and a client.
func openShop(t *testing.T, b box) (ident.ID[ident.Client], string) {
	t.Helper()
	issuer := access.NewIssuer()
	c, err := create(t.Context(), b.config, creation{issuer: issuer, now: b.config.clock(), recovery: recovery.New().Public()})
	if err != nil {
		t.Fatal(err)
	}
	_, enrolment, err := c.identity.CreateStaff(t.Context(), c.identity.System("setup"), identity.NewStaff{
		Name: "desk", DisplayName: "Desk", Roles: []access.Role{access.FrontDesk}, Password: deskPassword,
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := c.roster.Create(t.Context(), accesstest.Agent(access.FrontDesk), roster.Details{Name: phi.NewText("Somebody Else")})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return client.ID, enrolment.Secret
}

// startOnSmallDisk moves the box's state onto a tmpfs that only the daemon
// sees, starts it, and returns its process id.
func (b box) startOnSmallDisk(t *testing.T, disk string) int {
	t.Helper()
	text, err := os.ReadFile(b.file())
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), `state = "`+b.config.State, `state = "`+filepath.Join(disk, "state"), 1)
	if err := errors.Join(os.WriteFile(b.file(), []byte(moved), 0o600), os.Mkdir(disk, 0o700)); err != nil {
		t.Fatal(err)
	}
	const script = `mount -t tmpfs -o size=24m,mode=0700 tmpfs "$1" && cp -a "$2" "$1/state" && exec "$3" run --config "$4"`
	log, err := os.Create(filepath.Join(b.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", disk, b.config.State, program(t, "cofferd"), b.file())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: cmd, done: make(chan struct{})}
	go func() {
		cmd.Wait() // how it ended is the test's own doing
		close(r.done)
	}()
	t.Cleanup(func() {
		r.signal(t, syscall.SIGTERM)
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the daemon said:\n%s", text)
		}
	})
	b.await(t, r, func() bool {
		_, _, err := b.page("/healthz")
		return err == nil
	})
	return cmd.Process.Pid
}

// fill writes a file until its disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 1 << 12, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}
