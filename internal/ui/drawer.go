package ui

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/day"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
)

// drawerView is a cashier's own drawer. It has no field for what should be in
// it.
type drawerView struct {
	Command   string
	MayOpen   bool
	MayCount  bool
	Rows      []pieceRow
	Counts    []countRow
	Drops     []dropRow
	Float     string
	Drop      string
	Terminals []choice
	Batch     batchForm
	Done      string // what has just been done
	Problem   string
}

// pieceRow asks how many notes or coins there are of one value.
type pieceRow struct{ ID, Words, Count string }

// countRow is a count as its cashier may see it.
type countRow struct{ When, Counted, Words string }

// dropRow is cash taken out today, that may still be taken back.
type dropRow struct {
	ID, When, Amount string
	Back             bool // it was taken back
	Reasons          []choice
}

// batchForm is what a terminal's batch report says, as typed.
type batchForm struct{ Number, Count, Amount string }

// pieceWords name the notes and coins of a drawer.
var pieceWords = map[money.Amount]string{
	100_00: "$100 notes", 50_00: "$50 notes", 20_00: "$20 notes", 10_00: "$10 notes", 5_00: "$5 notes", 2_00: "$2 notes", 1_00: "$1 notes and coins",
	50: "50¢ coins", 25: "25¢ coins", 10: "10¢ coins", 5: "5¢ coins", 1: "1¢ coins",
}

// doneWords say what was done, by the word in the address.
var doneWords = map[string]string{
	"open": "The float is in your drawer.", "drop": "The cash is on its way to the bank.",
	"back":  "It is taken back. Enter anew what you took out, if you took any, and count the drawer again.",
	"batch": "The totals are recorded, and equal to the books.",
	"work":  "The totals are recorded. They differ from the books; the accountant sees the difference on “Close the day”.",
}

var (
	errCount   = fault.New(fault.Invalid, "Enter whole numbers of notes and coins. A field without one counts as none.")
	errNoCount = fault.New(fault.Invalid, "Enter how many notes and coins there are. If the drawer is empty, enter 0 for one of them.")
	errTotals  = fault.New(fault.Invalid, "Enter the number of payments and the total as the batch report prints them.")
)

// GET /drawer
func (s *server) drawer(c *call) error {
	v, err := s.drawerView(c)
	if err != nil {
		return err
	}
	v.Done = doneWords[c.QueryParam("done")]
	return render(c, drawerPage, http.StatusOK, v)
}

func (s *server) drawerView(c *call) (drawerView, error) {
	ctx := c.Request().Context()
	mine, err := s.Day.Mine(ctx, c.agent)
	if err != nil {
		return drawerView{}, err
	}
	v := drawerView{Command: ident.New[ident.Command](s.Now()).String(), MayOpen: mine.MayOpen, MayCount: mine.MayCount}
	for _, value := range day.Values {
		v.Rows = append(v.Rows, pieceRow{ID: pieceName(value), Words: pieceWords[value], Count: c.FormValue(pieceName(value))})
	}
	for _, one := range mine.Counts {
		v.Counts = append(v.Counts, countRow{s.moment(one.At), one.Counted.String(), countWords(one)})
	}
	for _, one := range mine.Drops {
		v.Drops = append(v.Drops, dropRow{one.Entry.String(), s.clock(one.At), one.Amount.String(), one.Back, backChoices()})
	}
	if !c.agent.May(access.TerminalStatus) {
		return v, nil
	}
	terminals, err := s.Till.Terminals(ctx, c.agent)
	for _, t := range terminals {
		if t.Serial != "" {
			v.Terminals = append(v.Terminals, choice{ID: t.Serial, Name: t.Name, Chosen: t.Serial == c.FormValue("terminal")})
		}
	}
	return v, err
}

// backWords say why a drop is taken back.
var backWords = map[books.Reason]string{
	day.BackMistyped: "The amount was mistyped", day.BackTwice: "It was entered twice", day.BackKept: "The cash stayed in the drawer",
}

func backChoices() []choice {
	var all []choice
	for _, why := range day.BackReasons {
		all = append(all, choice{ID: string(why), Name: backWords[why]})
	}
	return all
}

func pieceName(value money.Amount) string { return "p" + strconv.FormatInt(int64(value), 10) }

