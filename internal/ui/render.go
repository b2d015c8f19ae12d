package ui

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/web"
)

// view is what a template gets: the frame of the page and its own content.
type view[T any] struct {
	frame
	Body T
}

// frame is what every page shows around its content. It holds no client data.
type frame struct {
	Title    string // no names: it stays in the browser's history
	Clinic   string
	Version  string
	CSRF     string
	Self     string // path of this page, to come back to; empty after a form
	Who      string // the signed-in person; empty when nobody is
	Roles    string
	Menu     []menuItem
	Bell     bool   // the page listens to the doorbell
	IdleWarn int    // seconds without an act until the warning; 0: no limit
	IdleEnd  int    // seconds without an act until the session's end
	Refresh  string // when and what a browser without JavaScript reads again: "3;url=/…"; empty: never
	Witness  string // names the sign-in to the browser's witness of the trail; empty: it does not ask
	Officer  bool   // may judge what a witness found
	Demo     bool   // a sample clinic: every page says so
}

type menuItem struct {
	Path, Label string
	Here        bool
}

// page binds a template to the one type of content that it shows. Title is the
// page's title.
type page[T any] struct {
	name  string
	title string
	entry string // "layout", or the name of a fragment of the same file
}

// The pages and fragments. A test renders each with an empty and a full value.
var (
	signInPage    = page[signInView]{"signin.html", "Sign in", "layout"}
	todayPage     = page[todayView]{"today.html", "Today", "layout"}
	todayRows     = page[todayView]{"today.html", "Today", "day"}
	findPage      = page[findView]{"find.html", "Find a client", "layout"}
	findHits      = page[findView]{"find.html", "Find a client", "hits"}
	clientPage    = page[clientView]{"client.html", "Client", "layout"}
	payPage       = page[payView]{"pay.html", "Take a payment", "layout"}
	payPanel      = page[payView]{"pay.html", "Take a payment", "panel"}
	progressPage  = page[progressView]{"payment.html", "Payment", "layout"}
	progressPane  = page[progressView]{"payment.html", "Payment", "panel"}
	progressPart  = page[progressView]{"payment.html", "Payment", "progress"}
	giveBackPage  = page[giveBackView]{"giveback.html", "Give a payment back", "layout"}
	approvalsPage = page[approvalsView]{"approvals.html", "Approvals", "layout"}
	adjustPage    = page[adjustView]{"adjust.html", "Adjust an account", "layout"}
	openPage      = page[openView]{"open.html", "Open payments", "layout"}
	statePage     = page[stateView]{"state.html", "An open payment", "layout"}
	receiptsPage  = page[receiptsView]{"receipts.html", "Receipts", "layout"}
	receiptPage   = page[receiptView]{"receipt.html", "Receipt", "layout"}
	drawerPage    = page[drawerView]{"drawer.html", "My drawer", "layout"}
	checksPage    = page[checksView]{"checks.html", "Checks", "layout"}
	daysPage      = page[daysView]{"days.html", "Close the day", "layout"}
	daySheetPage  = page[daySheetView]{"daysheet.html", "Day sheet", "layout"}
	closePage     = page[closeView]{"close.html", "Close and charge", "layout"}
	myDayPage     = page[myDayView]{"myday.html", "My day", "layout"}
	myClientPage  = page[myClientView]{"myclient.html", "My client", "layout"}
	trialPage     = page[trialView]{"trial.html", "Trial balance", "layout"}
	journalPage   = page[journalView]{"journal.html", "Journal", "layout"}
	accountPage   = page[accountView]{"account.html", "Account", "layout"}
	entryPage     = page[entryView]{"entry.html", "Entry", "layout"}
	appliancePage = page[applianceView]{"appliance.html", "Appliance", "layout"}
	terminalsPage = page[terminalsView]{"terminals.html", "Terminals", "layout"}
	devicePage    = page[deviceView]{"device.html", "A device", "layout"}
	evidencePage  = page[evidenceView]{"evidence.html", "Evidence for 9.5", "layout"}
	backupsPage   = page[backupsView]{"backups.html", "Backups", "layout"}
	backupsPart   = page[backupsView]{"backups.html", "Backups", "panel"}
	trailPage     = page[trailView]{"audit.html", "Audit trail", "layout"}
	eventPage     = page[eventView]{"event.html", "An event", "layout"}
	exportPage    = page[exportView]{"export.html", "Export the trail", "layout"}
	shredPage     = page[shredView]{"shred.html", "Erase a client", "layout"}
	recoveryPage  = page[recoveryView]{"recovery.html", "Recovery sheet", "layout"}
	sheetPage     = page[sheetView]{"sheet.html", "A new recovery sheet", "layout"}
	typeBackPage  = page[typeBackView]{"typeback.html", "Type it back", "layout"}
	setUpPage     = page[setUpView]{"setup.html", "Set up", "layout"}
	helpPage      = page[helpView]{"help.html", "Help", "layout"}
	helpPanel     = page[helpView]{"help.html", "Help", "panel"}
	problemPage   = page[problemView]{"problem.html", "A problem", "layout"}
	problemPanel  = page[problemView]{"problem.html", "A problem", "panel"}
	sealedPage    = page[sealedView]{"sealed.html", "The box is sealed", "layout"}
)

