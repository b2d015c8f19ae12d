package ui

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/roster"
	"coffer/internal/till"
)

// payView asks for a payment: from whom, how much, by what means.
type payView struct {
	State         string
	Client        string
	Name, Account string
	DueWords      string
	Due           string // for the form to send back
	Amount        string
	Check         string // its number
	Command       string
	Terminals     []terminalChoice
	Instead       string // why another terminal than the usual one is chosen, or none
	Tenders       []tenderButton
	Problem       string
	AskOver       bool // more than what is due: a person must say so
	Over          string
	AskSecond     bool // the same amount a moment ago: a person must say so
	Locked        bool // another payment of this client is open
}

// tenderButton takes the payment by one means. The first is what Enter does.
type tenderButton struct {
	Value, Label string
	First        bool
}

type terminalChoice struct {
	ID, Name    string
	Words, Next string
	Ready       bool
	Chosen      bool
}

// payForm is what a browser sends to take a payment.
type payForm struct {
	command  ident.ID[ident.Command]
	client   ident.ID[ident.Client]
	terminal ident.ID[ident.Terminal]
	amount   money.Amount
	due      money.Amount // what the page showed as due
	typed    string
	check    string // number of a check
	tender   till.Tender
	over     bool
	second   bool
}

var errOver = fault.New(fault.Invalid, "That is more than is due. Correct the amount, or tick the box to keep the rest as credit.")

// GET /clients/:id/pay
func (s *server) payForm(c *call) error {
	id, err := ident.Parse[ident.Client](c.Param("id"))
	if err != nil {
		return err
	}
	v, err := s.askPayment(c, id)
	if err != nil {
		return err
	}
	if again, err := money.Parse(c.QueryParam("amount")); err == nil && again > 0 {
		v.Amount = again.String()
	}
	v.Tenders = tenderButtons(v.Terminals, till.Tender(c.QueryParam("tender")))
	return both(c, payPage, payPanel, http.StatusOK, v)
}

// askPayment makes the question for one client: what is due is preset.
func (s *server) askPayment(c *call, id ident.ID[ident.Client]) (payView, error) {
	ctx := c.Request().Context()
	client, err := s.Roster.Client(ctx, c.agent, id)
	if err != nil {
		return payView{}, err
	}
	return s.askPaymentOf(ctx, c, client)
}

func (s *server) askPaymentOf(ctx context.Context, c *call, client roster.Client) (payView, error) {
	due, err := s.due(ctx, c, client)
	if err != nil {
		return payView{}, err
	}
	terminals, err := s.Till.Terminals(ctx, c.agent)
	if err != nil {
		return payView{}, err
	}
	command := ident.New[ident.Command](s.Now()).String()
	v := payView{
		State: "ask-" + command, Command: command, Client: client.ID.String(), Name: client.Name.Reveal(),
		Account: string(client.Account), DueWords: balance(due) + " due", Due: due.String(), Terminals: terminalChoices(terminals, usual(terminals)),
	}
	v.Instead, v.Tenders = instead(terminals, v.Terminals), tenderButtons(v.Terminals, till.TenderCard)
	if due > 0 {
		v.Amount = due.String()
	}
	return v, nil
}

// terminalChoices lists the terminals. The one that is wanted is chosen if it is
// ready; else the first that is.
func terminalChoices(all []till.TerminalStatus, wanted string) []terminalChoice {
	var choices []terminalChoice
	chosen := -1
	for i, t := range all {
		if t.Ready && (chosen < 0 || t.ID.String() == wanted) {
			chosen = i
		}
		choices = append(choices, terminalChoice{ID: t.ID.String(), Name: t.Name, Words: t.Words, Next: t.Next, Ready: t.Ready})
	}
	if chosen >= 0 {
		choices[chosen].Chosen = true
	}
	return choices
}

// usual returns the terminal at which the one who asks took the latest payment.
func usual(all []till.TerminalStatus) string {
	for _, t := range all {
		if t.Usual {
			return t.ID.String()
		}
	}
	return ""
}

// instead says why the usual terminal, or any, is not chosen; empty when it is.
func instead(all []till.TerminalStatus, choices []terminalChoice) string {
	chosen := ""
	for _, one := range choices {
		if one.Chosen {
			chosen = one.Name
		}
	}
	for _, t := range all {
		if t.Usual && !t.Ready && chosen != "" {
			return t.Name + ": " + t.Words + " " + chosen + " is chosen instead."
		}
	}
	if chosen == "" && len(all) > 0 {
		return "No terminal can take a card now. Take cash or a check, or wait."
	}
	return ""
}

