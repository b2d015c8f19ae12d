package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/sim"
)

// tour is Tour at work.
type tour struct {
	*stage
	out     io.Writer
	begun   time.Time
	desk    *browser
	books   *browser // the accountant's; nil until signed in
	clients []string // addresses of clients on the day list, some of whom owe money
	next    int
}

// stop is one station of the tour. It returns what was seen, in a few words.
type stop struct {
	title string
	do    func(context.Context) (string, error)
}

// Tour shows the clinic to nobody in particular and proves what it claims: it
// sells, is declined, is killed and unplugged in mid-sale, and compares the
// books with the terminal's own truth. It returns an error at the first thing
// that does not hold.
func (s Show) Tour(ctx context.Context) error {
	t := &tour{out: s.Out, begun: time.Now()}
	t.say("A sample clinic, a software TPM, a card terminal on a serial line.")
	var err error
	if t.stage, err = s.raise(ctx); err != nil {
		return err
	}
	defer t.lower()
	for _, st := range []stop{
		{"The front desk signs in with password and one-time code", t.signIn},
		{"A card sale, approved", t.approved},
		{"A card sale, declined", t.declined},
		{"kill -9 in mid-sale, while the terminal waits for the card", t.killedBeforeCard},
		{"kill -9 in mid-sale, the moment the bank has approved", t.killedAfterCharge},
		{"The terminal's cable is pulled in mid-sale and put in again", t.unplugged},
		{"Books and terminal agree", t.agree},
		{"Store, ledger and audit trail verify", t.verify},
		{"A backup is made, and restored into scratch to prove that it would help", t.backedUp},
		{"kill -9, and the store's newest head page is overwritten with zeros", t.headDestroyed},
		{"An auditor checks the trail on a machine of his own", t.audited},
		{"The box burns down: backup and recovery sheet bring the books back on another TPM", t.reborn},
	} {
		t.say(st.title)
		seen, err := st.do(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", st.title, err)
		}
		t.say("    " + seen)
	}
	t.say("All held.")
	return nil
}

func (t *tour) say(text string) {
	fmt.Fprintf(t.out, "%6.2f s  %s\n", time.Since(t.begun).Seconds(), text)
}

// person returns a browser in which a sample person is signed in.
func (t *tour) person(name string) (*browser, error) {
	all, err := readSignIns(t.Dir)
	if err != nil {
		return nil, err
	}
	b, err := newBrowser(t.address, t.path(stateDir))
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Name == name {
			return b, b.signIn(s)
		}
	}
	return nil, fmt.Errorf("nobody is called %s", name)
}

func (t *tour) signIn(context.Context) (string, error) {
	var err error
	if t.desk, err = t.person("desk"); err != nil {
		return "", err
	}
	page, err := t.desk.open("/today")
	if err != nil {
		return "", err
	}
	for _, m := range regexp.MustCompile(`href="(/clients/[a-z0-9]{26})/pay"`).FindAllStringSubmatch(page, -1) {
		t.clients = append(t.clients, m[1])
	}
	if len(t.clients) < 6 {
		return "", fmt.Errorf("only %d clients on the day list can pay", len(t.clients))
	}
	return fmt.Sprintf("%d appointments on the day list", strings.Count(page, "data-row")), nil
}

// begin starts a card payment of the next client on the list and returns its
// address.
func (t *tour) begin(ctx context.Context) (string, error) {
	if err := t.ready(ctx); err != nil {
		return "", err
	}
	client := t.clients[t.next%len(t.clients)]
	t.next++
	form, err := t.desk.open(client + "/pay")
	if err != nil {
		return "", err
	}
	page, err := t.desk.submit("/payments", url.Values{
		"csrf": {hidden(form, "csrf")}, "command": {hidden(form, "command")}, "client": {hidden(form, "client")},
		"due": {hidden(form, "due")}, "terminal": {hidden(form, "terminal")},
		"amount": {fmt.Sprintf("%d.00", 20+t.next)}, "tender": {"card"}, "over": {"yes"},
	})
	if err != nil {
		return "", err
	}
	id := first(page, `data-state="([a-z0-9]{26})-`)
	if id == "" {
		return "", errors.New("the payment did not begin: " + first(page, `role="alert"[^>]*><p>([^<]*)`))
	}
	return "/payments/" + id, nil
}

// ready waits until the day list has no complaint about the terminal: after a
// restart it is asked first what became of the last payment.
func (t *tour) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		page, err := t.desk.open("/today")
		if err != nil {
			return err
		}
		complaint := first(page, `<strong>`+terminalName+`</strong><p>([^<]*)`)
		if complaint == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the terminal does not become ready: " + complaint)
		case <-time.After(40 * time.Millisecond):
		}
	}
}

