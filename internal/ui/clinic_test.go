package ui_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	firmwareconfig "coffer/firmware-config"
	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/billing"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/custody"
	"coffer/internal/custody/custodytest"
	"coffer/internal/day"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/ops"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/schedule"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/terminal"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/ui"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

const (
	password   = "blue heron at low tide"
	hostName   = "coffer.home.arpa"
	clinicName = "Harbor Lane Counseling"
)

// quick are hash parameters for tests: what they cost is not what is tested.
var quick = identity.Params{Time: 1, MemoryKiB: 64, Threads: 1}

// clock runs like the real one, from a given instant, and can be moved on.
type clock struct {
	mu    sync.Mutex
	base  time.Time
	start time.Time
}

func newClock(at time.Time) *clock { return &clock{base: at, start: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.start))
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = c.base.Add(d)
}

// person is one member of the test clinic's staff.
type person struct {
	identity.Staff
	secret string
}

// clinic is a whole clinic in a test: real store under a real software TPM,
// real till, simulated terminal, pages over TLS and HTTP/2.
type clinic struct {
	t         testing.TB
	clock     *clock
	vault     *vault.Vault
	sim       *sim.Sim
	more      []sim.Options // of further terminals
	others    []*sim.Sim
	till      *till.Till
	terminals []*terminal.Terminal
	register  *custody.Register
	ui        http.Handler
	bell      *ui.Bell
	ops       *ops.Ops
	store     ops.Store // as ops was told
	url       string
	machine   ops.Machine // TPM, header and state of this box
	key       *seal.Key
	zone      *time.Location
	server    *httptest.Server
	log       *logBook
	people    map[string]person
	clients   []roster.Client
	day       []schedule.Appointment
}

// terminalID is the connection of the clinic's one terminal.
var terminalID = ident.ID[ident.Terminal]{6: 0x70, 8: 0x80, 15: 1}

// names of the clients of the test clinic, in the order of the day's list.
var clientNames = []string{
	"Zelda Quintanar", "Żaneta Wróblewska", "Nguyễn Thị Hương", "Otto Brandvold", "Priya Venkataraman", "Søren Ødegård",
}

// newClinic opens a clinic with its staff, six clients and their appointments
// of the day: four sessions are closed and charged, two are not.
func newClinic(t testing.TB, options sim.Options, more ...sim.Options) *clinic {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	c := &clinic{
		t: t, clock: newClock(time.Date(2026, 11, 25, 13, 2, 0, 0, zone)), log: &logBook{}, people: map[string]person{}, more: more,
	}
	var tables []vault.AnyTable
	for _, part := range [][]vault.AnyTable{
		identity.Tables(), roster.Tables(), schedule.Tables(), duty.Tables(), books.Tables(), billing.Tables(), custody.Tables(), till.Tables(), day.Tables(), ops.Tables(),
	} {
		tables = append(tables, part...)
	}
	c.zone = zone
	state := t.TempDir()
	c.machine = ops.Machine{
		Version: "test", Clinic: clinicName, State: state, TPM: sealtest.TPM(t), Header: filepath.Join(state, "coffer.seal"),
		Root: os.DirFS(t.TempDir()), Now: c.clock.now, Daemon: accesstest.System("ops"),
		Proof: func(pin string) seal.Proof { return seal.Proof{PIN: pin} },
		Setup: func() (seal.Setup, error) { return seal.Setup{Level: seal.Bound}, nil },
	}
	c.key, err = seal.Provision(t.Context(), c.machine.TPM, c.machine.Header, seal.Setup{Now: c.clock.now()})
	c.must(err)
	t.Cleanup(c.key.Wipe)
	c.vault = vaulttest.OpenWith(t, vault.Options{
		Dir: filepath.Join(state, "store"), Key: c.key, Tables: tables, Relation: schedule.Related,
		Now:     func() time.Time { return c.clock.now().In(zone) },
		Elapsed: func() time.Duration { return time.Since(c.clock.start) },
	})
	c.open(options, true)
	return c
}

// restart stops everything, has swap change the files of the store, and opens
// again at the same address.
func (c *clinic) restart(options sim.Options, swap func(dir string)) {
	c.t.Helper()
	c.bell.Close()
	c.server.Close()
	c.must(c.till.Close(context.Background()))
	o := c.vault.Options()
	c.must(c.vault.Close())
	swap(o.Dir)
	opened, err := vault.Open(c.t.Context(), accesstest.System("test"), o)
	c.must(err)
	c.t.Cleanup(func() { c.must(opened.Close()) })
	c.vault = opened
	c.open(options, false)
}

