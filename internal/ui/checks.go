package ui

import (
	"net/http"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/till"
)

// checksView lists the checks that wait for the bank, and the latest slips.
type checksView struct {
	Command    string
	Waiting    []paperRow
	Total      string
	MayDeposit bool
	MayReturn  bool
	Slips      []slipRow
	Fee        string
	Done       string
	Problem    string
}

// paperRow is a check by its account number.
type paperRow struct {
	ID, Number, Account, Amount, Taken string
	Bounced                            bool
	Command                            string // for its return
}

// slipRow is a deposit slip.
type slipRow struct {
	Number           uint64
	When, By, Amount string
	Checks           []paperRow
}

// slipsShown is how many slips the page lists.
const slipsShown = 20

// feeUsual is what the form presets as the fee for a returned check.
const feeUsual = "25.00"

var checkDone = map[string]string{
	"deposit": "The checks are on their slip. Take it to the bank with them.",
	"return":  "The check is recorded as returned. What it had paid is due again, with the fee.",
}

// GET /checks
func (s *server) checks(c *call) error {
	v, err := s.checksView(c)
	if err != nil {
		return err
	}
	v.Done = checkDone[c.QueryParam("done")]
	return render(c, checksPage, http.StatusOK, v)
}

func (s *server) checksView(c *call) (checksView, error) {
	waiting, slips, err := s.Till.Checks(c.Request().Context(), c.agent, slipsShown)
	if err != nil {
		return checksView{}, err
	}
	v := checksView{
		Command: s.newCommand(), Fee: feeUsual,
		MayDeposit: c.agent.May(access.CheckDeposit), MayReturn: c.agent.May(access.CheckReturn),
	}
	var total money.Amount
	for _, one := range waiting {
		total += one.Amount
		v.Waiting = append(v.Waiting, s.paperRow(one))
	}
	v.Total = total.String()
	for _, slip := range slips {
		row := slipRow{Number: slip.Number, When: s.moment(slip.At), By: slip.By, Amount: slip.Amount.String()}
		for _, one := range slip.Checks {
			row.Checks = append(row.Checks, s.paperRow(one))
		}
		v.Slips = append(v.Slips, row)
	}
	return v, nil
}

// newCommand returns a command identifier for a form.
func (s *server) newCommand() string { return ident.New[ident.Command](s.Now()).String() }

func (s *server) paperRow(one till.PaperCheck) paperRow {
	return paperRow{one.ID.String(), one.Number, one.Account, one.Amount.String(), s.moment(one.Taken), one.Bounced, s.newCommand()}
}

// checksAgain shows the page with what is wrong.
func (s *server) checksAgain(c *call, problem error) error {
	kind := fault.KindOf(problem)
	if kind != fault.Invalid && kind != fault.Conflict && problem != error(till.ErrTookToday) {
		return problem
	}
	v, err := s.checksView(c)
	if err != nil {
		return err
	}
	v.Problem = fault.Message(problem)
	s.logFailure(c, problem, kind, reference())
	return render(c, checksPage, kind.HTTPStatus(), v)
}

// POST /checks/deposit puts the chosen checks on one slip.
func (s *server) depositChecks(c *call) error {
	command, err := commandOf(c)
	if err != nil {
		return err
	}
	form, err := c.FormParams()
	if err != nil {
		return errForm
	}
	var ids []ident.ID[ident.Attempt]
	for _, text := range form["check"] {
		id, err := ident.Parse[ident.Attempt](text)
		if err != nil {
			return errForm
		}
		ids = append(ids, id)
	}
	if _, err := s.Till.Deposit(c.Request().Context(), c.agent, command, ids); err != nil {
		return s.checksAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, "/checks?done=deposit")
}

// POST /checks/:id/return records that the bank returned a check.
func (s *server) returnCheck(c *call) error {
	command, err := commandOf(c)
	if err != nil {
		return err
	}
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return err
	}
	fee, err := money.Parse(c.FormValue("fee"))
	if err == nil {
		err = s.Till.ReturnCheck(c.Request().Context(), c.agent, till.CheckReturn{Command: command, Attempt: id, Fee: fee})
	}
	if err != nil {
		return s.checksAgain(c, err)
	}
	s.bell.Ring(topicDay)
	return c.Redirect(http.StatusSeeOther, "/checks?done=return")
}
