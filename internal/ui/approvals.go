package ui

import (
	"cmp"
	"context"
	"net/http"

	"coffer/internal/access"
	"coffer/internal/billing"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/till"
)

// approvalsView lists what waits for a second person, or to be carried out.
type approvalsView struct {
	Rows    []actLine
	Done    string
	Problem string
}

// actLine is one act, by account number.
type actLine struct {
	ID, Command, CSRF     string
	What, Amount, Account string
	State                 pill
	Said                  string // who asks for it, and who approved it
	Facts                 []fact
	Payment               string // path of the payment, for those who may see it
	Mine                  bool
	Approve               string // word of the address that approves it
	MayDecide, MayCarry   bool
}

// actWhat name what is to be done.
var actWhat = map[access.Action]string{
	access.PaymentVoid: "Void", access.PaymentRefund: "Refund", access.AccountAdjust: "Adjustment",
}

var approvalDone = map[string]string{
	"approve": "It is approved. Who asked for it can carry it out now.", "post": "It is approved and posted.", "refuse": "It is refused, and ends here.", "withdraw": "It is withdrawn.",
}

// toApprove returns how many acts wait for the agent's decision; none for who
// may not approve.
func (s *server) toApprove(c *call) (int, error) {
	if !c.agent.May(access.ActApprove) {
		return 0, nil
	}
	list, err := s.Acts.Open(c.Request().Context(), c.agent)
	n := 0
	for _, act := range list {
		if act.State == duty.Proposed && !act.Mine {
			n++
		}
	}
	return n, err
}

// GET /approvals
func (s *server) approvals(c *call) error {
	v, err := s.approvalsView(c)
	if err != nil {
		return err
	}
	v.Done = approvalDone[c.QueryParam("done")]
	return render(c, approvalsPage, http.StatusOK, v)
}

func (s *server) approvalsView(c *call) (approvalsView, error) {
	var v approvalsView
	list, err := s.Acts.Open(c.Request().Context(), c.agent)
	for _, act := range list {
		v.Rows = append(v.Rows, s.actLine(c, act))
	}
	return v, err
}

func (s *server) actLine(c *call, act duty.Shown) actLine {
	line := actLine{
		ID: act.ID.String(), Command: s.newCommand(), CSRF: csrfToken(c.cookie), What: actWhat[act.Action], Amount: act.Amount.String(), Account: act.Account,
		State: pill{"Waits for approval", "warm"}, Said: act.By + " asked for it, " + s.moment(act.At) + ".", Mine: act.Mine,
		MayDecide: act.State == duty.Proposed && !act.Mine && c.agent.May(access.ActApprove),
		MayCarry:  act.State == duty.Approved && c.agent.May(act.Action),
		Approve:   "approve",
	}
	if act.Action == access.AccountAdjust {
		line.Approve = "post"
	}
	if act.State == duty.Approved {
		line.State = pill{"Approved", "good"}
		line.Said += " " + act.Second + " approved it, " + s.moment(act.Ended) + "."
	}
	if !act.Payment.IsZero() && c.agent.May(access.PaymentRead) {
		line.Payment = "/payments/" + act.Payment.String()
	}
	line.Facts = s.actFacts(act)
	return line
}

// actFacts is what a person needs who decides about an act.
func (s *server) actFacts(act duty.Shown) []fact {
	var facts []fact
	add := func(when bool, name, value string) {
		if when {
			facts = append(facts, fact{Name: name, Value: value})
		}
	}
	add(true, "Why", cmp.Or(reasonGiven[till.Reason(act.Reason)], reasonAdjusted[billing.Reason(act.Reason)]))
	add(act.To != "", "Posted to", act.To)
	add(!act.Note.IsZero(), "Note", act.Note.Reveal())
	add(act.Receipt != 0, "Of receipt", "No. "+fault.Int(act.Receipt).SafeString())
	add(act.Paid != 0, "Paid", act.Paid.String()+" by "+act.Tender)
	add(act.Taker != "", "Taken by", act.Taker)
	add(act.Check != "", "Number of the clinic’s check", act.Check)
	add(true, "Ends by itself", s.moment(act.At.Add(duty.OpenFor)))
	return facts
}

// decide carries one person's decision about an act out.
func (s *server) decide(c *call, word string, how func(context.Context, access.Agent, ident.ID[ident.Act]) error) error {
	id, err := ident.Parse[ident.Act](c.Param("id"))
	if err == nil {
		err = how(c.Request().Context(), c.agent, id)
	}
	if err != nil {
		return s.approvalsAgain(c, err)
	}
	s.bell.Ring(topicDay)
	return c.Redirect(http.StatusSeeOther, "/approvals?done="+word)
}

// POST /approvals/:id/approve
func (s *server) approve(c *call) error { return s.decide(c, "approve", s.Acts.Approve) }

// POST /approvals/:id/post approves an adjustment, which is posted with it.
func (s *server) approveAdjustment(c *call) error { return s.decide(c, "post", s.Billing.Approve) }

// POST /approvals/:id/refuse
func (s *server) refuse(c *call) error { return s.decide(c, "refuse", s.Acts.Refuse) }

// POST /approvals/:id/withdraw
func (s *server) withdraw(c *call) error { return s.decide(c, "withdraw", s.Acts.Withdraw) }

// approvalsAgain shows the page with what is wrong.
func (s *server) approvalsAgain(c *call, problem error) error {
	kind := fault.KindOf(problem)
	switch kind {
	case fault.Invalid, fault.Conflict, fault.Denied, fault.NotFound, fault.Unavailable:
	default:
		return problem
	}
	v, err := s.approvalsView(c)
	if err != nil {
		return err
	}
	v.Problem = fault.Message(problem)
	s.logFailure(c, problem, kind, reference())
	return render(c, approvalsPage, kind.HTTPStatus(), v)
}

// POST /approvals/:id/carry-out does what was approved.
func (s *server) carryOut(c *call) error {
	id, err := ident.Parse[ident.Act](c.Param("id"))
	if err != nil {
		return err
	}
	command, err := commandOf(c)
	if err != nil {
		return err
	}
	attempt, err := s.Till.CarryOut(c.Request().Context(), c.agent, id, command, ident.ID[ident.Terminal]{})
	if err != nil {
		return s.approvalsAgain(c, err)
	}
	s.bell.Ring(topicDay)
	return c.Redirect(http.StatusSeeOther, "/payments/"+attempt.String())
}
