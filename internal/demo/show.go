package demo

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"text/template"
	"time"

	"coffer/firmware-config"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/terminal"
	"coffer/internal/terminal/sim"
)

// The files of the demo directory.
const (
	signInsFile = "sign-ins.json"
	configFile  = "cofferd.toml"
	truthFile   = "terminal.jsonl"
	lineFile    = "terminal.tty"
	deskFile    = "terminal.sock"
	controlFile = "control.sock"
	stateDir    = "state"
	madeFile    = "made"
	sheetFile   = "recovery-sheet.txt"
	backupsDir  = "backups"
)

const (
	terminalName    = "desk-1"
	terminalProfile = "sim-pax"
	terminalSerial  = "53236566"
)

// Sample is what furnishing needs: the boot file and where things are.
type Sample struct {
	Config string // path of the boot file
	Dir    string // the demo's directory
	Seed   uint64
	// Recovery is the public half of the sample clinic's recovery sheet.
	Recovery recovery.Public
}

// Terminals returns the sample clinic's terminal, in memory and without human
// delays, under the identifier that the daemon will use, and what stops it.
// Its truth goes on in the same ledger as the terminal on the serial line.
func (s Sample) Terminals(id ident.ID[ident.Terminal], profile string) ([]*terminal.Terminal, func(), error) {
	p, err := firmwareconfig.Profile(profile)
	if err != nil {
		return nil, nil, err
	}
	device, err := sim.New(sim.Options{Serial: terminalSerial, Ledger: filepath.Join(s.Dir, truthFile), Seed: s.Seed})
	if err != nil {
		return nil, nil, err
	}
	t := terminal.Start(terminal.Config{ID: id, Name: terminalName, Profile: p, Dial: device.Dial})
	return []*terminal.Terminal{t}, func() { device.Close() }, nil
}

// Show is one showing of the sample clinic.
type Show struct {
	Dir    string // absolute; made if missing
	Listen string // address of the pages
	// TerminalPage is the loopback address of the simulated terminal's own page.
	TerminalPage string
	Seed         uint64
	Fresh        bool // begin anew
	Out          io.Writer
	// Furnish makes the store of the sample clinic.
	Furnish func(context.Context, Sample) error
}

// stage is the running demo: TPM, terminal and daemon.
type stage struct {
	Show
	address          string
	face             string // address of the terminal's page
	daemon, terminal *process
	stopTPM          func() error
}

// Run shows the clinic until ctx is done. A daemon that dies is started again,
// as the service manager does on a clinic's box.
func (s Show) Run(ctx context.Context) error {
	st, err := s.raise(ctx)
	if err != nil {
		return err
	}
	defer st.lower()
	if err := st.welcome(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(s.Out, "\nClosing. What was done stays in", s.Dir)
			return nil
		case <-st.daemon.ended():
			fmt.Fprintln(s.Out, "The daemon ended. Starting it again, as systemd would.")
			if err := st.startDaemon(ctx); err != nil {
				return err
			}
		case <-st.terminal.ended():
			if err := st.terminal.start(); err != nil {
				return err
			}
		}
	}
}

// raise starts everything, making the clinic first if there is none.
func (s Show) raise(ctx context.Context) (*stage, error) {
	if s.Fresh {
		if err := os.RemoveAll(s.Dir); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	st := &stage{Show: s}
	tpm, stop, err := seal.StartSoftwareTPM(ctx, filepath.Join(s.Dir, "tpm"))
	if err != nil {
		unlock()
		return nil, err
	}
	st.stopTPM = func() error { defer unlock(); return stop() }
	if err := st.prepare(ctx, tpm); err != nil {
		st.lower()
		return nil, err
	}
	return st, nil
}

// lock keeps a second demo out of the directory.
func (s Show) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another demo is running in %s: end it, or give this one another --dir", s.Dir)
	}
	return func() { f.Close() }, nil
}

func (st *stage) prepare(ctx context.Context, tpm string) error {
	var err error
	if st.address, err = freeAddress(st.Listen, "--listen"); err != nil {
		return err
	}
	if st.face, err = freeAddress(st.TerminalPage, "--terminal-page"); err != nil {
		return err
	}
	if err := st.writeConfig(tpm); err != nil {
		return err
	}
	if err := st.furnish(ctx); err != nil {
		return err
	}
	if err := st.makeProcesses(); err != nil {
		return err
	}
	if err := st.terminal.start(); err != nil {
		return err
	}
	return st.startDaemon(ctx)
}

