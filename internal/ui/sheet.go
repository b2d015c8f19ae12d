package ui

import (
	"net/http"
	"strconv"
	"strings"

	"rsc.io/qr"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ops"
)

// recoveryView is the page of the recovery sheet.
type recoveryView struct {
	MayMake bool
	Made    bool // a new sheet was put in force just now
	State   pill
	Problem string // of the form that was sent
	Tested  string // that the papers fit; empty: nothing was tested just now
	Facts   []fact
	Remind  string // what is due; empty: nothing
}

// sheetView is a new sheet, shown once: one printed page for each paper.
type sheetView struct {
	Base   string // "/recovery" or "/set-up"
	Code   string // the set-up code, carried on; empty when somebody is signed in
	ID     string
	Shares bool
	Facts  []fact // the same on each paper
	Papers []paperView
	Ask    []string // "2.5": the fifth group of the second paper
	Stamp  string   // who made it, and when
}

type paperView struct {
	ID         string
	Number, Of int
	Groups     []groupView
	Path       string // of the QR symbol's dark modules, in SVG
	Quiet      int    // side of the symbol with its quiet zone of four modules, in modules
}

type groupView struct {
	Number int
	Text   string
}

// typeBackView asks for groups of the sheet that was just printed.
type typeBackView struct {
	Base, Code, ID string
	Asks           []askView
	Problem        string
}

type askView struct{ ID, Value, Label string }

// paperNames name the papers by what people write on the envelopes.
func paperName(paper int, shares bool) string {
	if shares {
		return "share " + strconv.Itoa(paper)
	}
	return "the sheet"
}

// GET /recovery
func (s *server) recovery(c *call) error {
	state, err := s.Ops.SheetState(c.Request().Context(), c.agent)
	if err != nil {
		return err
	}
	v := s.recoveryOf(c, state)
	v.Made = c.QueryParam("made") == "yes"
	return render(c, recoveryPage, http.StatusOK, v)
}

func (s *server) recoveryOf(c *call, state ops.SheetState) recoveryView {
	v := recoveryView{MayMake: c.agent.May(access.RecoveryMake)}
	v.State = pill{"In force", "good"}
	v.Facts = []fact{{Name: "Last rehearsal", Value: s.ago(state.Tested)}}
	if !state.Due.IsZero() {
		v.Facts = append(v.Facts, fact{Name: "Next one due", Value: state.Due.In(s.Zone).Format("January 2, 2006")})
	}
	switch {
	case !state.InForce:
		v.State, v.Facts = pill{"None", "bad"}, nil
		v.Remind = "There is no recovery sheet. If this box is lost, everything in it is lost. The owner makes one on this page."
	case state.Tested.IsZero():
		v.Remind = "Nobody has rehearsed yet. Take the paper out of its envelope and type it in below: a sheet that cannot be read is none."
	case s.Now().After(state.Due):
		v.Remind = "A rehearsal is due: take the paper out of its envelope and type it in below."
	}
	return v
}

// POST /recovery/sheet makes a new sheet and shows it, once.
func (s *server) newSheet(c *call) error {
	sheet, err := s.Ops.NewSheet(c.Request().Context(), c.agent, ops.Form(c.FormValue("form")))
	if err != nil {
		return err
	}
	v, err := s.sheetOf(sheet, c.session.Staff)
	if err != nil {
		return err
	}
	v.Base = "/recovery"
	return render(c, sheetPage, http.StatusOK, v)
}

// sheetOf turns a sheet into the pages that are printed.
func (s *server) sheetOf(sheet ops.Sheet, who string) (sheetView, error) {
	v := sheetView{
		ID: sheet.ID, Shares: sheet.Form == ops.ThreeShares,
		Stamp: "Made " + sheet.Made.In(s.Zone).Format("2006-01-02 15:04 MST") + " by " + who + ". Making it is on record in the audit trail.",
		Facts: []fact{
			{Name: "Clinic", Value: sheet.Clinic}, {Name: "Store", Value: sheet.Store.String()},
			{Name: "Made", Value: sheet.Made.In(s.Zone).Format("2006-01-02")},
			{Name: "Fingerprint of the sheet", Value: spaced(sheet.Fingerprint, 16)},
		},
	}
	if sheet.Attestation != "" {
		v.Facts = append(v.Facts, fact{Name: "Key of the security chip", Value: spaced(sheet.Attestation, 16)})
	}
	if sheet.TrailKey != "" {
		v.Facts = append(v.Facts, fact{Name: "Key of the audit trail", Value: spaced(sheet.TrailPrint, 16)}, fact{Name: "The same for other programs", Value: sheet.TrailKey})
	}
	for _, p := range sheet.Papers {
		paper, err := paperOf(p, len(sheet.Papers))
		if err != nil {
			return v, err
		}
		v.Papers = append(v.Papers, paper)
	}
	for _, a := range sheet.Ask {
		v.Ask = append(v.Ask, strconv.Itoa(a.Paper)+"."+strconv.Itoa(a.Group))
	}
	return v, nil
}

