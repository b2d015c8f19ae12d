package ui

import (
	"net/http"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/roster"
)

// findView is a search and what it found.
type findView struct {
	CSRF    string
	Text    string
	Focus   bool // the box gets the focus
	Asked   bool
	Heading string
	Hits    []hit
	More    bool
	Empty   string
}

type hit struct {
	ID, Name, Account, Born string
	MayPay                  bool
}

// GET /find
func (s *server) findForm(c *call) error {
	return render(c, findPage, http.StatusOK, findView{CSRF: csrfToken(c.cookie), Focus: true})
}

// POST /find/live answers while somebody types. Too few letters find nothing
// and are no mistake yet.
func (s *server) findLive(c *call) error {
	v, _, err := s.search(c)
	if fault.KindOf(err) == fault.Invalid && err != nil {
		return render(c, findHits, http.StatusOK, findView{})
	}
	if err != nil {
		return err
	}
	return render(c, findHits, http.StatusOK, v)
}

// POST /find takes the text as it is when Enter is pressed, not the rows that
// an earlier letter left on the screen. Exactly one match opens its payment.
func (s *server) find(c *call) error {
	v, found, err := s.search(c)
	if err != nil && fault.KindOf(err) == fault.Invalid {
		v.Asked, v.Heading, v.Empty = true, "Not enough to go by", fault.Message(err)
		return both(c, findPage, findHits, http.StatusOK, v)
	}
	if err != nil {
		return err
	}
	if len(found.Clients) == 1 && !found.More && c.agent.May(access.PaymentTake) {
		return s.payAtOnce(c, found.Clients[0])
	}
	c.Response().Header().Set(hxAfterSettle, "focus-rows")
	return both(c, findPage, findHits, http.StatusOK, v)
}

func (s *server) payAtOnce(c *call, client roster.Client) error {
	if !isHX(c.Request()) {
		return c.Redirect(http.StatusSeeOther, "/clients/"+client.ID.String()+"/pay")
	}
	v, err := s.askPaymentOf(c.Request().Context(), c, client)
	if err != nil {
		return err
	}
	into(c.Response().Header(), "#panel")
	return render(c, payPanel, http.StatusOK, v)
}

// search asks the roster. The text goes nowhere else.
func (s *server) search(c *call) (findView, roster.Hits, error) {
	v := findView{CSRF: csrfToken(c.cookie), Text: c.FormValue("text"), Focus: true}
	found, err := s.Roster.Find(c.Request().Context(), c.agent, v.Text)
	if err != nil {
		return v, found, err
	}
	v.Asked, v.More, v.Heading = true, found.More, hitWords(len(found.Clients))
	v.Empty = "Nobody fits. Check the spelling, or try the account number."
	for _, client := range found.Clients {
		v.Hits = append(v.Hits, hit{
			ID: client.ID.String(), Name: client.Name.Reveal(), Account: string(client.Account),
			Born: client.Born.Reveal(), MayPay: c.agent.May(access.PaymentTake),
		})
	}
	return v, found, nil
}

func hitWords(n int) string {
	switch n {
	case 0:
		return "No client found"
	case 1:
		return "One client found"
	}
	return fault.Int(n).SafeString() + " clients found"
}
