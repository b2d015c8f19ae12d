package ui

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/roster"
	"coffer/internal/till"
)

// openView lists the payments of which it is not known what became of them, or
// that wait for a person.
type openView struct {
	Rows    []openRow
	Decided bool // two people have just stated the same
}

// openRow is one open payment. Name is empty for those who see no names.
type openRow struct {
	ID, When      string
	Name, Account string
	What, Where   string
	Amount        string
	State         pill
	Next          string
	Said          string // who has stated what became of it; empty: nobody
	MayState      bool
	MaySee        bool
}

// stateView asks one person what became of an open payment.
type stateView struct {
	ID       string
	Question string
	Facts    []fact
	Words    string
	First    string // what the first person stated; empty: nobody has
	Mine     bool   // and the first person is the one who asks
	Evidence []choice
	Yes, No  string
	Charged  string // "yes", "no", or empty
	Amount   string
	Stray    bool   // whose it is must be stated too
	Account  string // whose
	Problem  string
}

var (
	errSettled  = fault.New(fault.NotFound, "This payment needs no decision any more. Look at the open payments for what is left.")
	errNoAnswer = fault.New(fault.Invalid, "Say whether the money moved: choose one of the two answers.")
	errNoProof  = fault.New(fault.Invalid, "Choose what you looked at. If you have looked at none of them, do that first.")
	errAccount  = fault.New(fault.Invalid, "Enter the account number of the client whose payment this is, such as P-004217.")
)

// evidenceWords say what a person can have looked at.
var evidenceWords = []struct {
	evidence till.Evidence
	words    string
}{
	{till.EvidenceSlip, "The terminal's slip or its list of payments"},
	{till.EvidenceBatch, "The terminal's batch report"},
	{till.EvidenceProcessor, "The card processor's portal or statement"},
	{till.EvidenceBank, "A confirmation of the card holder's bank"},
}

// questions ask what became of each kind of payment, with its two answers.
var questions = map[till.Kind][3]string{
	till.KindSale:   {"Was the card charged?", "Yes, the card was charged", "No, nothing was charged"},
	till.KindVoid:   {"Was the payment voided?", "Yes, it was taken back", "No, the payment still stands"},
	till.KindRefund: {"Was the refund made?", "Yes, the money was given back", "No, nothing was given back"},
}

// waits reports whether an open payment waits for somebody, and does not
// merely run.
func waits(p till.Payment) bool { return p.Unknown || p.Choice || p.MayResolve }

// GET /payments/open
func (s *server) openPayments(c *call) error {
	ctx := c.Request().Context()
	list, err := s.Till.Unresolved(ctx, c.agent)
	if err != nil {
		return err
	}
	numbers, err := s.accountsOf(ctx, c, list...)
	if err != nil {
		return err
	}
	v := openView{Decided: c.QueryParam("decided") == "yes"}
	for _, p := range list {
		name, err := s.nameFor(ctx, c, p.Client)
		if err != nil {
			return err
		}
		row := openRow{
			ID: p.ID.String(), When: s.moment(p.Started), Name: name, Account: string(numbers[p.Client]),
			What: kindWords[p.Kind], Where: p.TerminalName, Amount: p.Amount.String(), State: stagePill(p.Stage), Next: p.Next,
			MayState: p.MayResolve && c.agent.May(access.PaymentResolve),
			MaySee:   !p.MayResolve && c.agent.May(access.PaymentRead),
		}
		if p.Proposal != nil {
			row.Said = s.stated(p, numbers)
		}
		v.Rows = append(v.Rows, row)
	}
	return render(c, openPage, http.StatusOK, v)
}