// spaced puts a gap after every n characters.
func spaced(text string, n int) string {
	var parts []string
	for len(text) > n {
		parts, text = append(parts, text[:n]), text[n:]
	}
	return strings.Join(append(parts, text), " ")
}

func paperOf(p ops.Paper, of int) (paperView, error) {
	code, err := qr.Encode(p.Text, qr.M)
	if err != nil {
		return paperView{}, fault.Wrap(err, fault.Internal, "The QR symbol of the sheet could not be drawn. Nothing was changed; make a new sheet.")
	}
	v := paperView{ID: "paper-" + strconv.Itoa(p.Number), Number: p.Number, Of: of, Path: modules(code), Quiet: code.Size + 8}
	for i, g := range p.Groups {
		v.Groups = append(v.Groups, groupView{i + 1, g})
	}
	return v, nil
}

// modules returns the dark modules of a QR symbol as one SVG path: for each run
// of them in a row a rectangle one unit high.
func modules(code *qr.Code) string {
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if n := strconv.Itoa(x - from); x > from {
				path.WriteString("M" + strconv.Itoa(from) + " " + strconv.Itoa(y) + "h" + n + "v1h-" + n + "z")
			}
		}
	}
	return path.String()
}

// POST /recovery/type-back asks for the groups, on a page that does not show
// them.
func (s *server) typeBack(c *call) error {
	v, err := typeBackOf(c, "/recovery")
	if err != nil {
		return err
	}
	return render(c, typeBackPage, http.StatusOK, v)
}

// typeBackOf reads which groups the form asks for.
func typeBackOf(c *call, base string) (typeBackView, error) {
	v := typeBackView{Base: base, Code: c.FormValue("code"), ID: c.FormValue("id")}
	shares := c.FormValue("shares") == "yes"
	for i, ask := range c.Request().PostForm["ask"] {
		paper, group, ok := strings.Cut(ask, ".")
		p, err := strconv.Atoi(paper)
		g, err2 := strconv.Atoi(group)
		if !ok || err != nil || err2 != nil || i >= 6 {
			return v, errForm
		}
		v.Asks = append(v.Asks, askView{
			ID: "answer-" + strconv.Itoa(i+1), Value: ask, Label: "Group " + strconv.Itoa(g) + " of " + paperName(p, shares),
		})
	}
	if v.ID == "" || len(v.Asks) == 0 {
		return v, errForm
	}
	return v, nil
}

// POST /recovery/confirm puts the sheet in force.
func (s *server) confirmSheet(c *call) error {
	v, err := typeBackOf(c, "/recovery")
	if err != nil {
		return err
	}
	err = s.Ops.ConfirmSheet(c.Request().Context(), c.agent, v.ID, c.Request().PostForm["answer"], c.FormValue("pin"))
	if err != nil {
		return s.askGroups(c, v, err)
	}
	return c.Redirect(http.StatusSeeOther, "/recovery?made=yes")
}

// askGroups shows the form once more when the answers were wrong; nothing that
// was typed is shown again.
func (s *server) askGroups(c *call, v typeBackView, err error) error {
	kind := fault.KindOf(err)
	if kind != fault.Invalid {
		return err
	}
	s.logFailure(c, err, kind, reference())
	v.Problem = fault.Message(err)
	return render(c, typeBackPage, kind.HTTPStatus(), v)
}

// POST /recovery/test is the rehearsal: whether the papers would open the
// store. Nothing that was typed is shown again.
func (s *server) testSheet(c *call) error {
	tested, err := s.Ops.TestSheet(c.Request().Context(), c.agent, papersOf(c)...)
	if err != nil && fault.KindOf(err) != fault.Invalid {
		return err
	}
	v := s.recoveryOf(c, tested.State)
	switch {
	case err != nil:
		v.Problem = fault.Message(err)
	case !tested.OK:
		v.Problem = "These papers do not open this store: they belong to an older sheet or to another box. Look for the sheet with the newest date."
	default:
		v.Tested = "The papers open this store. The next rehearsal is due by " + tested.Next.In(s.Zone).Format("January 2, 2006") + "."
	}
	status := http.StatusOK
	if v.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	return render(c, recoveryPage, status, v)
}

// papersOf returns the papers that were typed in.
func papersOf(c *call) []string {
	var papers []string
	for _, text := range c.Request().PostForm["paper"] {
		if strings.TrimSpace(text) != "" {
			papers = append(papers, text)
		}
	}
	return papers
}
