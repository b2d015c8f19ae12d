package ui

import (
	"net/http"
	"strconv"
	"strings"

	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/money"
	"coffer/internal/till"
)

// receiptsView lists receipts, by account number.
type receiptsView struct {
	Number, Day, Amount string // as typed
	Rows                []receiptRow
	Problem             string
}

type receiptRow struct{ ID, Number, When, Account, What, By, Amount string }

// receiptsShown is how many receipts the page lists.
const receiptsShown = 100

var errReceipts = fault.New(fault.Invalid, "Enter a number such as 17, a day such as 2026-11-25, or an amount such as 150.00. Fields without a word do not count.")

// GET /receipts finds receipts by number, day and amount; without any of them
// it lists today's.
func (s *server) receipts(c *call) error {
	v := receiptsView{Number: c.QueryParam("number"), Day: c.QueryParam("day"), Amount: c.QueryParam("amount")}
	q, err := s.receiptQuery(&v)
	if err != nil {
		v.Problem = fault.Message(err)
		return render(c, receiptsPage, fault.KindOf(err).HTTPStatus(), v)
	}
	list, err := s.Till.Receipts(c.Request().Context(), c.agent, q, receiptsShown)
	if err != nil {
		return err
	}
	for _, r := range list {
		what := receiptHeadings[r.Kind].total + " by " + string(r.Tender)
		v.Rows = append(v.Rows, receiptRow{r.Attempt.String(), strconv.FormatUint(r.Number, 10), s.moment(r.At), r.Account, what, r.Cashier, r.Amount.String()})
	}
	return render(c, receiptsPage, http.StatusOK, v)
}

func (s *server) receiptQuery(v *receiptsView) (till.ReceiptQuery, error) {
	var q till.ReceiptQuery
	var errs [3]error
	if text := strings.TrimSpace(v.Number); text != "" {
		q.Number, errs[0] = strconv.ParseUint(text, 10, 40)
	}
	if text := strings.TrimSpace(v.Day); text != "" {
		q.Day, errs[1] = civil.Parse(text)
	}
	if text := strings.TrimSpace(v.Amount); text != "" {
		q.Amount, errs[2] = money.Parse(text)
	}
	for _, err := range errs {
		if err != nil {
			return q, errReceipts
		}
	}
	if q == (till.ReceiptQuery{}) {
		q.Day = s.date()
	}
	return q, nil
}
