package ui

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"coffer/firmware-config"
	"coffer/internal/access"
	"coffer/internal/custody"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ops"
)

// terminalsView is the page of the card terminals and the register of devices.
// It has no amounts and no clients.
type terminalsView struct {
	Problem, Done       string
	Terminals           []connectionRow
	Devices             []deviceRow
	Models              []choice
	Policy              custody.Policy
	MayWrite, MayDecide bool
}

// connectionRow is one connection at which a terminal is expected.
type connectionRow struct {
	ID, Name, Serial, Model, Software string
	State                             pill
	Words                             string
	Since                             string
	New, Swap                         bool // a device answers that is not registered; another one than the registered
	Blocked                           bool // the page Appliance says what is due, and puts it back to work
}

type deviceRow struct {
	ID, Serial, Model, Location, Terminal string
	State, Due                            pill
}

var statusPills = map[custody.Status]pill{
	custody.Deployed: {"Deployed", "good"}, custody.Awaiting: {"Awaiting deployment", ""}, custody.Repair: {"In repair, or not in use", "warm"},
	custody.Transit: {"In transit", "warm"}, custody.Retired: {"Retired", ""},
}

// duePill says when a device is to be inspected, and what is wrong with it.
func duePill(d custody.Device) pill {
	switch {
	case d.Failed:
		return pill{"Failed its inspection", "bad"}
	case d.Status != custody.Deployed:
		return pill{}
	case d.Overdue:
		return pill{"Overdue since " + d.Due, "bad"}
	case d.Unknown:
		return pill{"Its software was not accepted", "warm"}
	}
	return pill{"By " + d.Due, "good"}
}

// GET /terminals
func (s *server) terminals(c *call) error { return s.terminalsAgain(c, nil) }

// terminalsDone are the acts of the page, in words.
var terminalsDone = map[string]string{
	"pair": "The terminal is registered and deployed.", "swap": "The old device is retired; the new one is deployed.",
	"receive": "The device is on the register and waits for its deployment.", "policy": "The policy is in force.",
}

// terminalsAgain shows the page, with what is wrong if something is.
func (s *server) terminalsAgain(c *call, problem error) error {
	kind := fault.KindOf(problem)
	if problem != nil && kind != fault.Invalid && kind != fault.Conflict && kind != fault.Unavailable {
		return problem
	}
	l, err := s.Ops.TerminalList(c.Request().Context(), c.agent)
	if err != nil {
		return err
	}
	v := terminalsView{
		Done: terminalsDone[c.QueryParam("done")], Policy: l.Policy,
		MayWrite: c.agent.May(access.CustodyWrite), MayDecide: c.agent.May(access.CustodyPolicy),
	}
	for _, id := range firmwareconfig.IDs() {
		v.Models = append(v.Models, choice{ID: id, Name: id})
	}
	for i, t := range l.Terminals {
		v.Terminals = append(v.Terminals, s.connectionRow(i, t))
	}
	for _, d := range l.Devices {
		v.Devices = append(v.Devices, deviceRow{
			ID: d.ID.String(), Serial: d.Serial, Model: d.Vendor + " " + d.Model, Location: d.Location, Terminal: d.Name,
			State: statusPills[d.Status], Due: duePill(d),
		})
	}
	if problem == nil {
		return render(c, terminalsPage, http.StatusOK, v)
	}
	v.Problem = fault.Message(problem)
	s.logFailure(c, problem, kind, reference())
	return render(c, terminalsPage, kind.HTTPStatus(), v)
}

func (s *server) connectionRow(i int, t ops.TerminalRow) connectionRow {
	row := connectionRow{
		ID: strconv.Itoa(i), Name: t.Name, Serial: t.Serial, Model: t.Model, Software: t.App,
		State: pill{"Ready", "good"}, Words: "Ready.", Since: s.moment(t.Since),
	}
	if t.Reason != nil {
		row.State, row.Words = pill{"Blocked", "bad"}, t.Reason.Words
		row.New, row.Swap = t.Reason.Code == ops.NotRegistered, t.Reason.Code == ops.Substitution
	}
	if !t.Attached {
		row.State = pill{"Unplugged", "bad"}
	}
	row.Blocked = t.Quarantined && !row.New && !row.Swap
	return row
}

// POST /terminals/pair deploys the device that answers at a connection, or swaps
// it for the one that was deployed there.
func (s *server) pairTerminal(c *call) error {
	q := ops.PairingAsked{
		Name: c.FormValue("terminal"), Label: c.FormValue("label"), Location: c.FormValue("location"),
		Solution: c.FormValue("solution"), Keys: c.FormValue("keys"), Swap: c.FormValue("swap"),
	}
	if c.FormValue("swapping") != "" && q.Swap == "" {
		return s.terminalsAgain(c, custody.ErrReason)
	}
	if _, err := s.Ops.TerminalPair(c.Request().Context(), c.agent, q); err != nil {
		return s.terminalsAgain(c, err)
	}
	done := "pair"
	if q.Swap != "" {
		done = "swap"
	}
	return c.Redirect(http.StatusSeeOther, "/terminals?done="+done)
}

