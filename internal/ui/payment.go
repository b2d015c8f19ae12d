package ui

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/till"
)

// progressView is one payment: where it stands and what can be done about it.
type progressView struct {
	ID, Client    string
	State         string // changes when the page should draw attention to itself
	Name, Account string // empty in the fragment that is read again and again
	What, How     string
	Amount        string
	Live, Busy    bool // the page keeps asking; the terminal is at work
	Unknown       bool
	Tone          string
	Title         string
	Words, Next   string
	Facts         []fact
	Choice        bool
	MayCancel     bool
	Done, Leave   bool
	DoneTo        string
	Receipt       bool
	ReceiptNumber uint64
	Again         string // label of the button that starts another payment; empty: none
	AgainAmount   string
	Rest          []restLink // what is still to be paid, by each means
	Elsewhere     *elsewhere // the same at another terminal that is ready
	Asked         string     // what Coffer is doing about an outcome that is not known
	Track         []stepLine // the way of the money
	AgainFirst    bool       // trying again is what most people want now
	MayGive       bool       // back to the client
	Act           *actLine   // to give it back, which waits
	MayState      bool       // two people may say what became of it
	Command       string
	Steps         []stepLine
}

// restLink leads to the payment of what is left by one means.
type restLink struct{ ID, Label, Amount, Tender string }

// elsewhere is a payment that was provably not sent, at another terminal.
type elsewhere struct{ Command, Client, Amount, Due, Terminal, Name string }

type stepLine struct{ At, Words string }

// tones of stages that are not plain; what is still going on is plain.
var stageTones = map[till.Stage]string{
	till.StageApproved: "good", till.StagePartial: "warm", till.StageDeclined: "bad", till.StageUnknown: "warm",
	till.StageUnplugged: "warm", till.StageStray: "bad", till.StageQuarantined: "bad", till.StageDuplicate: "warm", till.StageManual: "bad",
	till.StageTimeout: "warm", till.StageNotSent: "warm", till.StageBusy: "warm", till.StageNotCharged: "warm",
}

// againWords are the ends after which another try makes sense, and the button
// for it.
var againWords = map[till.Stage]string{
	till.StageDeclined: "Try again", till.StageCancelled: "Try again", till.StageTimeout: "Try again",
	till.StageNotSent: "Try again", till.StageBusy: "Try again", till.StageNotCharged: "Try again",
}

// progressOf turns a payment into its view.
func (s *server) progressOf(p till.Payment) progressView {
	v := progressView{
		ID: p.ID.String(), Client: p.Client.String(), State: string(p.Stage), DoneTo: "/today",
		What: kindWords[p.Kind], Amount: p.Amount.String(), How: s.howAt(p),
		Live: !p.Final, Busy: !p.Final && !p.Unknown && !p.Choice, Unknown: p.Unknown,
		Tone: stageTones[p.Stage], Title: p.Title, Words: p.Words, Next: p.Next,
		Choice: p.Choice, MayCancel: p.MayCancel && !p.Choice, Done: p.Final, Leave: p.Unknown && !p.Final,
		Receipt: p.Receipt != 0, ReceiptNumber: p.Receipt, MayGive: (p.MayVoid || p.MayRefund) && p.Act == nil,
		Command: ident.New[ident.Command](s.Now()).String(), Facts: paymentFacts(p),
	}
	v.MayState = p.MayResolve
	if p.Kind == till.KindSale {
		v.Again = againWords[p.Stage]
		v.AgainAmount = p.Amount.String()
	}
	if p.Barred {
		v.Again = "Another card or cash"
	}
	v.AgainFirst = v.Again != ""
	v.Rest, v.Asked = restOf(p), askedWords(p)
	if p.Stage == till.StagePartial && p.Remaining > 0 {
		v.Again, v.AgainAmount, v.AgainFirst = "Take the rest, "+p.Remaining.String(), p.Remaining.String(), true
	}
	for _, step := range p.Steps {
		v.Steps = append(v.Steps, stepLine{At: step.At.In(s.Zone).Format(time.TimeOnly), Words: step.Words})
	}
	return v
}

// restOf offers what is left after an approval, by the means that are not
// offered already.
func restOf(p till.Payment) []restLink {
	left := p.Due
	if p.Stage == till.StagePartial {
		left = p.Remaining
	}
	if p.Kind != till.KindSale || p.Voided || left <= 0 || p.Stage != till.StagePartial && p.Stage != till.StageApproved {
		return nil
	}
	rest := []restLink{{"rest-cash", "The rest in cash, " + left.String(), left.String(), "cash"}, {"rest-check", "by check", left.String(), "check"}}
	if p.Stage == till.StageApproved {
		rest = append(rest, restLink{"rest-card", "by card", left.String(), "card"})
	}
	return rest
}

