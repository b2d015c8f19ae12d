package ui

import (
	"strconv"
	"time"

	"coffer/internal/civil"
	"coffer/internal/money"
	"coffer/internal/schedule"
	"coffer/internal/till"
)

// pill is a state in a word, with a tone that only repeats what the word says.
type pill struct {
	Word string
	Tone string // "", "good", "warm" or "bad"
}

// fact is one named value; Link is where it leads, or empty.
type fact struct{ Name, Value, Link string }

// choice is one option of a list to choose from.
type choice struct {
	ID, Name string
	Chosen   bool
}

var appointmentPills = map[schedule.State]pill{
	schedule.Booked:    {"Booked", ""},
	schedule.Arrived:   {"Arrived", "warm"},
	schedule.Held:      {"Held", "good"},
	schedule.NoShow:    {"No-show", "bad"},
	schedule.Cancelled: {"Cancelled", ""},
}

// stagePills say a payment's stage in a list.
var stagePills = map[till.Stage]pill{
	till.StageApproved:    {"Approved", "good"},
	till.StagePartial:     {"Partly approved", "warm"},
	till.StageDeclined:    {"Declined", "bad"},
	till.StageCancelled:   {"Cancelled", ""},
	till.StageTimeout:     {"No card in time", ""},
	till.StageNotSent:     {"Not sent", ""},
	till.StageBusy:        {"Terminal busy", ""},
	till.StageNotCharged:  {"Not charged", ""},
	till.StageUnknown:     {"Not known yet", "warm"},
	till.StageUnplugged:   {"Not known yet", "warm"},
	till.StageQuarantined: {"Not known yet", "bad"},
	till.StageDuplicate:   {"Paid twice?", "warm"},
	till.StageSame:        {"Same payment", ""},
	till.StageSecond:      {"Asked again", ""},
	till.StageManual:      {"Needs a decision", "bad"},
	till.StageStray:       {"Unknown approval", "bad"},
}

// stagePill returns the pill of a stage; a stage that is still going on reads
// as running.
func stagePill(stage till.Stage) pill {
	if p, ok := stagePills[stage]; ok {
		return p
	}
	return pill{"Running", "warm"}
}

// statePill is the pill of a payment in a list.
func statePill(p till.Payment) pill {
	if p.Voided {
		return pill{"Voided", ""}
	}
	if p.Bounced {
		return pill{"Returned", "bad"}
	}
	if p.Returned > 0 && p.Returned < p.Approved {
		return pill{"Partly refunded", ""}
	}
	if p.Returned > 0 {
		return pill{"Refunded", ""}
	}
	return stagePill(p.Stage)
}

// kindWords name what a payment does.
var kindWords = map[till.Kind]string{till.KindSale: "Payment", till.KindVoid: "Void", till.KindRefund: "Refund"}

// how says by what means a payment was made: "Visa ending 4242", "Cash".
func how(p till.Payment) string {
	words := "Card"
	switch {
	case p.Tender == till.TenderCash:
		words = "Cash"
	case p.Tender == till.TenderCheck:
		words = "Check " + p.Check
	case p.LastFour != "":
		words = p.Brand + " ending " + p.LastFour
	}
	if p.Kind != till.KindSale {
		words = kindWords[p.Kind] + ", " + words
	}
	return words
}

// balanceWords says what a balance means.
func balanceWords(due money.Amount) string {
	switch {
	case due > 0:
		return "to be paid"
	case due < 0:
		return "credit: more was paid than is due"
	}
	return "Nothing is due"
}

// longDate writes a date as "Wednesday, November 25, 2026".
func longDate(d civil.Date) string { return d.In(time.UTC).Format("Monday, January 2, 2006") }

// clock writes an instant as "10:00", in the clinic's zone.
func (s *server) clock(at time.Time) string { return at.In(s.Zone).Format("15:04") }

// moment writes an instant as "2026-11-25 10:00", or "Today 10:00".
func (s *server) moment(at time.Time) string {
	local := at.In(s.Zone)
	if civil.Of(local) == s.date() {
		return "Today " + local.Format("15:04")
	}
	return local.Format("2006-01-02 15:04")
}

// date returns the clinic's date.
func (s *server) date() civil.Date { return civil.Of(s.Now().In(s.Zone)) }

// group writes a number with its thousands apart: "12,345".
func group(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// size writes a number of bytes: "512 B", "3.4 MB", decimal as disks are sold.
func size(bytes int64) string {
	units, n := []string{"kB", "MB", "GB", "TB"}, bytes
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	unit, tenths := "", n*10
	for _, unit = range units {
		if tenths /= 1000; tenths < 10_000 {
			break
		}
	}
	return strconv.FormatInt(tenths/10, 10) + "." + strconv.FormatInt(tenths%10, 10) + " " + unit
}

// ago writes how long ago an instant was: "never", "4 minutes ago".
func (s *server) ago(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	for _, step := range []struct {
		unit time.Duration
		word string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int64(s.Now().Sub(at) / step.unit); n == 1 {
			return "1 " + step.word + " ago"
		} else if n > 1 {
			return strconv.FormatInt(n, 10) + " " + step.word + "s ago"
		}
	}
	return "just now"
}