// POST /terminals/receive puts a device on the register that has come.
func (s *server) receiveDevice(c *call) error {
	_, err := s.Register.Receive(c.Request().Context(), c.agent, custody.Arrival{
		Serial: c.FormValue("serial"), Profile: c.FormValue("profile"), Location: c.FormValue("location"),
		Solution: c.FormValue("solution"), Keys: c.FormValue("keys"), Shipment: shipment(c),
	})
	if err != nil {
		return s.terminalsAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, "/terminals?done=receive")
}

func shipment(c *call) custody.Shipment {
	return custody.Shipment{Tracking: c.FormValue("tracking"), Bag: c.FormValue("bag"), Intact: c.FormValue("intact") == "yes"}
}

// POST /terminals/policy puts a policy of inspections in force.
func (s *server) setInspectionPolicy(c *call) error {
	days, err := strconv.Atoi(c.FormValue("days"))
	if err != nil {
		return s.terminalsAgain(c, custody.ErrPolicy)
	}
	err = s.Register.SetPolicy(c.Request().Context(), c.agent, custody.Policy{
		Days: days, Reason: c.FormValue("reason"), Overdue: custody.Overdue(c.FormValue("overdue")), Firmware: custody.Firmware(c.FormValue("firmware")),
	})
	if err != nil {
		return s.terminalsAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, "/terminals?done=policy")
}

// deviceView is the page of one device.
type deviceView struct {
	Problem, Done                 string
	ID, Serial                    string
	State, Due                    pill
	Facts                         []fact
	Steps                         []stepRow
	Log                           []logRow
	Inspections                   []inspectionRow
	MayWrite, MayReturn, MayLeave bool // MayLeave: it is here
	Unknown                       bool
}

type stepRow struct {
	ID, Question, How string
	Serial, Note      bool
	Picture           bool
}

type logRow struct{ When, By, What, Where, Details string }

type inspectionRow struct {
	When, By string
	Result   pill
	Answers  []fact
	Photo    string // address; empty: none
}

// GET /devices/:id
func (s *server) device(c *call) error { return s.deviceAgain(c, nil) }

// deviceAgain shows the page of a device, with what is wrong if something is.
func (s *server) deviceAgain(c *call, problem error) error {
	kind := fault.KindOf(problem)
	if problem != nil && kind != fault.Invalid && kind != fault.Conflict {
		return problem
	}
	id, err := ident.Parse[ident.Device](c.Param("id"))
	if err != nil {
		return err
	}
	h, err := s.Register.One(c.Request().Context(), c.agent, id)
	if err != nil {
		return err
	}
	v := s.deviceView(h, c.agent)
	v.Done = devicesDone[c.QueryParam("done")]
	if v.Steps, err = s.stepRows(h.Device); err != nil {
		return err
	}
	if problem == nil {
		return render(c, devicePage, http.StatusOK, v)
	}
	v.Problem = fault.Message(problem)
	s.logFailure(c, problem, kind, reference())
	return render(c, devicePage, kind.HTTPStatus(), v)
}

var devicesDone = map[string]string{
	"act": "It stands in the custody log.", "passed": "The inspection is kept: the device has passed.",
	"failed": "The inspection is kept: the device has failed, and takes no payment any more. Take it away and tell the processor.",
}

func (s *server) deviceView(h custody.History, agent access.Agent) deviceView {
	v := deviceView{
		ID: h.ID.String(), Serial: h.Serial, State: statusPills[h.Status], Due: duePill(h.Device),
		MayWrite: agent.May(access.CustodyWrite) && h.Status != custody.Retired, Unknown: h.Unknown,
		MayReturn: h.Status == custody.Repair || h.Status == custody.Transit, MayLeave: h.Status == custody.Deployed || h.Status == custody.Awaiting,
		Facts: []fact{
			{Name: "Model", Value: h.Vendor + " " + h.Model + " (" + h.Profile + ")"}, {Name: "Location", Value: h.Location},
			{Name: "Terminal", Value: h.Name}, {Name: "P2PE solution", Value: h.Solution}, {Name: "Keys injected", Value: h.Keys},
		},
	}
	for _, seen := range h.Seen {
		v.Facts = append(v.Facts, fact{Name: "Software", Value: seen.App + ", " + seen.OS})
	}
	for _, e := range h.Log {
		v.Log = append(v.Log, s.logRow(e))
	}
	for _, i := range h.Inspections {
		v.Inspections = append(v.Inspections, s.inspectionRow(i))
	}
	return v
}

func (s *server) logRow(e custody.Entry) logRow {
	row := logRow{When: s.moment(e.At), By: e.By, What: custodyWords[e.What], Where: e.Location}
	for _, one := range []fact{{Name: "terminal ", Value: e.Terminal}, {Name: "shipment ", Value: e.Tracking}, {Name: "bag ", Value: e.Bag}, {Name: "other device ", Value: e.OtherLabel}, {Value: e.Why}} {
		if one.Value != "" && row.Details != "" {
			row.Details += " · "
		}
		if one.Value != "" {
			row.Details += one.Name + one.Value
		}
	}
	return row
}

