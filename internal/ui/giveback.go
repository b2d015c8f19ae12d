package ui

import (
	"errors"
	"net/http"
	"strings"

	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/till"
)

// giveBackView asks why and how a payment is given back.
type giveBackView struct {
	ID, Command            string
	Account, How           string
	Paid, Returned         string
	Reasons                []choice
	Note                   string
	MayVoid, MayRefund     bool
	Void                   bool // is chosen
	VoidWords, RefundWords string
	Amount                 string
	Drawn                  bool // the clinic draws a check
	Check                  string
	Terminals              []terminalChoice // more than one, for a card
	Rule                   string
	Problem                string
}

// reasonGiven say why a payment is given back.
var reasonGiven = map[till.Reason]string{
	till.ReasonMistake: "Wrong amount, or the wrong client", till.ReasonDouble: "Paid twice", till.ReasonNotHeld: "The session was not held",
	till.ReasonCredit: "A prepayment that is not used", till.ReasonOther: "Another reason: write it in the note",
}

// voidWords and refundWords say what giving back means by each tender.
var (
	voidWords = map[till.Tender]string{
		till.TenderCard: "Void: take the whole payment back, before the terminal has closed its batch", till.TenderCash: "Void: take the whole payment back, out of your drawer",
		till.TenderCheck: "Void: give the check itself back",
	}
	refundWords = map[till.Tender]string{
		till.TenderCard: "Refund: give the amount below back to the card", till.TenderCash: "Refund: give the amount below back in cash, out of your drawer",
		till.TenderCheck: "Refund: give the amount below back by a check of the clinic’s own",
	}
)

// GET /payments/:id/give-back
func (s *server) giveBackForm(c *call) error {
	v, err := s.giveBackView(c)
	if err != nil {
		return err
	}
	return render(c, giveBackPage, http.StatusOK, v)
}

func (s *server) giveBackView(c *call) (giveBackView, error) {
	ctx := c.Request().Context()
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return giveBackView{}, err
	}
	p, err := s.Till.Payment(ctx, c.agent, id)
	if err != nil {
		return giveBackView{}, err
	}
	if !p.MayVoid && !p.MayRefund {
		return giveBackView{}, till.ErrNotPayment
	}
	client, err := s.Roster.Client(ctx, c.agent, p.Client)
	if err != nil {
		return giveBackView{}, err
	}
	v := giveBackView{
		ID: p.ID.String(), Command: s.newCommand(), Account: string(client.Account), How: how(p), Paid: p.Approved.String(),
		MayVoid: p.MayVoid, MayRefund: p.MayRefund, Void: p.MayVoid, VoidWords: voidWords[p.Tender], RefundWords: refundWords[p.Tender],
		Amount: (p.Approved - p.Returned).String(), Drawn: p.MayRefund && p.Tender == till.TenderCheck, Rule: s.rule(),
	}
	if p.Returned > 0 {
		v.Returned = p.Returned.String()
	}
	for _, r := range till.Reasons {
		v.Reasons = append(v.Reasons, choice{ID: string(r), Name: reasonGiven[r]})
	}
	if p.Tender == till.TenderCard {
		v.Terminals, err = s.otherTerminals(c, p.Terminal)
	}
	return v, err
}

// rule says what a person may decide alone.
func (s *server) rule() string {
	l := s.Till.Limits()
	words := "You can void own payments of today alone, up to " + l.Void.String() + " in all"
	if l.Refund > 0 {
		words += ", and refund up to " + l.Refund.String() + " of a payment"
	}
	return words + ". Anything else waits until a second person approves it."
}

// otherTerminals lists the terminals with one chosen, if there is a choice: the
// one of the payment, or the first that is ready.
func (s *server) otherTerminals(c *call, of ident.ID[ident.Terminal]) ([]terminalChoice, error) {
	all, err := s.Till.Terminals(c.Request().Context(), c.agent)
	if err != nil || len(all) < 2 {
		return nil, err
	}
	return terminalChoices(all, of.String()), nil
}

// POST /payments/:id/give-back gives the money back, or asks a second person.
func (s *server) giveBack(c *call) error {
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return err
	}
	g, err := readGiveBack(c, id)
	if err != nil {
		return s.giveBackAgain(c, err)
	}
	ctx := c.Request().Context()
	attempt, err := s.Till.GiveBack(ctx, c.agent, g)
	if errors.Is(err, duty.ErrSecond) {
		_, err = s.Till.Propose(ctx, c.agent, g)
		attempt = id
	}
	if err != nil {
		return s.giveBackAgain(c, err)
	}
	s.bell.Ring(topicDay)
	return c.Redirect(http.StatusSeeOther, "/payments/"+attempt.String())
}

func readGiveBack(c *call, id ident.ID[ident.Attempt]) (till.GiveBack, error) {
	g := till.GiveBack{
		Original: id, Kind: till.Kind(c.FormValue("kind")), Reason: till.Reason(c.FormValue("reason")),
		Check: strings.TrimSpace(c.FormValue("check")), Note: phi.NewText(c.FormValue("note")),
	}
	var err error
	if g.Command, err = commandOf(c); err != nil {
		return g, err
	}
	if text := c.FormValue("terminal"); text != "" {
		if g.Terminal, err = ident.Parse[ident.Terminal](text); err != nil {
			return g, till.ErrNoTerminal
		}
	}
	switch g.Kind {
	case till.KindVoid:
		if text := c.FormValue("amount"); text != "" {
			g.Amount, err = money.Parse(text)
		}
	case till.KindRefund:
		g.Amount, err = money.Parse(c.FormValue("amount"))
	default:
		err = errForm
	}
	return g, err
}

// giveBackAgain shows the form with what was entered and what is wrong with it.
func (s *server) giveBackAgain(c *call, problem error) error {
	kind := fault.KindOf(problem)
	if kind != fault.Invalid && kind != fault.Conflict && kind != fault.Unavailable || errors.Is(problem, errForm) {
		return problem
	}
	v, err := s.giveBackView(c)
	if err != nil {
		return problem // it cannot be given back any more
	}
	v.Note, v.Amount, v.Check = c.FormValue("note"), c.FormValue("amount"), c.FormValue("check")
	v.Void = v.MayVoid && c.FormValue("kind") == string(till.KindVoid)
	for i := range v.Reasons {
		v.Reasons[i].Chosen = v.Reasons[i].ID == c.FormValue("reason")
	}
	v.Problem = fault.Message(problem)
	s.logFailure(c, problem, kind, reference())
	return render(c, giveBackPage, kind.HTTPStatus(), v)
}