// freeAddress settles the port when none was named, and refuses one in use; flag
// names another.
func freeAddress(listen, flag string) (string, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", fmt.Errorf("cannot listen on %s: another program may hold the port; choose one with %s 127.0.0.1:PORT: %w", listen, flag, err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

var configTemplate = template.Must(template.New("config").Parse(`# The boot file of the sample clinic.
clinic = {{printf "%q" .Clinic}}
zone = "America/New_York"
state = {{printf "%q" .State}}
tpm = {{printf "%q" .TPM}}
listen = {{printf "%q" .Listen}}
names = ["localhost", "127.0.0.1"]
control = {{printf "%q" .Control}}
demo = true

[[backup]]
name = "here"
target = {{printf "%q" .Backups}}
hourly = true

[[terminal]]
name = {{printf "%q" .Name}}
address = {{printf "%q" .Line}}
profile = {{printf "%q" .Profile}}
`))

func (st *stage) path(name string) string { return filepath.Join(st.Dir, name) }

func (st *stage) writeConfig(tpm string) error { return st.writeConfigFor(tpm, st.path(backupsDir)) }

// writeConfigFor writes the boot file of a box with that TPM whose backups go
// to that directory.
func (st *stage) writeConfigFor(tpm, backups string) error {
	f, err := os.OpenFile(st.path(configFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return configTemplate.Execute(f, map[string]string{
		"Clinic": ClinicName, "State": st.path(stateDir), "TPM": tpm, "Listen": st.address, "Control": st.path(controlFile), "Backups": "dir:" + backups,
		"Name": terminalName, "Line": "serial:" + st.path(lineFile), "Profile": terminalProfile,
	})
}

// furnish makes the clinic unless a former showing has.
func (st *stage) furnish(ctx context.Context) error {
	if made, err := os.ReadFile(st.path(madeFile)); err == nil {
		fmt.Fprintf(st.Out, "The sample clinic of %s goes on where it stopped. Its day list ends there; --fresh makes a new one.\n", made)
		return nil
	}
	for _, half := range []string{stateDir, truthFile, signInsFile, sheetFile, backupsDir} {
		if err := os.RemoveAll(st.path(half)); err != nil {
			return err
		}
	}
	fmt.Fprintf(st.Out, "Making the sample clinic: %d clients, %d days of history …\n", clientCount, HistoryDays)
	begun := time.Now()
	sheet, err := st.writeSheet()
	if err != nil {
		return err
	}
	if err := st.Furnish(ctx, Sample{Config: st.path(configFile), Dir: st.Dir, Seed: st.Seed, Recovery: sheet}); err != nil {
		return fmt.Errorf("cannot make the sample clinic: %w", err)
	}
	fmt.Fprintf(st.Out, "Made in %.1f s.\n", time.Since(begun).Seconds())
	return os.WriteFile(st.path(madeFile), []byte(begun.Format(time.DateOnly)), 0o600)
}

// writeSheet makes the sample clinic's recovery sheet and leaves it in a file,
// so that a guest can play the day on which it is needed. On a clinic's box it
// is on paper and nowhere else.
func (st *stage) writeSheet() (recovery.Public, error) {
	if err := os.Mkdir(st.path(backupsDir), 0o700); err != nil {
		return recovery.Public{}, err
	}
	seed := recovery.New()
	defer seed.Wipe()
	return seed.Public(), os.WriteFile(st.path(sheetFile), []byte(seed.Text()+"\n"), 0o600)
}

func (st *stage) makeProcesses() error {
	var err error
	if st.daemon, err = st.daemonProcess(); err != nil {
		return err
	}
	simulator, err := sibling("terminalsim")
	if err != nil {
		return err
	}
	st.terminal = &process{name: "terminalsim", log: st.path("terminalsim.log"), args: []string{
		simulator, "-protocol", "pax", "-pty", st.path(lineFile), "-ledger", st.path(truthFile), "-control", st.path(deskFile),
		"-serial", terminalSerial, "-seed", fmt.Sprint(st.Seed), "-card-delay", "2s", "-web", st.face,
	}}
	return nil
}

// daemonProcess returns the daemon of the stage's boot file, not started.
func (st *stage) daemonProcess() (*process, error) {
	daemon, err := sibling("cofferd")
	if err != nil {
		return nil, err
	}
	return &process{name: "cofferd", log: st.path("cofferd.log"), args: []string{daemon, "run", "--config", st.path(configFile)}}, nil
}

// startDaemon starts the daemon and waits until it answers.
func (st *stage) startDaemon(ctx context.Context) error {
	if err := st.daemon.start(); err != nil {
		return err
	}
	return st.daemon.waitFor(ctx, 30*time.Second, func() bool {
		return st.answers()
	})
}

// answers reports whether the daemon answers at its port, be it only with the
// page of a sealed box: whoever vouches for it is not asked here.
func (st *stage) answers() bool {
	dialer := &net.Dialer{Timeout: time.Second}
	conn, err := tls.DialWithDialer(dialer, "tcp", st.address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func (st *stage) lower() {
	for _, p := range []*process{st.daemon, st.terminal} {
		if p == nil {
			continue
		}
		if err := p.signal(syscall.SIGTERM); err != nil {
			fmt.Fprintln(st.Out, err)
		}
	}
	if err := st.stopTPM(); err != nil {
		fmt.Fprintln(st.Out, "The software TPM did not stop cleanly:", err)
	}
}

// readSignIns returns the sample sign-ins of a demo directory.
func readSignIns(dir string) ([]SignIn, error) {
	text, err := os.ReadFile(filepath.Join(dir, signInsFile))
	if err != nil {
		return nil, fmt.Errorf("there is no sample clinic in %s yet: run ./script/demo first", dir)
	}
	var all []SignIn
	return all, json.Unmarshal(text, &all)
}

// Code returns the one-time code that the authenticator of a sample sign-in
// shows now.
func Code(dir, name string) (string, error) {
	all, err := readSignIns(dir)
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if s.Name == name {
			return identity.Code(s.Secret, time.Now())
		}
	}
	return "", fmt.Errorf("nobody signs in as %q in the sample clinic; the names stand in %s", name, filepath.Join(dir, signInsFile))
}

// welcome prints what a guest needs.
func (st *stage) welcome() error {
	all, err := readSignIns(st.Dir)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(st.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s is open at\n\n    https://%s\n\n", ClinicName, st.named())
	fmt.Fprintf(w, "The browser will warn: the box vouches for itself. Its authority is %s\n\n", st.path(stateDir+"/box-authority.pem"))
	fmt.Fprintln(w, "Sign in as\tname\tpassword\tone-time code")
	for _, s := range all {
		fmt.Fprintf(w, "%s (%s)\t%s\t%s\t./script/demo code %s\n", s.Display, s.Role, s.Name, s.Password, s.Name)
	}
	fmt.Fprintf(w, "\nThe card terminal has a page of its own: tap, insert, swipe, cancel, pull its cable, read its truth:\n\n    http://%s\n\n", st.face)
	fmt.Fprintf(w, "Until you present cards by hand there, a test card comes two seconds after a sale. The same from a shell:\n\n")
	for _, c := range [][2]string{
		{"decline", "the next card is declined"},
		{"unplug", "pull its cable; 'plug' puts it in again"},
		{"cancel", "press its red key"},
		{"ledger", "what the card's bank would say"},
		{"status", "what its screen shows"},
	} {
		fmt.Fprintf(w, "    ./script/demo terminal %s\t%s\n", c[0], c[1])
	}
	fmt.Fprintf(w, "\nTo prove it: .build/cofferctl verify --socket %s\n", st.path(controlFile))
	fmt.Fprintf(w, "To back it up and prove that it restores: .build/cofferctl backup create --socket %s (and backup drill)\n", st.path(controlFile))
	fmt.Fprintf(w, "Its recovery sheet, on paper anywhere else: %s\n", st.path(sheetFile))
	fmt.Fprintf(w, "To hurt it:  kill -9 %d (it is started again, and no payment is lost)\n\nCtrl-C ends it.\n", st.daemon.pid())
	return w.Flush()
}

// named returns the address by a name, which browsers like better.
func (st *stage) named() string {
	if _, port, err := net.SplitHostPort(st.address); err == nil {
		return "localhost:" + port
	}
	return st.address
}

// Terminal gives one command to the sample terminal's control socket and
// returns its answer.
func Terminal(dir, line string) (string, error) {
	conn, err := net.DialTimeout("unix", filepath.Join(dir, deskFile), 2*time.Second)
	if err != nil {
		return "", fmt.Errorf("the sample terminal does not run: start ./script/demo in another window")
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	answer := make([]byte, 1<<20)
	n := 0
	for n == 0 || answer[n-1] != '\n' {
		m, err := conn.Read(answer[n:])
		if n += m; err != nil {
			return "", err
		}
	}
	return string(answer[:n-1]), nil
}