// open puts the floors onto the store and serves them; a fresh store is
// furnished first.
func (c *clinic) open(options sim.Options, fresh bool) {
	c.t.Helper()
	zone := c.zone
	log := slog.New(slog.NewJSONHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	people := identity.New(c.vault, access.NewIssuer(), identity.WithHash(quick), identity.WithLog(log))
	system := people.System("test")
	clients, days := roster.New(c.vault), schedule.New(c.vault)
	accounts, charges := books.New(c.vault), billing.New(billing.Options{Vault: c.vault, Limits: duty.UsualLimits, Takers: till.TakersOf})
	bell := ui.NewBell()
	c.bell = bell
	first, device := c.plugIn(options, terminalID, "Front desk terminal", log)
	c.sim, c.terminals = device, []*terminal.Terminal{first}
	for i, o := range c.more {
		id := terminalID
		id[15] ^= byte(i + 1)
		owner, device := c.plugIn(o, id, "Back desk terminal", log)
		c.terminals, c.others = append(c.terminals, owner), append(c.others, device)
	}
	c.register = custodytest.Register(c.vault)
	if fresh {
		for _, one := range c.terminals {
			c.must(custodytest.Pair(c.t.Context(), c.register, one.ID(), one.Status().Device.Serial))
		}
	}
	c.till = till.New(till.Options{
		Vault: c.vault, Agent: people.System("till"), Register: c.register, Terminals: c.terminals,
		Clinic: clinicName, Limits: duty.UsualLimits, Bell: bell.Ring, Log: log, RetryMin: 20 * time.Millisecond, RetryMax: 100 * time.Millisecond,
	})
	c.t.Cleanup(func() {
		bell.Close()
		if err := c.sim.Cancel(); err != nil && !errors.Is(err, sim.ErrNothing) && !errors.Is(err, sim.ErrAway) && !errors.Is(err, sim.ErrClosed) {
			c.t.Logf("the terminal goes on: %v", err)
		}
		if err := c.till.Close(context.Background()); err != nil {
			c.t.Errorf("close the till: %v", err)
		}
	})
	if fresh {
		c.must(accounts.Setup(c.t.Context(), system))
		c.must(charges.Setup(c.t.Context(), system))
		c.hire(people, system)
		c.furnish(clients, days, charges, system, zone)
	}
	c.must(c.till.Recover(c.t.Context()))
	handler, err := ui.New(ui.Options{
		Clinic: clinicName, Demo: true, Names: []string{hostName, "127.0.0.1"}, Zone: zone, Now: c.clock.now,
		Identity: people, Roster: clients, Schedule: days, Books: accounts, Billing: charges, Till: c.till, Acts: duty.New(c.vault), Day: day.New(day.Options{Vault: c.vault, Agent: people.System("day"), Location: clinicName, Log: log}),
		Bell: bell, Log: log, Register: c.register, Ops: c.box(accounts),
	})
	c.must(err)
	c.ui = handler
	c.serve(handler, log)
}

// box tells the page of the box how this test's box is.
func (c *clinic) box(accounts *books.Books) *ops.Ops {
	c.ops = ops.New(c.machine)
	c.store = ops.Store{Vault: c.vault, Books: accounts, Terminals: c.terminals, Register: c.register, Key: c.key, Seal: c.key.Status()}
	c.must(c.ops.Opened(c.t.Context(), c.store))
	return c.ops
}

// plugIn starts a simulated terminal and the driver that owns it.
func (c *clinic) plugIn(options sim.Options, id ident.ID[ident.Terminal], name string, log *slog.Logger) (*terminal.Terminal, *sim.Sim) {
	c.t.Helper()
	device, err := sim.New(options)
	c.must(err)
	profile, err := firmwareconfig.Profile("sim-pax")
	c.must(err)
	config := terminal.Config{ID: id, Name: name, Dial: device.Dial, Profile: profile, Log: log}
	owner := terminal.Start(config)
	c.t.Cleanup(func() {
		c.must(owner.Close())
		c.must(device.Close())
	})
	for !owner.Status().Attached {
		select {
		case <-owner.Changed():
		case <-time.After(10 * time.Second):
			c.t.Fatal("the simulated terminal does not attach")
		}
	}
	return owner, device
}

func (c *clinic) hire(people *identity.Identity, system access.Agent) {
	c.t.Helper()
	for _, one := range []struct {
		name, shown string
		role        access.Role
	}{
		{"desk", "Noor Haddad", access.FrontDesk},
		{"rivera", "Dr. Inés Rivera", access.Therapist},
		{"okafor", "Dr. Chidi Okafor", access.Therapist},
		{"ledgers", "Theodora Vance", access.Accountant},
		{"boxes", "Sam Whitlock", access.IT},
		{"owner", "Dr. Marguerite Ashdown", access.Owner},
		{"privacy", "Ravi Menon", access.Officer},
	} {
		staff, enrolment, err := people.CreateStaff(c.t.Context(), system, identity.NewStaff{
			Name: one.name, DisplayName: one.shown, Roles: []access.Role{one.role}, Password: password,
		})
		c.must(err)
		c.people[one.name] = person{staff, enrolment.Secret}
	}
}

// furnish makes clients and their day. Clients see Rivera and Okafor in turn.
func (c *clinic) furnish(clients *roster.Roster, days *schedule.Schedule, charges *billing.Billing, system access.Agent, zone *time.Location) {
	c.t.Helper()
	ctx, today := c.t.Context(), civil.Of(c.clock.now().In(zone))
	desk := accesstest.Agent(access.FrontDesk)
	c.must(days.AddRoom(ctx, system, schedule.Room{Code: "B2", Label: "Blue room"}))
	for i, name := range clientNames {
		client, err := clients.Create(ctx, desk, roster.Details{
			Name: phi.NewText(name), Born: phi.NewText("1987-05-30"), Phone: phi.NewText(fmt.Sprintf("(207) 555-01%02d", i)),
			Memo: phi.NewText("prefers the side door"),
		})
		c.must(err)
		therapist := c.people[[]string{"rivera", "okafor"}[i%2]].ID
		c.must(clients.Assign(ctx, desk, roster.Assignment{Therapist: therapist, Client: client.ID, From: today.AddDays(-30), Until: roster.Forever}))
		start := today.In(zone).Add(time.Duration(8+i) * time.Hour)
		appointment, err := days.Book(ctx, desk, schedule.Booking{Client: client.ID, Therapist: therapist, Start: start, Minutes: 45, Service: "90834"})
		c.must(err)
		if i < 4 {
			c.must(days.CheckIn(ctx, desk, appointment.ID))
			_, err := charges.Close(ctx, desk, appointment.ID, "90834", 45, ident.New[ident.Command](c.clock.now()))
			c.must(err)
		}
		c.clients, c.day = append(c.clients, client), append(c.day, appointment)
	}
}

// serve puts the pages behind TLS and HTTP/2, as on the box.
func (c *clinic) serve(handler http.Handler, log *slog.Logger) {
	srv := httptest.NewUnstartedServer(handler)
	srv.Config = ui.Server(handler, log)
	srv.EnableHTTP2 = true
	if c.server != nil { // the same address as before
		c.must(srv.Listener.Close())
		l, err := net.Listen("tcp", c.server.Listener.Addr().String())
		c.must(err)
		srv.Listener = l
	}
	srv.StartTLS()
	bell := c.bell
	c.t.Cleanup(func() {
		bell.Close() // ends the streams, for which the server would wait
		srv.Close()
	})
	c.server = srv
	c.url = "https://" + hostName + ":" + srv.Listener.Addr().String()[strings.LastIndex(srv.Listener.Addr().String(), ":")+1:]
}

func (c *clinic) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// code returns what the person's authenticator shows now, and moves the clock
// on so that the next sign-in gets another.
func (c *clinic) code(name string) string {
	c.t.Helper()
	c.clock.advance(31 * time.Second)
	code, err := identity.Code(c.people[name].secret, c.clock.now())
	c.must(err)
	return code
}

// browser is somebody's HTTP client, without JavaScript.
type browser struct {
	*http.Client
	c *clinic
}

// answer is a page that a browser got.
type answer struct {
	status int
	header http.Header
	url    *url.URL
	body   string
}

func (c *clinic) browser() *browser {
	c.t.Helper()
	jar, err := cookiejar.New(nil)
	c.must(err)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: insecure, ForceAttemptHTTP2: true}
	c.t.Cleanup(transport.CloseIdleConnections)
	return &browser{&http.Client{Jar: jar, Transport: transport}, c}
}

