package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"coffer/internal/money"
)

// Reply is the control socket's answer to one line.
type Reply struct {
	OK         bool          `json:"ok"`
	Error      string        `json:"error,omitempty"`
	Status     *Status       `json:"status,omitempty"`
	Ledger     []Truth       `json:"ledger,omitempty"`
	Net        *money.Amount `json:"net_cents,omitempty"` // of the ledger: charges less voids and refunds
	Violations []Violation   `json:"violations,omitempty"`
	Faults     []FaultName   `json:"faults,omitempty"` // that can be armed
}

// FaultName is a fault that can be armed.
type FaultName struct {
	Name  Kind   `json:"name"`
	About string `json:"about"`
}

// ControlHelp is what the control socket understands, one command a line.
const ControlHelp = `tap [CARD]           present a card (visa, mastercard, amex, discover, jcb, declined, poor, prepaid, slow)
insert [CARD]        put a card into the chip reader
swipe [CARD]         pull a card through the magnetic reader
by-hand, by-itself   whether a card waits for a hand, or is presented by itself
decline              present a card that is declined, or have the next sale declined
cancel               press the red key; also: press cancel
unplug, plug         pull the cable; put it in again
power-off, power-on  cut the power, also: pull-power; switch on
fault NAME [NTH]     arm a fault, for the NTH occasion; or a whole fault as JSON;
                     without a name, the names that there are
ledger               what the issuer has done
status               what the screen shows, and more
violations           what -strict has found
quit                 end the terminal`

var errWord = errors.New("sim: no such command; one of: tap, insert, swipe, by-hand, by-itself, decline, cancel, unplug, plug, power-off, power-on, fault, ledger, status, violations, quit")

// Command carries out one line of the control socket: words, or JSON of the
// form {"do":"fault","args":["nak","2"]} or {"do":"fault","fault":{…}}. The
// line "quit" is the caller's to act on.
func (s *Sim) Command(line string) Reply {
	var r Reply
	if err := s.obey(line, &r); err != nil {
		return Reply{Error: strings.TrimPrefix(err.Error(), "sim: ")}
	}
	r.OK = true
	return r
}

func (s *Sim) obey(line string, r *Reply) error {
	words := strings.Fields(line)
	var fault *Fault
	if strings.HasPrefix(strings.TrimSpace(line), "{") {
		var j struct {
			Do    string   `json:"do"`
			Args  []string `json:"args"`
			Fault *Fault   `json:"fault"`
		}
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			return fmt.Errorf("sim: not a command: %w", err)
		}
		words, fault = append([]string{j.Do}, j.Args...), j.Fault
	}
	words = append(words, "", "", "")
	switch words[0] {
	case "tap":
		return s.Tap(words[1])
	case "insert":
		return s.Insert(words[1])
	case "decline":
		return s.Decline()
	case "by-hand", "by-itself":
		return s.ByHand(words[0] == "by-hand")
	case "swipe":
		return s.Swipe(words[1])
	case "cancel":
		return s.Cancel()
	case "press":
		if words[1] != "cancel" {
			return ErrKey
		}
		return s.Cancel()
	case "unplug":
		return s.Unplug()
	case "plug":
		return s.Plug()
	case "power-off", "pull-power":
		return s.PowerOff()
	case "power-on":
		return s.PowerOn()
	case "fault":
		if fault == nil && words[1] == "" {
			r.Faults = s.faultNames()
			return nil
		}
		return s.faultCommand(line, words, fault)
	case "quit":
		return nil
	}
	return s.question(words[0], r)
}

// question answers what changes nothing.
func (s *Sim) question(word string, r *Reply) error {
	switch word {
	case "ledger":
		r.Ledger = s.Ledger()
		net := Net(r.Ledger)
		r.Net = &net
	case "status":
		st := s.Status()
		r.Status = &st
	case "violations":
		r.Violations = s.Violations()
	default:
		return errWord
	}
	return nil
}

func (s *Sim) faultNames() []FaultName {
	var names []FaultName
	for _, k := range s.o.Protocol.Kinds() {
		names = append(names, FaultName{k, k.About()})
	}
	return names
}

func (s *Sim) faultCommand(line string, words []string, f *Fault) error {
	if f == nil {
		f = &Fault{Kind: Kind(words[1])}
		if _, rest, ok := strings.Cut(line, "{"); ok && !strings.HasPrefix(strings.TrimSpace(line), "{") {
			if err := json.Unmarshal([]byte("{"+rest), f); err != nil {
				return fmt.Errorf("sim: not a fault: %w", err)
			}
		} else if words[2] != "" {
			n, err := strconv.Atoi(words[2])
			if err != nil || n < 1 {
				return errors.New("sim: NTH is a number from 1")
			}
			f.Nth = n
		}
	}
	return s.Inject(*f)
}

// desk is the door of the control socket.
type desk struct {
	cable
	listener net.Listener
	conns    map[net.Conn]bool
}

func (d *desk) end() {
	d.listener.Close() // ends accept; there is nothing left to lose
	for c := range d.conns {
		c.Close() // the terminal is gone
	}
}

// ServeControl opens the control socket at path, readable by its owner only.
// quit, if not nil, runs once a line "quit" has been answered. A socket that
// nobody listens at any more is replaced.
func (s *Sim) ServeControl(path string, quit func()) error {
	if c, err := net.Dial("unix", path); err == nil {
		return errors.Join(fmt.Errorf("sim: somebody listens at %s already", path), c.Close())
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("sim: cannot replace the control socket: %w", err)
		}
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("sim: cannot open the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("sim: cannot protect the control socket: %w", err), ln.Close())
	}
	d := &desk{listener: ln, conns: make(map[net.Conn]bool)}
	return s.do(func() error {
		s.doors = append(s.doors, d)
		s.wg.Go(func() { s.acceptControl(d, quit) })
		return nil
	})
}

func (s *Sim) acceptControl(d *desk, quit func()) {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return // the listener is closed
		}
		err = s.do(func() error {
			d.conns[conn] = true
			s.wg.Go(func() {
				s.serveControl(conn, quit)
				s.post(func() { delete(d.conns, conn) })
			})
			return nil
		})
		if err != nil {
			conn.Close() // the terminal is gone
		}
	}
}

// serveControl answers the lines of one connection.
func (s *Sim) serveControl(conn io.ReadWriteCloser, quit func()) {
	defer conn.Close() // every answer has been written by then, or cannot be
	in := bufio.NewScanner(conn)
	out := json.NewEncoder(conn)
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if line == "" {
			continue
		}
		if out.Encode(s.Command(line)) != nil {
			return // whoever asked has gone
		}
		if line == "quit" && quit != nil {
			quit()
		}
	}
}