// until reads the payment's page until its stage is one of those named, and
// returns the stage.
func (t *tour) until(ctx context.Context, payment string, stages ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var stage string
	for {
		page, err := t.desk.open(payment)
		if err == nil {
			stage = first(page, `data-state="[a-z0-9]{26}-([a-z_]+)"`)
			for _, s := range stages {
				if s == stage {
					return stage, nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the payment's stage is %q, and should have become %s", stage, strings.Join(stages, " or "))
		case <-time.After(40 * time.Millisecond):
		}
	}
}

func (t *tour) sell(ctx context.Context, want string) (string, error) {
	payment, err := t.begin(ctx)
	if err != nil {
		return "", err
	}
	if _, err := t.until(ctx, payment, want); err != nil {
		return "", err
	}
	return payment, nil
}

func (t *tour) approved(ctx context.Context) (string, error) {
	payment, err := t.sell(ctx, "approved")
	if err != nil {
		return "", err
	}
	page, err := t.desk.open(strings.Replace(payment, "/payments/", "/receipts/", 1))
	if err != nil {
		return "", err
	}
	number := first(page, `Receipt number (\d+)`)
	if number == "" {
		return "", errors.New("there is no numbered receipt")
	}
	return "approved; receipt no. " + number, nil
}

// hand gives the terminal a command, as a person in front of it would.
func (t *tour) hand(line string) (sim.Reply, error) {
	var r sim.Reply
	text, err := Terminal(t.Dir, line)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, err
	}
	if !r.OK {
		return r, errors.New("the terminal refused: " + r.Error)
	}
	return r, nil
}

func (t *tour) declined(ctx context.Context) (string, error) {
	if _, err := t.hand("decline"); err != nil {
		return "", err
	}
	before, err := t.charged()
	if err != nil {
		return "", err
	}
	if _, err := t.sell(ctx, "declined"); err != nil {
		return "", err
	}
	after, err := t.charged()
	if err != nil {
		return "", err
	}
	if before != after {
		return "", errors.New("the terminal charged a declined card")
	}
	return "declined; nothing was charged, the books are as before", nil
}

// charged returns what the terminal's truth ledger took from cards in all.
func (t *tour) charged() (money.Amount, error) {
	lines, err := sim.ReadLedger(t.path(truthFile))
	return sim.Net(lines), err
}

// kill ends the daemon as a power cut would, and starts it again.
func (t *tour) kill(ctx context.Context) error {
	if err := t.daemon.signal(syscall.SIGKILL); err != nil {
		return err
	}
	begun := time.Now()
	if err := t.startDaemon(ctx); err != nil {
		return err
	}
	t.say(fmt.Sprintf("    killed, and open again after %.2f s", time.Since(begun).Seconds()))
	return nil
}

// resolved waits until the payment is final, and proves that what Coffer says
// of it is what the terminal did since before.
func (t *tour) resolved(ctx context.Context, payment string, before money.Amount) (string, error) {
	stage, err := t.until(ctx, payment, "approved", "not_charged", "not_sent", "declined", "cancelled", "timeout")
	if err != nil {
		return "", err
	}
	after, err := t.charged()
	if err != nil {
		return "", err
	}
	if (after != before) != (stage == "approved") {
		return "", fmt.Errorf("the page says %s, but the terminal took %s", stage, after-before)
	}
	return fmt.Sprintf("Coffer says %s, the terminal took %s", strings.ReplaceAll(stage, "_", " "), after-before), nil
}

// presenting begins a sale that now waits for the card. Before is what the
// terminal had taken until then.
func (t *tour) presenting(ctx context.Context) (payment string, before money.Amount, err error) {
	if before, err = t.charged(); err != nil {
		return "", 0, err
	}
	payment, err = t.sell(ctx, "present")
	return payment, before, err
}

func (t *tour) killedBeforeCard(ctx context.Context) (string, error) {
	payment, before, err := t.presenting(ctx)
	if err != nil {
		return "", err
	}
	if err := t.kill(ctx); err != nil {
		return "", err
	}
	return t.resolved(ctx, payment, before)
}

func (t *tour) killedAfterCharge(ctx context.Context) (string, error) {
	before, err := t.charged()
	if err != nil {
		return "", err
	}
	payment, err := t.begin(ctx)
	if err != nil {
		return "", err
	}
	if err := t.untilCharged(ctx, before); err != nil {
		return "", err
	}
	if err := t.kill(ctx); err != nil {
		return "", err
	}
	seen, err := t.resolved(ctx, payment, before)
	if err == nil && !strings.Contains(seen, "approved") {
		err = errors.New(seen)
	}
	return seen, err
}

// untilCharged waits until the terminal has taken another sum than before.
func (t *tour) untilCharged(ctx context.Context, before money.Amount) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		now, err := t.charged()
		if err != nil || now != before {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("the terminal charged nothing")
		case <-time.After(time.Millisecond):
		}
	}
}

func (t *tour) unplugged(ctx context.Context) (string, error) {
	payment, before, err := t.presenting(ctx)
	if err != nil {
		return "", err
	}
	if _, err := t.hand("unplug"); err != nil {
		return "", err
	}
	if _, err := t.until(ctx, payment, "unplugged", "unknown"); err != nil {
		return "", err
	}
	t.say("    Coffer says that it does not know yet, and what it does about it")
	if _, err := t.hand("plug"); err != nil {
		return "", err
	}
	return t.resolved(ctx, payment, before)
}

// agree compares the card clearing account, as the accountant sees it, with
// what the terminal took from cards since the clinic began.
func (t *tour) agree(context.Context) (string, error) {
	var err error
	if t.books == nil { // a one-time code signs in once
		if t.books, err = t.person("books"); err != nil {
			return "", err
		}
	}
	page, err := t.books.open("/books/accounts/1060")
	if err != nil {
		return "", err
	}
	books := first(page, `Balance ([0-9.,-]+)`)
	took, err := t.charged()
	if err != nil {
		return "", err
	}
	if strings.ReplaceAll(books, ",", "") != took.String() {
		return "", fmt.Errorf("account 1060 holds %s, the terminal took %s", books, took)
	}
	return fmt.Sprintf("account 1060 holds %s, the terminal took %s", books, took), nil
}

// verify runs cofferctl as the person who looks after the box would.
func (t *tour) verify(ctx context.Context) (string, error) {
	ctl, err := sibling("cofferctl")
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, ctl, "verify", "--socket", t.path(controlFile)).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cofferctl verify: %w\n%s", err, out)
	}
	return strings.Join(strings.Fields(string(out)), " "), nil
}