// signIn returns a browser in which the person is signed in.
func (c *clinic) signIn(name string) *browser {
	c.t.Helper()
	b := c.browser()
	a := b.post("/sign-in", url.Values{"name": {name}, "password": {password}, "code": {c.code(name)}})
	if a.status != http.StatusOK || strings.HasPrefix(a.url.Path, "/sign-in") {
		c.t.Fatalf("%s could not sign in: %d at %s\n%s", name, a.status, a.url.Path, a.body)
	}
	return b
}

func (b *browser) send(r *http.Request) answer {
	b.c.t.Helper()
	w, err := b.Do(r)
	b.c.must(err)
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	b.c.must(err)
	return answer{w.StatusCode, w.Header, w.Request.URL, string(body)}
}

func (b *browser) request(method, path string, form url.Values) *http.Request {
	b.c.t.Helper()
	r, err := http.NewRequestWithContext(b.c.t.Context(), method, b.c.url+path, strings.NewReader(form.Encode()))
	b.c.must(err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return r
}

func (b *browser) get(path string) answer {
	b.c.t.Helper()
	return b.send(b.request(http.MethodGet, path, nil))
}

func (b *browser) post(path string, form url.Values) answer {
	b.c.t.Helper()
	return b.send(b.request(http.MethodPost, path, form))
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)

// fill returns the hidden fields of the form on the page whose action is path,
// with what a person adds.
func (a answer) fill(t testing.TB, path string, typed url.Values) url.Values {
	t.Helper()
	_, form, ok := strings.Cut(a.body, `action="`+path+`"`)
	if !ok {
		t.Fatalf("there is no form to %s on\n%s", path, a.body)
	}
	form, _, _ = strings.Cut(form, "</form>")
	values := url.Values{}
	for _, field := range hiddenField.FindAllStringSubmatch(form, -1) {
		values.Set(field[1], field[2])
	}
	for name, value := range typed {
		values[name] = value
	}
	return values
}

// logBook keeps what was logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
