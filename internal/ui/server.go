package ui

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/billing"
	"coffer/internal/books"
	"coffer/internal/custody"
	"coffer/internal/day"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/identity"
	"coffer/internal/ops"
	"coffer/internal/pan"
	"coffer/internal/roster"
	"coffer/internal/schedule"
	"coffer/internal/till"
	"coffer/web"
)

// Options are the parts that the pages show and the facts that they need.
// All parts but Bell and Log must be there.
type Options struct {
	Clinic string         // the clinic's name, for heads of pages and receipts
	Demo   bool           // a sample clinic with invented clients: every page says so
	Names  []string       // DNS names and addresses under which the box answers, lower case, no port
	Zone   *time.Location // the clinic's zone; nil: UTC
	Now    func() time.Time

	Identity *identity.Identity
	Roster   *roster.Roster
	Schedule *schedule.Schedule
	Books    *books.Books
	Billing  *billing.Billing
	Till     *till.Till
	Acts     *duty.Acts
	Day      *day.Day
	Register *custody.Register
	Ops      *ops.Ops
	Bell     *Bell // nil: pages ask every few seconds only
	Log      *slog.Logger
}

// server is the state of all pages: parts and parsed templates. It does not
// change after New.
type server struct {
	Options
	clinic    string
	library   library
	bell      *Bell
	log       *slog.Logger
	throttle  *throttle // of attempts to sign in
	strangers *throttle // of events about who is not signed in
}

// call is one request: echo's context, who asks, and the server that answers.
type call struct {
	echo.Context
	server  *server
	agent   access.Agent
	cookie  string // the session's secret; empty when nobody is signed in
	session identity.SessionInfo
	refused error // why the page that answers asks once more
}

// New returns the handler of all pages. It returns an error when a template
// does not parse, which is a defect.
func New(o Options) (http.Handler, error) {
	lib, err := parseTemplates(web.Templates())
	if err != nil {
		return nil, err
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &server{Options: o, clinic: o.Clinic, library: lib, bell: o.Bell, log: o.Log, throttle: newThrottle(signInRate), strangers: newThrottle(strangerRate)}
	return guard(o.Names, s.echo()), nil
}

// guard puts everything that holds for every request around next: the names of
// the box, the safe headers, and the refusal of requests that another site
// made a browser send (by Sec-Fetch-Site and Origin, net/http).
func guard(names []string, next http.Handler) http.Handler {
	foreign := http.NewCrossOriginProtection()
	foreign.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This request came from another site and was refused. Open Coffer by its own address.", http.StatusForbidden)
	}))
	lower := make([]string, len(names))
	for i, name := range names {
		lower[i] = strings.ToLower(name)
	}
	return withHeaders(withHosts(lower, foreign.Handler(next)))
}

func (s *server) echo() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(discard{})
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) { s.lost(s.callOf(c), err) }
	for _, r := range routes {
		e.Add(r.method, r.path, s.serve(r))
	}
	return e
}

// serve wraps one route: whatever goes wrong becomes a page.
func (s *server) serve(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		k := s.callOf(c)
		if err := s.respond(k, r); err != nil {
			s.fail(k, err)
		}
		return nil
	}
}

// respond finds out who asks, whether the form is our own, and has the handler
// answer. No request ends without an event: where neither the handler nor what
// it called has left one, such as for a form that cannot be read, one is left
// here.
func (s *server) respond(k *call, r route) error {
	if err := s.safely(k, func() error { return s.admit(k, r) }); err != nil {
		return err
	}
	recorded := k.watched()
	err := s.safely(k, func() error { return r.handler(s, k) })
	if r.bare || recorded() {
		return err
	}
	return cmp.Or(s.attempted(k, r, err), err)
}

// lost answers a request for an address that no route has, which is an event of
// who asked. The address is in none: it may hold anything.
func (s *server) lost(k *call, err error) {
	if s.recognise(k, true) != nil {
		k.agent = access.Agent{} // nobody
	}
	err = cmp.Or(judgeAddress(k.Request()), err)
	s.fail(k, cmp.Or(s.attempted(k, route{path: "unknown"}, err), err))
}

// safely runs fn and turns whatever breaks inside into an error.
func (s *server) safely(k *call, fn func() error) (err error) {
	defer func() {
		broken := recover()
		if broken == nil {
			return
		}
		if broken == http.ErrAbortHandler {
			panic(broken) // net/http's own way to drop a connection
		}
		s.logPanic(k, broken)
		err = errPanic
	}()
	return fn()
}

// watched makes the call know whether an event of it has become durable.
func (k *call) watched() (recorded func() bool) {
	var durable atomic.Bool
	r := k.Request()
	k.SetRequest(r.WithContext(context.WithValue(r.Context(), audit.DurableKey{}, func() { durable.Store(true) })))
	return durable.Load
}

// attempted records a request that ended as err says before it reached any
// data. Of who is not signed in, only so many are recorded that nobody can fill
// the disk with them.
func (s *server) attempted(k *call, r route, err error) error {
	agent := k.agent
	if agent.IsNobody() {
		if !s.strangers.allow(k.RealIP(), s.Now()) {
			return nil
		}
		agent = s.Identity.Nobody(origin(k))
	}
	outcome, details := audit.OK, []audit.Detail{{Key: "route", Value: strings.TrimSpace(r.method + " " + r.path)}}
	if err != nil {
		outcome = audit.Refused
		kind := fault.KindOf(asFault(err))
		if kind == fault.Denied || kind == fault.Unauthenticated {
			outcome = audit.Denied
		}
		details = append(details, audit.Detail{Key: "fault", Value: kind.String()})
	}
	action := cmp.Or(r.action, access.PageRead)
	if errors.Is(err, pan.Err) {
		action = access.CardRefuse
	}
	ctx := context.WithoutCancel(k.Request().Context())
	return s.Identity.Attempted(ctx, agent, action, outcome, details...)
}

// callOf returns the call of an echo context, the same one each time.
func (s *server) callOf(c echo.Context) *call {
	if k, ok := c.Get("call").(*call); ok {
		return k
	}
	k := &call{Context: c, server: s}
	c.Set("call", k)
	return k
}

// discard is where echo's own log goes: it would hold addresses of requests.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// logPanic writes what kind of thing broke and where, without its text: that
// may hold anything.
func (s *server) logPanic(c *call, broken any) {
	s.log.ErrorContext(c.Request().Context(), "a page broke", "route", c.Path(), "type", typeName(broken), "at", brokenAt())
}

// Server returns an HTTP server for handler with limits on slowness: headers
// within 5 s, a request within 15 s, an answer within 30 s (the doorbell's
// stream exempts itself). Its log goes to log without the text of requests.
func Server(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(silent{log.Handler()}, slog.LevelDebug),
	}
}
