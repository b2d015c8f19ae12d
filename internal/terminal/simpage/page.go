package simpage

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/sim"
)

//go:embed page.html page.css page.js
var files embed.FS

var page = template.Must(template.New("page.html").ParseFS(files, "page.html"))

// ErrLoopback is returned for an address that others than this machine reach.
var ErrLoopback = errors.New("simpage: the page listens on this machine alone; name an address such as 127.0.0.1:0")

// Listen opens a loopback address, such as "127.0.0.1:0", for the page.
func Listen(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, ErrLoopback
	}
	return net.Listen("tcp", addr)
}

// Server returns a server for the page of s. A terminal that ends takes its
// answers with it: the page then says that it is off.
func Server(s *sim.Sim) *http.Server {
	f := face{s}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", f.whole)
	mux.HandleFunc("GET /now", f.now)
	mux.HandleFunc("POST /{$}", f.hand)
	mux.HandleFunc("GET /page.css", asset("page.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /page.js", asset("page.js", "text/javascript; charset=utf-8"))
	return &http.Server{
		Handler:           guarded(http.NewCrossOriginProtection().Handler(mux)),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		MaxHeaderBytes: 1 << 16,
	}
}

// policy lets the page load its own style and script, and send its own forms.
const policy = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded answers only for names of this machine, so that no other name can be
// made to point here, and says what the page may do.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "This page belongs to this machine alone.", http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 1<<12)
		next.ServeHTTP(w, r)
	})
}

func asset(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		http.ServeFileFS(w, r, files, name)
	}
}

// face shows one terminal.
type face struct{ sim *sim.Sim }

// choice is a test card, in the order of the page.
type choice struct{ Name, Words string }

var choices = []choice{
	{"visa", "Visa ···1111: approved"},
	{"mastercard", "Mastercard ···4444: approved"},
	{"amex", "American Express ···0005: approved"},
	{"declined", "Visa ···0002: declined"},
	{"poor", "Visa ···9995: no funds"},
	{"prepaid", "Prepaid Visa ···5556: holds 50.00, so approved in part"},
	{"slow", "Visa ···1881: its bank is slow"},
}

// line is a line of the ledger as the page has it.
type line struct {
	At, What, Ref, Card string
	Amount              money.Amount
}

// rowsMax is how many lines of the ledger the page shows, the newest first.
const rowsMax = 50

// show is what the page is made of.
type show struct {
	sim.Status
	Screens []string // what the display says, line by line
	Lines   []line
	More    int // lines that are not shown
	Net     money.Amount
	Cards   []choice
	Faults  []sim.FaultName
	Note    string // why a button did nothing
}

func (f face) show(note string) show {
	ledger := f.sim.Ledger()
	s := show{Status: f.sim.Status(), Net: sim.Net(ledger), Cards: choices, Faults: f.sim.Command("fault").Faults, Note: note}
	s.Screens = display(s.Status)
	s.More = max(0, len(ledger)-rowsMax)
	for _, t := range slices.Backward(ledger[s.More:]) {
		s.Lines = append(s.Lines, line{
			At: t.Time.Local().Format("2 Jan 15:04:05"), What: what(t), Ref: t.Ref, Card: strings.TrimSpace(t.Brand + " " + t.LastFour), Amount: t.Amount,
		})
	}
	return s
}

// what names an act of the issuer.
func what(t sim.Truth) string {
	switch t.Act {
	case sim.Void:
		return "void of " + t.OfRef
	case sim.Batch:
		return "batch " + t.Batch + " closed"
	}
	return string(t.Act)
}

// display is what the screen says.
func display(s sim.Status) []string {
	switch s.Screen {
	case sim.Off:
		return nil
	case sim.Booting:
		return []string{"Starting …"}
	case sim.Present:
		return []string{"Amount " + s.Amount.String(), "Tap, insert or swipe"}
	case sim.PIN:
		return []string{"Amount " + s.Amount.String(), "Enter PIN"}
	case sim.Processing:
		return []string{"Processing …", "Do not remove card"}
	case sim.Remove:
		return []string{"Remove card"}
	}
	if s.Said != "" {
		return []string{s.Said, "Ready"}
	}
	return []string{"Ready"}
}

func (f face) whole(w http.ResponseWriter, _ *http.Request) { f.write(w, "page.html", "") }

// now is the part of the page that changes.
func (f face) now(w http.ResponseWriter, _ *http.Request) { f.write(w, "parts", "") }

// hand does what a button says. A script is given the part that has changed,
// a form is sent back to the page.
func (f face) hand(w http.ResponseWriter, r *http.Request) {
	note := ""
	if reply := f.sim.Command(command(r)); !reply.OK {
		note = sentence(reply.Error)
	}
	switch {
	case r.Header.Get("X-Part") != "":
		f.write(w, "parts", note)
	case note != "":
		f.write(w, "page.html", note)
	default:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// command returns the line for the terminal that a form asks for.
func command(r *http.Request) string {
	do := r.PostFormValue("do")
	switch do {
	case "tap", "insert", "swipe":
		return do + " " + only(r.PostFormValue("card"))
	case "fault":
		return do + " " + only(r.PostFormValue("fault"))
	case "cancel", "unplug", "plug", "power-off", "power-on", "by-hand", "by-itself":
		return do
	}
	return "-"
}

// only keeps a word to the letters of names.
func only(word string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c == '-' {
			return c
		}
		return -1
	}, word)
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func (f face) write(w http.ResponseWriter, name, note string) {
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, name, f.show(note)); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes()) // whoever asked may have gone
}