// countWords say what a cashier is told of a count.
func countWords(one day.Counted) string {
	switch {
	case one.Agrees:
		return "It agrees with the books."
	case one.MayRecount:
		return "It does not agree with the books. Count once more, or leave it so: both ways it stands."
	case one.Difference > 0:
		return "It is " + one.Difference.String() + " more than in the books, and is posted so."
	}
	return "It is " + (-one.Difference).String() + " less than in the books, and is posted so."
}

// drawerAgain shows the drawer with what was typed and what is wrong with it.
func (s *server) drawerAgain(c *call, problem error) error {
	kind := fault.KindOf(problem)
	if kind != fault.Invalid && kind != fault.Conflict || errors.Is(problem, errForm) {
		return problem
	}
	v, err := s.drawerView(c)
	if err != nil {
		return err
	}
	v.Problem = fault.Message(problem)
	v.Float, v.Drop = c.FormValue("float"), c.FormValue("drop")
	v.Batch = batchForm{c.FormValue("number"), c.FormValue("count"), c.FormValue("amount")}
	if command, err := ident.Parse[ident.Command](c.FormValue("command")); err == nil {
		v.Command = command.String()
	}
	s.logFailure(c, problem, kind, reference())
	return render(c, drawerPage, kind.HTTPStatus(), v)
}

// commandOf reads the identifier that was made with the page.
func commandOf(c *call) (ident.ID[ident.Command], error) {
	command, err := ident.Parse[ident.Command](c.FormValue("command"))
	if err != nil {
		return command, errForm
	}
	return command, nil
}

// POST /drawer/open
func (s *server) openDrawer(c *call) error { return s.moveCash(c, "float", "open", s.Day.Open) }

// POST /drawer/drop
func (s *server) dropCash(c *call) error { return s.moveCash(c, "drop", "drop", s.Day.Drop) }

// POST /drawer/drops/:id/back takes a mistyped drop back. The drop itself makes
// it idempotent: it is taken back once.
func (s *server) takeDropBack(c *call) error {
	id, err := ident.Parse[ident.Entry](c.Param("id"))
	if err == nil {
		err = s.Day.TakeBack(c.Request().Context(), c.agent, id, books.Reason(c.FormValue("reason")))
	}
	if err != nil {
		return s.drawerAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, "/drawer?done=back")
}

// cashMove puts cash into a drawer or takes it out.
type cashMove func(context.Context, access.Agent, ident.ID[ident.Command], money.Amount) error

func (s *server) moveCash(c *call, field, done string, move cashMove) error {
	command, err := commandOf(c)
	if err != nil {
		return err
	}
	amount, err := money.Parse(c.FormValue(field))
	if err == nil {
		err = move(c.Request().Context(), c.agent, command, amount)
	}
	if err != nil {
		return s.drawerAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, "/drawer?done="+done)
}

// POST /drawer/count
func (s *server) countDrawer(c *call) error {
	command, err := commandOf(c)
	if err != nil {
		return err
	}
	pieces, err := readPieces(c)
	if err == nil {
		_, err = s.Day.Count(c.Request().Context(), c.agent, command, pieces)
	}
	if err != nil {
		return s.drawerAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, "/drawer")
}

func readPieces(c *call) ([]day.Pieces, error) {
	var pieces []day.Pieces
	for _, value := range day.Values {
		text := strings.TrimSpace(c.FormValue(pieceName(value)))
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 20)
		if err != nil {
			return nil, errCount
		}
		pieces = append(pieces, day.Pieces{Value: value, Count: uint32(n)})
	}
	if len(pieces) == 0 {
		return nil, errNoCount
	}
	return pieces, nil
}

// POST /drawer/batch takes what a terminal's batch report says.
func (s *server) stateBatch(c *call) error {
	command, err := commandOf(c)
	if err != nil {
		return err
	}
	count, err1 := strconv.ParseUint(strings.TrimSpace(c.FormValue("count")), 10, 20)
	amount, err2 := money.Parse(c.FormValue("amount"))
	if err1 != nil || err2 != nil {
		return s.drawerAgain(c, errTotals)
	}
	work, err := s.Day.Batch(c.Request().Context(), c.agent, day.Totals{
		Command: command, Terminal: c.FormValue("terminal"), Batch: strings.TrimSpace(c.FormValue("number")), Count: uint32(count), Amount: amount,
	})
	switch {
	case err != nil:
		return s.drawerAgain(c, err)
	case work != 0:
		return c.Redirect(http.StatusSeeOther, "/drawer?done=work")
	}
	return c.Redirect(http.StatusSeeOther, "/drawer?done=batch")
}
