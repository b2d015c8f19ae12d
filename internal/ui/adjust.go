package ui

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"coffer/internal/billing"
	"coffer/internal/books"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/roster"
)

// adjustView asks why less is asked for than was charged. It knows the client
// by account number.
type adjustView struct {
	Account, Command    string
	Open                []choice // charges
	Total               string
	Reasons             []choice
	Amount, Note        string
	Rule, Done, Problem string
}

// reasonAdjusted say why less is asked for.
var reasonAdjusted = map[billing.Reason]string{
	billing.ReasonCourtesy: "Courtesy or pro bono", billing.ReasonWaived: "The fee is waived",
	billing.ReasonSmall: "Write-off of a small balance", billing.ReasonBadDebt: "Write-off: it cannot be collected",
}

var adjustDone = map[string]string{
	"post": "It is posted. The client owes that much less.", "ask": "A second person must approve it. It waits on the page “Approvals”.",
}

// GET /adjust
func (s *server) adjustForm(c *call) error {
	v, err := s.adjustView(c, c.QueryParam("account"))
	if err != nil {
		return err
	}
	v.Done = adjustDone[c.QueryParam("done")]
	status := http.StatusOK
	if v.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	return render(c, adjustPage, status, v)
}

func (s *server) adjustView(c *call, account string) (adjustView, error) {
	account = strings.ToUpper(strings.TrimSpace(account))
	v := adjustView{Account: account, Command: s.newCommand(), Rule: "Alone you can adjust up to " + s.Till.Limits().Adjust.String() +
		" of an account on one day. Anything else waits until a second person approves it."}
	if account == "" {
		return v, nil
	}
	items, err := s.Billing.Owed(c.Request().Context(), c.agent, roster.Account(account))
	if errors.Is(err, roster.ErrNoClient) {
		v.Problem, v.Account = "There is no such account. Enter a number such as P-004217.", ""
		return v, nil
	}
	if err != nil {
		return v, err
	}
	var total money.Amount
	for _, item := range items {
		total += item.Open
		v.Open = append(v.Open, choice{ID: item.Entry.String(), Name: openWords(item)})
	}
	v.Total, v.Amount = total.String(), total.String()
	for _, r := range billing.Reasons {
		v.Reasons = append(v.Reasons, choice{ID: string(r), Name: reasonAdjusted[r]})
	}
	return v, nil
}

func openWords(item books.Item) string {
	return item.Effective.String() + " · " + item.Event.Label() + " · " + item.Open.String() + " open"
}

// POST /adjust posts the adjustment, or asks a second person.
func (s *server) adjust(c *call) error {
	a, err := readAdjustment(c)
	if err != nil {
		return s.adjustAgain(c, err)
	}
	ctx, done := c.Request().Context(), "post"
	err = s.Billing.Adjust(ctx, c.agent, a)
	if errors.Is(err, duty.ErrSecond) {
		err, done = s.Billing.Propose(ctx, c.agent, a), "ask"
	}
	if err != nil {
		return s.adjustAgain(c, err)
	}
	s.bell.Ring(topicDay)
	return c.Redirect(http.StatusSeeOther, "/adjust?done="+done+"&account="+url.QueryEscape(string(a.Account)))
}

func readAdjustment(c *call) (billing.Adjustment, error) {
	a := billing.Adjustment{
		Account: roster.Account(c.FormValue("account")), Reason: billing.Reason(c.FormValue("reason")), Note: phi.NewText(c.FormValue("note")),
	}
	var err error
	if a.Command, err = commandOf(c); err != nil {
		return a, err
	}
	if text := c.FormValue("against"); text != "" {
		if a.Against, err = ident.Parse[ident.Entry](text); err != nil {
			return a, errForm
		}
	}
	a.Amount, err = money.Parse(c.FormValue("amount"))
	return a, err
}

// adjustAgain shows the form with what was entered and what is wrong with it.
func (s *server) adjustAgain(c *call, problem error) error {
	kind := fault.KindOf(problem)
	known := kind == fault.Invalid || kind == fault.Conflict || errors.Is(problem, billing.ErrTookToday)
	if !known || errors.Is(problem, errForm) {
		return problem
	}
	v, err := s.adjustView(c, c.FormValue("account"))
	if err != nil {
		return err
	}
	v.Amount, v.Note, v.Problem = c.FormValue("amount"), c.FormValue("note"), fault.Message(problem)
	for i := range v.Reasons {
		v.Reasons[i].Chosen = v.Reasons[i].ID == c.FormValue("reason")
	}
	for i := range v.Open {
		v.Open[i].Chosen = v.Open[i].ID == c.FormValue("against")
	}
	s.logFailure(c, problem, kind, reference())
	return render(c, adjustPage, kind.HTTPStatus(), v)
}
