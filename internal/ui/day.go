package ui

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/day"
	"coffer/internal/fault"
	"coffer/internal/money"
)

// daysView is the day that is to be closed next, and the register of sheets.
type daysView struct {
	Due       string // the date in words; empty: nothing waits
	Day       string // for the form to send back
	Missing   string // cashiers who must count first
	MaySeal   bool
	Approvals int  // acts that wait for this person's decision
	Own       bool // the one who asks took money on it
	Sheet     sheetBody
	Work      []workRow
	Reasons   []choice
	Sealed    []sealedRow
	Problem   string
}

// sheetBody is what a sheet says, sealed or not.
type sheetBody struct {
	Totals    []totalRow
	Drawers   []drawerRow
	Terminals []batchRow
	Waived    []string
	Accounts  []movementRow
}

type (
	totalRow  struct{ Name, Count, Amount, Late string }
	drawerRow struct {
		Cashier, Opening, Float, Taken, Given, Dropped, Difference, Closing, State string
		Counts                                                                     []string
	}
	batchRow    struct{ Serial, Batch, Count, Stated, Posted, Difference, By string }
	movementRow struct{ Account, Debit, Credit string }
	workRow     struct {
		ID, Terminal, Difference, Opened, Owner, Reason string
		Mine                                            bool
	}
	sealedRow struct {
		Number               uint64
		Day, When, By, State string
	}
)

// daySheetView is a sealed sheet.
type daySheetView struct {
	Number                 uint64
	Clinic, Day, When, By  string
	Sheet                  sheetBody
	Items                  []itemRow
	Entries                string // their numbers
	Hash, Previous, Digest string
	Audit, Signed          string
	Note                   string
	Printed                string
	Before                 string // path of the sheet before
}

type itemRow struct{ ID, Number, When, What, Whose, Amount, Late string }

// classNames name the classes of a sheet.
var classNames = map[day.Class]string{
	day.PaidCard: "Card payments", day.PaidCash: "Cash payments", day.PaidCheck: "Check payments", day.Voided: "Voids",
	day.Returned: "Checks returned by the bank", day.Refunded: "Refunds", day.Charged: "Charges", day.Uncharged: "Charges taken back",
	day.Adjusted: "Adjustments", day.WrittenOff: "Write-offs", day.Deposited: "Checks deposited", day.Floated: "Floats put into drawers",
	day.Dropped: "Cash taken out for the bank", day.Undropped: "Cash taken out by mistake, taken back", day.OverShort: "Drawers over or short", day.Moved: "Credit moved",
}

// reasonWords say why a terminal's total differed.
var reasonWords = map[day.Reason]string{
	day.ReasonTyped: "The totals were read or typed wrong", day.ReasonEarlier: "The terminal had closed a batch in between",
	day.ReasonElsewise: "A payment was made at the terminal without Coffer", day.ReasonOpen: "A payment was not settled yet when the batch closed",
	day.ReasonUnknown: "It could not be found out",
}

// sheetsShown is how many sealed days the page lists.
const sheetsShown = 60

// GET /days
func (s *server) closeDay(c *call) error {
	v, err := s.daysView(c)
	if err != nil {
		return err
	}
	return render(c, daysPage, http.StatusOK, v)
}

func (s *server) daysView(c *call) (daysView, error) {
	ctx := c.Request().Context()
	due, err := s.Day.Next(ctx, c.agent)
	if err != nil {
		return daysView{}, err
	}
	sealed, err := s.Day.Sheets(ctx, c.agent, sheetsShown)
	if err != nil {
		return daysView{}, err
	}
	v := daysView{MaySeal: c.agent.May(access.DaySeal), Own: due.Own, Missing: strings.Join(due.Missing, ", ")}
	if v.Approvals, err = s.toApprove(c); err != nil {
		return daysView{}, err
	}
	if !due.Nothing {
		v.Due, v.Day, v.Sheet = longDate(due.Day), due.Day.String(), s.sheetBody(due.Sheet)
	}
	for _, w := range due.Work {
		v.Work = append(v.Work, workRow{strconv.FormatUint(w.Number, 10), w.Terminal, moreOrLess(w.Difference), s.moment(w.Opened), w.Owner, reasonWords[w.Reason], w.Mine})
	}
	for _, one := range day.Reasons {
		v.Reasons = append(v.Reasons, choice{ID: string(one), Name: reasonWords[one]})
	}
	for _, head := range sealed {
		v.Sealed = append(v.Sealed, sealedRow{head.Number, head.Day.String(), s.moment(head.Sealed), head.By, headWords(head)})
	}
	return v, nil
}

// moreOrLess says a difference without a sign.
func moreOrLess(a money.Amount) string {
	if a < 0 {
		return (-a).String() + " less"
	}
	return a.String() + " more"
}

func headWords(head day.Head) string {
	words := "Signed"
	if !head.Signed {
		words = "Not signed yet"
	}
	if head.Waived > 0 {
		words += ", duties waived: " + strconv.Itoa(head.Waived)
	}
	return words
}