var custodyWords = map[custody.What]string{
	custody.Received: "Received", custody.Paired: "Deployed", custody.Moved: "Moved", custody.Sent: "Sent", custody.Returned: "Returned",
	custody.SwappedIn: "Deployed in a swap", custody.SwappedOut: "Retired in a swap", custody.Accepted: "Software accepted", custody.GivenUp: "Retired",
}

func (s *server) inspectionRow(i custody.Inspection) inspectionRow {
	row := inspectionRow{When: s.moment(i.At), By: i.By, Result: pill{"Passed", "good"}}
	if !i.Passed {
		row.Result = pill{"Failed", "bad"}
	}
	for _, a := range i.Answers {
		answer := "yes"
		if !a.OK {
			answer = "NO"
		}
		if a.Text != "" {
			answer += ": " + a.Text
		}
		row.Answers = append(row.Answers, fact{Name: title(a.Step), Value: answer})
	}
	if i.Hash != "" {
		row.Photo = "/devices/" + i.Device.String() + "/photos/" + strconv.FormatUint(i.Number, 10)
	}
	return row
}

func (s *server) stepRows(d custody.Device) ([]stepRow, error) {
	steps, err := s.Register.Steps(d)
	var rows []stepRow
	for _, one := range steps {
		rows = append(rows, stepRow{one.ID, one.Question, one.How, one.Kind == firmwareconfig.StepSerial, one.Note, one.Picture != nil})
	}
	return rows, err
}

// POST /devices/:id/act moves a device, sends it away, takes it back, retires
// it or accepts its software.
func (s *server) deviceAct(c *call) error {
	id, err := ident.Parse[ident.Device](c.Param("id"))
	if err != nil {
		return err
	}
	ctx, r, why := c.Request().Context(), s.Register, c.FormValue("why")
	switch c.FormValue("act") {
	case "move":
		err = r.Move(ctx, c.agent, id, c.FormValue("location"), why)
	case "repair":
		err = r.Send(ctx, c.agent, id, custody.Repair, c.FormValue("tracking"), why)
	case "transit":
		err = r.Send(ctx, c.agent, id, custody.Transit, c.FormValue("tracking"), why)
	case "return":
		err = r.Return(ctx, c.agent, id, c.FormValue("location"), shipment(c))
	case "retire":
		err = r.Retire(ctx, c.agent, id, why)
	case "accept":
		err = r.Accept(ctx, c.agent, id, why)
	default:
		return errForm
	}
	if err != nil {
		return s.deviceAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, "/devices/"+id.String()+"?done=act")
}

// POST /devices/:id/inspect keeps an inspection.
func (s *server) inspectDevice(c *call) error {
	id, err := ident.Parse[ident.Device](c.Param("id"))
	if err != nil {
		return err
	}
	h, err := s.Register.One(c.Request().Context(), c.agent, id)
	if err != nil {
		return err
	}
	steps, err := s.Register.Steps(h.Device)
	if err != nil {
		return err
	}
	var answers []custody.Answer
	for _, one := range steps {
		said := c.FormValue("step-" + one.ID)
		text := c.FormValue("text-" + one.ID)
		if said == "" && one.Kind == firmwareconfig.StepCheck {
			return s.deviceAgain(c, custody.ErrAnswers)
		}
		answers = append(answers, custody.Answer{Step: one.ID, OK: said == "yes", Text: text})
	}
	photo, err := photoOf(c)
	if err != nil {
		return s.deviceAgain(c, err)
	}
	passed, err := s.Register.Inspect(c.Request().Context(), c.agent, id, answers, photo)
	if err != nil {
		return s.deviceAgain(c, err)
	}
	done := "failed"
	if passed {
		done = "passed"
	}
	return c.Redirect(http.StatusSeeOther, "/devices/"+id.String()+"?done="+done)
}

// photoOf returns the photo of a form; nil when none was chosen. It is held in
// memory only.
func photoOf(c *call) ([]byte, error) {
	head, err := c.FormFile("photo")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) || err == nil && head.Size == 0 {
		return nil, nil
	}
	if err != nil || head.Size > custody.PhotoBytesMax {
		return nil, custody.ErrPhoto
	}
	f, err := head.Open()
	if err != nil {
		return nil, custody.ErrPhoto
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, custody.ErrPhoto
	}
	return b, nil
}

// GET /devices/:id/photos/:number
func (s *server) devicePhoto(c *call) error {
	id, err := ident.Parse[ident.Device](c.Param("id"))
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(c.Param("number"), 10, 64)
	if err != nil {
		return custody.ErrPhotoNone
	}
	jpeg, err := s.Register.PhotoOf(c.Request().Context(), c.agent, id, number)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "image/jpeg", jpeg)
}