// askedWords say what Coffer is doing about an outcome that is not known.
func askedWords(p till.Payment) string {
	switch {
	case !p.Unknown || p.Final || p.Stage != till.StageUnknown:
		return ""
	case p.Asked == 0:
		return "Coffer is about to ask the terminal."
	case p.Asked == 1:
		return "Coffer has asked the terminal once, and asks again every " + p.AskAgain.Round(time.Second).String() + "."
	}
	return "Coffer has asked the terminal " + strconv.Itoa(p.Asked) + " times, and asks again every " + p.AskAgain.Round(time.Second).String() + "."
}

// movable are the ends that prove that the terminal never took the payment, so
// that another one can.
var movable = map[till.Stage]bool{till.StageNotSent: true, till.StageBusy: true, till.StageNotCharged: true}

// addElsewhere offers the same payment at another terminal that is ready.
func (s *server) addElsewhere(c *call, p till.Payment, v *progressView) error {
	if p.Kind != till.KindSale || !movable[p.Stage] || p.Due <= 0 || !c.agent.May(access.PaymentTake) {
		return nil
	}
	all, err := s.Till.Terminals(c.Request().Context(), c.agent)
	for _, t := range all {
		if t.Ready && t.ID != p.Terminal {
			v.Elsewhere = &elsewhere{s.newCommand(), v.Client, v.Amount, p.Due.String(), t.ID.String(), t.Name}
			v.AgainFirst = false
			break
		}
	}
	return err
}

// addTrack adds the way of a payment's money, from the intent to the bank.
func (s *server) addTrack(c *call, p till.Payment, v *progressView) error {
	if p.Kind != till.KindSale || p.Entry.IsZero() {
		return nil
	}
	add := func(at, words string) { v.Track = append(v.Track, stepLine{at, words}) }
	authorised := p.Started
	for _, step := range p.Steps {
		if step.Name == "resulted" || step.Name == "answered" {
			authorised = step.At
		}
	}
	add(s.moment(p.Started), "Intent written down: "+p.Amount.String())
	if p.Tender == till.TenderCard {
		add(s.moment(authorised), "Authorised by the bank")
	}
	add(s.moment(authorised), "Captured: "+p.Approved.String()+" in the books")
	allocated := p.ToCharges.String() + " to charges"
	if p.ToCredit > 0 {
		allocated += ", " + p.ToCredit.String() + " to credit"
	}
	add(s.moment(authorised), "Allocated: "+allocated)
	switch {
	case p.Voided:
		add("done", "Voided: taken back whole")
		return nil
	case p.Bounced:
		add("done", "Taken to the bank with deposit slip "+strconv.FormatUint(p.Deposited, 10)+", and returned by it")
		return nil
	case p.Tender == till.TenderCheck && p.Deposited == 0:
		add("not yet", "Taken to the bank")
	case p.Tender == till.TenderCheck:
		add("done", "Taken to the bank with deposit slip "+strconv.FormatUint(p.Deposited, 10))
	case p.Tender == till.TenderCard:
		stated, number, err := s.Day.BatchOf(c.Request().Context(), c.agent, p.Serial, authorised)
		switch {
		case err != nil:
			return err
		case stated.IsZero():
			add("not yet", "Batched: it stands in the terminal’s open batch")
		default:
			add(s.moment(stated), strings.TrimSpace("Batched: the terminal has closed batch "+number))
		}
		add("not yet", "Settled by the processor")
	}
	add("not yet", "Matched with the bank’s statement")
	return nil
}

func (s *server) howAt(p till.Payment) string {
	words := how(p)
	if p.TerminalName != "" {
		words += " · " + p.TerminalName
	}
	return words
}