// sheetBody writes a sheet in words and amounts.
func (s *server) sheetBody(sheet day.Sheet) sheetBody {
	var b sheetBody
	for _, t := range sheet.Totals {
		row := totalRow{Name: classNames[t.Class], Count: group(t.Count), Amount: t.Amount.String()}
		if t.Late {
			row.Late = "late"
		}
		b.Totals = append(b.Totals, row)
	}
	for _, d := range sheet.Drawers {
		b.Drawers = append(b.Drawers, s.drawerRow(d))
	}
	for _, t := range sheet.Terminals {
		b.Terminals = append(b.Terminals, batchRow{
			string(t.Terminal), t.Batch, strconv.Itoa(int(t.Count)), t.Amount.String(), t.Clearing.String(), t.Difference.String(), t.By,
		})
	}
	for _, w := range sheet.Waived {
		b.Waived = append(b.Waived, w.By+", "+s.instant(w.At)+": rule "+strconv.Itoa(int(w.Rule))+" of the separation of duties was waived, because nobody else could do it (sod:waived).")
	}
	for _, m := range sheet.Accounts {
		b.Accounts = append(b.Accounts, movementRow{string(m.Account), m.Debit.String(), m.Credit.String()})
	}
	return b
}

// instant writes a stored instant, in the clinic's zone.
func (s *server) instant(micros int64) string {
	return time.UnixMicro(micros).In(s.Zone).Format("2006-01-02 15:04")
}

func (s *server) drawerRow(d day.Drawer) drawerRow {
	row := drawerRow{
		d.Cashier, d.Opening.String(), d.Float.String(), d.Taken.String(), d.Given.String(), d.Dropped.String(),
		d.Difference.String(), d.Closing.String(), "Counted", nil,
	}
	switch {
	case d.Moved == 0:
		row.State = "Not used"
	case !d.Counted:
		row.State = "Not counted"
	}
	for _, one := range d.Counts {
		words := s.instant(one.At) + ": counted " + one.Counted.String() + ", in the books " + one.Expected.String() + ", difference " + one.Difference.String()
		if one.Round > 1 {
			words += " (recount)"
		}
		if one.Late {
			words += " (late)"
		}
		row.Counts = append(row.Counts, words)
	}
	return row
}

// POST /days closes the day of the form.
func (s *server) sealDay(c *call) error {
	date, err := civil.Parse(c.FormValue("day"))
	if err != nil {
		return errForm
	}
	number, err := s.Day.Seal(c.Request().Context(), c.agent, date)
	if err == nil {
		s.bell.Ring(topicDay)
		return c.Redirect(http.StatusSeeOther, "/days/"+strconv.FormatUint(number, 10))
	}
	return s.daysAgain(c, err)
}

// daysAgain shows the page with what is wrong.
func (s *server) daysAgain(c *call, problem error) error {
	kind := fault.KindOf(problem)
	if kind != fault.Invalid && kind != fault.Conflict && !errors.Is(problem, day.ErrOwnDay) {
		return problem
	}
	v, err := s.daysView(c)
	if err != nil {
		return err
	}
	v.Problem = fault.Message(problem)
	s.logFailure(c, problem, kind, reference())
	return render(c, daysPage, kind.HTTPStatus(), v)
}

// POST /work/:number states the reason of a difference.
func (s *server) explainWork(c *call) error {
	number, err := strconv.ParseUint(c.Param("number"), 10, 64)
	if err != nil {
		return day.ErrNoWork
	}
	if _, err := s.Day.Explain(c.Request().Context(), c.agent, number, day.Reason(c.FormValue("reason"))); err != nil {
		return s.daysAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, "/days")
}

// GET /days/:number
func (s *server) daySheet(c *call) error {
	number, err := strconv.ParseUint(c.Param("number"), 10, 64)
	if err != nil {
		return day.ErrNoSheet
	}
	shown, err := s.Day.Read(c.Request().Context(), c.agent, number)
	if err != nil {
		return err
	}
	v := daySheetView{
		Number: shown.Number, Clinic: shown.Location, Day: longDate(shown.Day), When: shown.SealedAt.In(s.Zone).Format("2006-01-02 15:04"), By: shown.By,
		Sheet: s.sheetBody(shown.Sheet), Hash: shown.Hash, Previous: shown.Previous, Digest: shown.Sheet.Entries,
		Entries: "none", Audit: group(shown.AuditSize) + " events, root " + shown.AuditRoot,
		Signed: "Not signed yet. Coffer signs when it starts the next time.", Note: shown.Note,
		Printed: "Shown to " + c.agent.Name() + ", " + s.Now().In(s.Zone).Format("2006-01-02 15:04"),
	}
	if shown.Last > shown.After {
		v.Entries = group(shown.After+1) + " to " + group(shown.Last)
	}
	if shown.Signed {
		v.Signed = "The audit trail was signed over " + group(shown.Size) + " events, this seal among them, " + shown.SignedAt.In(s.Zone).Format("2006-01-02 15:04:05")
	}
	if shown.Number > 1 {
		v.Before = "/days/" + strconv.FormatUint(shown.Number-1, 10)
	}
	for _, item := range shown.Items {
		row := itemRow{
			item.Entry.String(), group(item.Number), item.At.In(s.Zone).Format("2006-01-02 15:04"), item.Label, string(item.Sub), item.Amount.String(), "",
		}
		if item.Label == "Reversal" {
			row.What = "Reversal: " + classNames[item.Class]
		}
		if item.Late {
			row.Late = "late"
		}
		v.Items = append(v.Items, row)
	}
	if !c.agent.May(access.BooksRead) {
		for i := range v.Items {
			v.Items[i].ID = ""
		}
	}
	return render(c, daySheetPage, http.StatusOK, v)
}