// library holds the parsed templates, one set for each page file.
type library map[string]*template.Template

// pageFiles are the files that hold a "main" template.
var pageFiles = []string{
	"signin.html", "today.html", "find.html", "client.html", "pay.html", "payment.html", "giveback.html", "approvals.html", "adjust.html", "receipts.html", "open.html", "state.html",
	"receipt.html", "close.html", "drawer.html", "checks.html", "days.html", "daysheet.html",
	"myday.html", "myclient.html", "trial.html", "journal.html", "account.html", "entry.html", "appliance.html", "help.html",
	"backups.html", "audit.html", "event.html", "export.html", "shred.html", "recovery.html", "sheet.html", "typeback.html", "setup.html",
	"terminals.html", "device.html", "evidence.html", "problem.html", "sealed.html",
}

// parseTemplates reads all templates; one that does not parse is a defect that
// stops the program at start.
func parseTemplates(from fs.FS) (library, error) {
	base, err := template.New("").Option("missingkey=error").Funcs(template.FuncMap{"asset": web.URL}).
		ParseFS(from, "layout.html", "parts.html")
	if err != nil {
		return nil, fmt.Errorf("cannot parse the frame of the pages: %w", err)
	}
	lib := library{}
	for _, name := range pageFiles {
		set, err := base.Clone()
		if err == nil {
			set, err = set.ParseFS(from, name)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot parse a page: %w", err)
		}
		lib[name] = set
	}
	return lib, nil
}

// render writes a page whole, or returns an error and writes nothing.
func render[T any](c *call, p page[T], status int, body T) error {
	return write(c, p, status, view[T]{frame: c.frame(p.title), Body: body})
}

func write[T any](c *call, p page[T], status int, v view[T]) error {
	var buffer bytes.Buffer
	if err := c.server.library[p.name].ExecuteTemplate(&buffer, p.entry, v); err != nil {
		return fault.Wrap(err, fault.Internal, "This page could not be made. Nothing was lost; please tell IT the reference.")
	}
	return c.HTMLBlob(status, buffer.Bytes())
}

// both renders the fragment for htmx, and the whole page for everybody else.
func both[T any](c *call, whole, fragment page[T], status int, body T) error {
	if isHX(c.Request()) {
		return render(c, fragment, status, body)
	}
	return render(c, whole, status, body)
}

// frame returns the frame of a page for the person who asks for it.
func (c *call) frame(title string) frame {
	s := c.server
	f := frame{Title: title, Clinic: s.clinic, Version: web.Version(), Demo: s.Demo}
	if c.agent.IsNobody() {
		return f
	}
	f.CSRF, f.Who, f.Roles = csrfToken(c.cookie), c.session.Staff, roleWords(c.agent)
	f.Bell = s.bell != nil
	f.Witness, f.Officer = derived(c.cookie, "coffer/witness/1")[:12], c.agent.May(access.AuditRead)
	if c.Request().Method == http.MethodGet && !isHX(c.Request()) {
		f.Self = localPath(c.Request().URL.RequestURI())
	}
	f.IdleEnd = int(c.session.IdleEnds.Sub(s.Now()).Round(time.Second).Seconds())
	f.IdleWarn = f.IdleEnd - int(idleNotice.Seconds())
	for _, item := range menu {
		if c.agent.May(item.action) {
			here := item.path == c.Path()
			f.Menu = append(f.Menu, menuItem{Path: item.path, Label: item.label, Here: here})
		}
	}
	return f
}

// menu is what may stand in the head of a page, in order. The first that
// somebody may is that person's home.
var menu = []struct {
	path, label string
	action      access.Action
}{
	{"/today", "Today", access.DayRead},
	{"/find", "Find", access.ClientFind},
	{"/my/day", "My day", access.DayOwn},
	{"/drawer", "My drawer", access.DrawerRead},
	{"/books", "Trial balance", access.BooksRead},
	{"/books/journal", "Journal", access.BooksRead},
	{"/payments/open", "Open payments", access.PaymentReview},
	{"/days", "Close the day", access.SheetRead},
	{"/checks", "Checks", access.CheckRead},
	{"/receipts", "Receipts", access.ReceiptRead},
	{"/approvals", "Approvals", access.ActRead},
	{"/adjust", "Adjust", access.AccountAdjust},
	{"/appliance", "Appliance", access.BoxStatus},
	{"/audit", "Audit trail", access.AuditRead},
	{"/terminals", "Terminals", access.CustodyRead},
	{"/recovery", "Recovery sheet", access.RecoveryRead},
	{"/backups", "Backups", access.BackupRead},
}

// home returns the path of the agent's first page.
func home(agent access.Agent) string {
	for _, item := range menu {
		if agent.May(item.action) {
			return item.path
		}
	}
	return "/help"
}

var roleNames = map[access.Role]string{
	access.FrontDesk: "front desk", access.Therapist: "therapist", access.Accountant: "accountant",
	access.Owner: "owner", access.Officer: "privacy officer", access.IT: "IT",
}

func roleWords(agent access.Agent) string {
	words := ""
	for _, role := range agent.Roles() {
		if words != "" {
			words += ", "
		}
		words += roleNames[role]
	}
	return words
}