// accountsOf returns the account numbers of the clients that payments and the
// statements about them name.
func (s *server) accountsOf(ctx context.Context, c *call, list ...till.Payment) (map[ident.ID[ident.Client]]roster.Account, error) {
	var ids []ident.ID[ident.Client]
	for _, p := range list {
		if !p.Client.IsZero() {
			ids = append(ids, p.Client)
		}
		if p.Proposal != nil && !p.Proposal.Client.IsZero() {
			ids = append(ids, p.Proposal.Client)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return s.Till.Accounts(ctx, c.agent, ids...)
}

// nameFor returns a client's name for those who may see it, and nothing for
// everybody else.
func (s *server) nameFor(ctx context.Context, c *call, id ident.ID[ident.Client]) (string, error) {
	if id.IsZero() || !c.agent.May(access.ClientFind) {
		return "", nil
	}
	client, err := s.Roster.Client(ctx, c.agent, id)
	return client.Name.Reveal(), err
}

// stated says what the first person stated, by the sign-in name.
func (s *server) stated(p till.Payment, numbers map[ident.ID[ident.Client]]roster.Account) string {
	said := p.Proposal
	words := questions[p.Kind][2]
	if said.Charged {
		words = questions[p.Kind][1] + ", " + said.Approved.String()
	}
	if !said.Client.IsZero() {
		words += ", for " + string(numbers[said.Client])
	}
	for _, one := range evidenceWords {
		if one.evidence == said.Evidence {
			words += ". Looked at: " + strings.ToLower(one.words[:1]) + one.words[1:]
		}
	}
	return said.By + " at " + said.At.In(s.Zone).Format("15:04") + ": " + words + "."
}

// openPayment returns the open payment of the address, which people may
// resolve.
func (s *server) openPayment(c *call) (till.Payment, error) {
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return till.Payment{}, err
	}
	list, err := s.Till.Unresolved(c.Request().Context(), c.agent)
	if err != nil {
		return till.Payment{}, err
	}
	for _, p := range list {
		if p.ID == id && p.MayResolve {
			return p, nil
		}
	}
	return till.Payment{}, errSettled
}

// GET /payments/:id/resolve
func (s *server) stateForm(c *call) error {
	p, err := s.openPayment(c)
	if err != nil {
		return err
	}
	v, err := s.stateView(c, p)
	if err != nil {
		return err
	}
	return render(c, statePage, http.StatusOK, v)
}

func (s *server) stateView(c *call, p till.Payment) (stateView, error) {
	ctx := c.Request().Context()
	numbers, err := s.accountsOf(ctx, c, p)
	if err != nil {
		return stateView{}, err
	}
	name, err := s.nameFor(ctx, c, p.Client)
	if err != nil {
		return stateView{}, err
	}
	q := questions[p.Kind]
	v := stateView{
		ID: p.ID.String(), Question: q[0], Yes: q[1], No: q[2], Words: p.Words, Amount: p.Amount.String(),
		Facts: s.openFacts(p, name, string(numbers[p.Client])), Stray: p.Client.IsZero(),
	}
	for _, one := range evidenceWords {
		v.Evidence = append(v.Evidence, choice{ID: string(one.evidence), Name: one.words})
	}
	if p.Proposal != nil {
		v.First, v.Mine = s.stated(p, numbers), p.Proposal.Staff == c.agent.StaffID()
	}
	return v, nil
}

// openFacts is what leads a person to the right line of a report.
func (s *server) openFacts(p till.Payment, name, account string) []fact {
	var facts []fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, fact{Name: name, Value: value})
		}
	}
	add("Client", name)
	add("Account", account)
	add(kindWords[p.Kind], p.Amount.String())
	add("Started", p.Started.In(s.Zone).Format(time.DateTime))
	add("Terminal", p.TerminalName)
	add("Reference on its slips", p.Ref)
	add("Approval code", p.AuthCode)
	return facts
}

// POST /payments/:id/resolve takes one person's statement. It takes effect
// when a second person states the same.
func (s *server) state(c *call) error {
	p, err := s.openPayment(c)
	if err != nil {
		return err
	}
	r, err := s.readStatement(c, p)
	done := false
	if err == nil {
		done, err = s.Till.Resolve(c.Request().Context(), c.agent, r)
	}
	switch kind := fault.KindOf(err); {
	case err == nil && done:
		s.bell.Ring(topicDay)
		return c.Redirect(http.StatusSeeOther, "/payments/open?decided=yes")
	case err == nil:
		return c.Redirect(http.StatusSeeOther, "/payments/"+p.ID.String()+"/resolve")
	case kind == fault.Invalid, errors.Is(err, till.ErrSecondPerson):
		return s.stateAgain(c, p, err)
	}
	return err
}

// readStatement reads the form: each field by exact words.
func (s *server) readStatement(c *call, p till.Payment) (till.Resolution, error) {
	r := till.Resolution{Attempt: p.ID}
	switch c.FormValue("charged") {
	case "yes":
		r.Charged = true
	case "no":
	default:
		return r, errNoAnswer
	}
	var err error
	if r.Charged {
		if r.Approved, err = money.Parse(c.FormValue("amount")); err != nil {
			return r, err
		}
	}
	for _, one := range evidenceWords {
		if c.FormValue("evidence") == string(one.evidence) {
			r.Evidence = one.evidence
		}
	}
	if r.Evidence == "" {
		return r, errNoProof
	}
	if r.Charged && p.Client.IsZero() {
		number := roster.Account(strings.TrimSpace(c.FormValue("account")))
		r.Client, err = s.Till.ClientOf(c.Request().Context(), c.agent, number)
		if errors.Is(err, roster.ErrNoClient) {
			err = errAccount
		}
	}
	return r, err
}

// stateAgain shows the form with what was entered and what is wrong with it.
func (s *server) stateAgain(c *call, p till.Payment, problem error) error {
	v, err := s.stateView(c, p)
	if err != nil {
		return err
	}
	v.Charged, v.Amount, v.Account = c.FormValue("charged"), c.FormValue("amount"), c.FormValue("account")
	for i := range v.Evidence {
		v.Evidence[i].Chosen = v.Evidence[i].ID == c.FormValue("evidence")
	}
	v.Problem = fault.Message(problem)
	kind := fault.KindOf(problem)
	s.logFailure(c, problem, kind, reference())
	return render(c, statePage, kind.HTTPStatus(), v)
}