// paymentFacts are the numbers beside the outcome; none while nothing moved.
func paymentFacts(p till.Payment) []fact {
	var facts []fact
	add := func(name, value string) { facts = append(facts, fact{Name: name, Value: value}) }
	if p.Approved != 0 {
		add("Amount moved", p.Approved.String())
	}
	if p.Returned > 0 {
		add("Given back so far", p.Returned.String())
	}
	if p.Remaining > 0 {
		add("Still to be paid", p.Remaining.String())
	}
	if p.Tendered > 0 && p.Tendered != p.Amount {
		add("Cash handed over", p.Tendered.String())
		add("Change", p.Change.String())
	}
	if p.LastFour != "" {
		add("Card", p.Brand+" ending "+p.LastFour)
	}
	if p.AuthCode != "" {
		add("Approval code", p.AuthCode)
	}
	if p.Final && p.Approved != 0 {
		add("Balance now", balance(p.Due))
	}
	if p.Receipt != 0 {
		add("Receipt", "No. "+fault.Int(p.Receipt).SafeString())
	}
	return facts
}

// balance writes what a client owes; a credit is said in words too.
func balance(due money.Amount) string {
	if due < 0 {
		return due.String() + " (credit)"
	}
	return due.String()
}

// GET /payments/:id
func (s *server) payment(c *call) error {
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return err
	}
	return s.showPayment(c, id)
}

// GET /payments/:id/again is the same page for a browser without JavaScript
// that reads it again by itself: that is nobody's act, so it is a background
// route.
func (s *server) paymentAgain(c *call) error { return s.payment(c) }

// showPayment renders a payment with the client's name at its head.
func (s *server) showPayment(c *call, id ident.ID[ident.Attempt]) error {
	ctx := c.Request().Context()
	p, err := s.Till.Payment(ctx, c.agent, id)
	if err != nil {
		return err
	}
	v := s.progressOf(p)
	if p.Act != nil {
		line := s.actLine(c, duty.Shown{Act: *p.Act, Mine: p.Act.Staff == c.agent.StaffID()})
		v.Act = &line
	}
	if err := s.addElsewhere(c, p, &v); err != nil {
		return err
	}
	if err := s.addTrack(c, p, &v); err != nil {
		return err
	}
	v.Name = "an unknown client" // of a stray approval
	if !p.Client.IsZero() {
		client, err := s.Roster.Client(ctx, c.agent, p.Client)
		if err != nil {
			return err
		}
		v.Name, v.Account = client.Name.Reveal(), string(client.Account)
	}
	if isHX(c.Request()) {
		v.MayGive, v.Act = false, nil // not where Enter falls right after a sale
		return render(c, progressPane, http.StatusOK, v)
	}
	whole := view[progressView]{frame: c.frame(progressPage.title), Body: v}
	if v.Live {
		whole.Refresh = "3;url=/payments/" + v.ID + "/again"
	}
	return write(c, progressPage, http.StatusOK, whole)
}

// GET /payments/:id/progress is what an open page reads again when the bell
// rings: the state without the client's name.
func (s *server) progress(c *call) error {
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return err
	}
	p, err := s.Till.Payment(c.Request().Context(), c.agent, id)
	if err != nil {
		return err
	}
	v := s.progressOf(p)
	v.MayGive, v.Act = false, nil
	if err := s.addElsewhere(c, p, &v); err != nil {
		return err
	}
	return render(c, progressPart, http.StatusOK, v)
}

// POST /payments/:id/cancel
func (s *server) cancel(c *call) error {
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	err = s.Till.Cancel(ctx, c.agent, id)
	if errors.Is(err, till.ErrTooLate) {
		if p, read := s.Till.Payment(ctx, c.agent, id); read != nil || p.Final {
			err = read // it has ended: its page says how
		}
	}
	if err != nil {
		return err
	}
	return s.toPayment(c, id)
}

// POST /payments/:id/answer answers the question whether it was the same
// payment or really a second one.
func (s *server) answer(c *call) error {
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	switch c.FormValue("answer") {
	case "same":
		err = s.Till.AnswerSame(ctx, c.agent, id)
	case "second":
		id, err = s.answerSecond(c, id)
	default:
		err = errForm
	}
	if err != nil {
		return err
	}
	return s.toPayment(c, id)
}

// answerSecond starts the second payment and returns it.
func (s *server) answerSecond(c *call, id ident.ID[ident.Attempt]) (ident.ID[ident.Attempt], error) {
	command, err := ident.Parse[ident.Command](c.FormValue("command"))
	if err != nil {
		return id, errForm
	}
	return s.Till.AnswerSecond(c.Request().Context(), c.agent, id, command)
}

// toPayment leads to a payment's page: at once for htmx, else by redirect, so
// that reloading never sends a form again.
func (s *server) toPayment(c *call, id ident.ID[ident.Attempt]) error {
	if isHX(c.Request()) {
		return s.showPayment(c, id)
	}
	return c.Redirect(http.StatusSeeOther, "/payments/"+id.String())
}
