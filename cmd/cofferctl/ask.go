package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// asker asks the person at the terminal, or takes the answers, a line each and
// in the order of the questions, from standard input with --stdin. Secrets
// never stand on a command line, where every process of the box could read
// them.
type asker struct {
	in    *os.File
	talk  io.Writer
	lines *bufio.Reader // of in, with --stdin
}

// needsTTY refuses a question that nobody can answer.
type needsTTY struct{ flag string }

// Error says which flag would help.
func (e needsTTY) Error() string {
	return "this needs an answer, and standard input is no terminal: give the answers there with " + e.flag
}

// answerMax bounds a line of an answer.
const answerMax = 4096

// line asks for a line of text.
func (a *asker) line(question string) (string, error) { return a.ask(question, false) }

// secret asks for a line that is not shown while it is typed.
func (a *asker) secret(question string) (string, error) { return a.ask(question, true) }

func (a *asker) ask(question string, hidden bool) (string, error) {
	if a.lines == nil && !term.IsTerminal(int(a.in.Fd())) {
		return "", needsTTY{"--stdin"}
	}
	fmt.Fprint(a.talk, question+" ")
	if hidden && a.lines == nil {
		b, err := term.ReadPassword(int(a.in.Fd()))
		fmt.Fprintln(a.talk)
		return strings.TrimSpace(string(b)), err
	}
	reader := a.lines
	if reader == nil {
		reader = bufio.NewReaderSize(a.in, answerMax)
	} else {
		fmt.Fprintln(a.talk)
	}
	text, err := reader.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || text == "") {
		return "", errors.New("the answers end before the last question")
	}
	return strings.TrimSpace(text), nil
}

// papers asks for a recovery sheet, or for two shares of one.
func (a *asker) papers() ([]string, error) {
	first, err := a.secret("Recovery sheet, or a share of it (as printed; case and spaces do not matter):")
	if err != nil || !isShare(first) {
		return []string{first}, err
	}
	second, err := a.secret("Another share:")
	return []string{first, second}, err
}

// agree asks for the word that a destructive act wants to see typed.
func (c *cli) agree(what, word string) error {
	if c.yes {
		return nil
	}
	typed, err := c.asker().line(what + "\nType " + word + " to go on:")
	var nobody needsTTY
	if errors.As(err, &nobody) {
		return needsTTY{"--yes"}
	}
	if err == nil && typed != word {
		err = errNotAgreed
	}
	return err
}

var errNotAgreed = errors.New("that is not what was to be typed; nothing was changed")

// asker returns the command's asker, the same one for every question.
func (c *cli) asker() *asker {
	if c.asks == nil {
		c.asks = &asker{in: os.Stdin, talk: c.talk}
		if c.stdin {
			c.asks.lines = bufio.NewReaderSize(os.Stdin, answerMax)
		}
	}
	return c.asks
}

// pin asks for the present PIN if the seal has one.
func (c *cli) pin(has bool) (string, error) {
	if !has {
		return "", nil
	}
	return c.asker().secret("PIN:")
}