// tenderButtons are the means of payment, the wanted one first; without a
// terminal that is ready, a card is not what Enter does.
func tenderButtons(terminals []terminalChoice, wanted till.Tender) []tenderButton {
	ready := false
	for _, one := range terminals {
		ready = ready || one.Chosen
	}
	all := []tenderButton{{Value: string(till.TenderCash), Label: "Take cash"}, {Value: string(till.TenderCheck), Label: "Take check"}}
	card := tenderButton{Value: string(till.TenderCard), Label: "Charge card"}
	switch {
	case ready && wanted != till.TenderCash && wanted != till.TenderCheck:
		all = append([]tenderButton{card}, all...)
	case len(terminals) > 0:
		all = append(all, card)
	}
	if wanted == till.TenderCheck {
		all[0], all[1] = all[1], all[0]
	}
	all[0].First = true
	return all
}

// POST /payments
func (s *server) pay(c *call) error {
	form, problem := readPayForm(c)
	if form.client.IsZero() || form.command.IsZero() {
		return errForm
	}
	if problem == nil && form.overDue() > 0 && !form.over {
		problem = errOver
	}
	if problem == nil {
		attempt, err := s.take(c, form)
		if err == nil {
			return s.toPayment(c, attempt)
		}
		problem = err
	}
	return s.askAgain(c, form, problem)
}

func readPayForm(c *call) (payForm, error) {
	tender := till.Tender(c.FormValue("tender"))
	form := payForm{
		typed: c.FormValue("amount"), check: strings.TrimSpace(c.FormValue("check")), tender: tender,
		over: c.FormValue("over") == "yes", second: c.FormValue("second") == "yes",
	}
	if tender != till.TenderCard && tender != till.TenderCash && tender != till.TenderCheck {
		return form, errForm
	}
	var err error
	if form.due, err = money.Parse(c.FormValue("due")); err != nil {
		form.due = 0 // nothing was due, or a credit
	}
	if form.command, err = ident.Parse[ident.Command](c.FormValue("command")); err != nil {
		return form, errForm
	}
	if form.client, err = ident.Parse[ident.Client](c.FormValue("client")); err != nil {
		return form, errForm
	}
	if form.tender == till.TenderCard {
		if form.terminal, err = ident.Parse[ident.Terminal](c.FormValue("terminal")); err != nil {
			return form, till.ErrNoTerminal
		}
	}
	if form.amount, err = money.Parse(form.typed); err != nil {
		return form, err
	}
	if form.amount <= 0 {
		return form, till.ErrAmount
	}
	return form, nil
}

// overDue returns how much more than what the page showed as due is to be
// taken. A page asks back then: it is how a slipped decimal point looks.
func (f payForm) overDue() money.Amount { return f.amount - max(f.due, 0) }

func (s *server) take(c *call, form payForm) (ident.ID[ident.Attempt], error) {
	ctx := c.Request().Context()
	if form.tender == till.TenderCard {
		return s.Till.Begin(ctx, c.agent, till.Sale{
			Command: form.command, Client: form.client, Amount: form.amount,
			Terminal: form.terminal, ConfirmDuplicate: form.second, DueOnly: !form.over,
		})
	}
	attempt, err := s.takeAtDesk(ctx, c, form)
	if err == nil {
		s.bell.Ring(topicDay)
	}
	return attempt, err
}

func (s *server) takeAtDesk(ctx context.Context, c *call, form payForm) (ident.ID[ident.Attempt], error) {
	if form.tender == till.TenderCheck {
		return s.Till.TakeCheck(ctx, c.agent, till.CheckSale{
			Command: form.command, Client: form.client, Amount: form.amount, Number: form.check, ConfirmDuplicate: form.second, DueOnly: !form.over,
		})
	}
	return s.Till.Cash(ctx, c.agent, till.CashSale{
		Command: form.command, Client: form.client, Amount: form.amount, ConfirmDuplicate: form.second, DueOnly: !form.over,
	})
}

// askAgain shows the question with what was typed and what is wrong with it.
// Nothing was recorded, so the same command may be sent again.
func (s *server) askAgain(c *call, form payForm, problem error) error {
	kind := fault.KindOf(problem)
	switch kind {
	case fault.Invalid, fault.Conflict, fault.Unavailable:
	default:
		return problem
	}
	if errors.Is(problem, errForm) {
		return problem
	}
	v, err := s.askPayment(c, form.client)
	if err != nil {
		return err
	}
	v.Command, v.State = form.command.String(), "ask-again-"+reference()
	v.Check, v.Amount, v.Problem = form.check, form.typed, fault.Message(problem)
	v.AskOver = errors.Is(problem, errOver) || errors.Is(problem, till.ErrOverDue) || form.over
	v.AskSecond = errors.Is(problem, till.ErrDuplicate) || form.second
	v.Locked = errors.Is(problem, till.ErrLocked)
	if form.due, err = money.Parse(v.Due); err != nil {
		form.due = 0 // a credit
	}
	v.Over = max(form.overDue(), 0).String() // than is due now
	s.logFailure(c, problem, kind, reference())
	return both(c, payPage, payPanel, kind.HTTPStatus(), v)
}
