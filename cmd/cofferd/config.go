package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // the clinic's zone must be known on any box

	"github.com/pelletier/go-toml/v2"

	"coffer/firmware-config"
	"coffer/internal/backup"
	"coffer/internal/duty"
	"coffer/internal/money"
	"coffer/internal/seal"
	"coffer/internal/terminal/simplify"
)

// Config is the boot file: what the daemon must know before it can open the
// store. Everything that a clinic changes in daily work lives in the store,
// with an audit event; nothing here is a secret. A key that is not listed here
// is refused, so a misspelt setting cannot be overlooked.
type Config struct {
	// Clinic is the clinic's name as receipts and pages print it.
	Clinic string `toml:"clinic"`
	// Zone is the clinic's IANA time zone, "America/New_York". Business dates
	// follow it.
	Zone string `toml:"zone"`
	// State is the directory of the store and of coffer.seal, mode 0700.
	State string `toml:"state"`
	// TPM is the TPM 2.0: a character device, or the unix socket of swtpm.
	TPM string `toml:"tpm"`
	// Listen is the address of the HTTPS pages: one of the box's LAN addresses
	// and a port. Every address at once ("0.0.0.0", ":443") is refused.
	Listen string `toml:"listen"`
	// Names are the DNS names and addresses under which browsers reach the box;
	// requests for any other host are refused, and the box's certificate names
	// these and no others.
	Names []string `toml:"names"`
	// Control is the unix socket for cofferctl, mode 0600.
	Control string `toml:"control"`
	// Terminals are the card terminals.
	Terminals []TerminalConfig `toml:"terminal"`
	// Limits are what one person may decide alone about money that goes back.
	Limits LimitsConfig `toml:"limits"`
	// Profiles names a directory with profiles of terminals of the clinic's own.
	Profiles ProfilesConfig `toml:"profiles"`
	// Backups are the places to which backups go.
	Backups []BackupConfig `toml:"backup"`
	// Seal says how the books are sealed to the box.
	Seal SealConfig `toml:"seal"`
	// Demo marks a sample clinic: pages say so on every screen.
	Demo bool `toml:"demo"`
}

// TerminalConfig is one card terminal at this box.
type TerminalConfig struct {
	// Name is what the desk calls it: "desk-1".
	Name string `toml:"name"`
	// Address is "serial:/dev/coffer/term-SERIAL" or "tcp:host:port".
	Address string `toml:"address"`
	// Profile names a profile of firmware-config.
	Profile string `toml:"profile"`
	// TerminalID, Location and Chain are the names that Elavon gave for this
	// terminal; for Simplify only. Without them the PIN pad's own stand.
	TerminalID string `toml:"terminal_id"`
	Location   string `toml:"location"`
	Chain      string `toml:"chain"`
}

// LimitsConfig is what one person may decide alone, in dollars: "200.00". A
// larger amount needs a second person. What is left out is the usual.
type LimitsConfig struct {
	// Void is the largest own payment of the same day that its cashier voids alone.
	Void string `toml:"void"`
	// Refund is what may be refunded of one payment alone.
	Refund string `toml:"refund"`
	// Adjust is what may be adjusted or written off of one account on one day alone.
	Adjust string `toml:"adjust"`
}

// limits returns the limits, which check has read before.
func (l LimitsConfig) limits() (duty.Limits, error) {
	all := duty.UsualLimits
	for _, one := range []struct {
		name, text string
		to         *money.Amount
	}{{"void", l.Void, &all.Void}, {"refund", l.Refund, &all.Refund}, {"adjust", l.Adjust, &all.Adjust}} {
		if one.text == "" {
			continue
		}
		amount, err := money.Parse(one.text)
		if err != nil || amount < 0 {
			return duty.Limits{}, fmt.Errorf(`limits: write %s in dollars and cents, as in %s = "25.00"`, one.name, one.name)
		}
		*one.to = amount
	}
	return all, nil
}

// merchant returns how the processor knows the terminal.
func (t TerminalConfig) merchant() simplify.Merchant {
	return simplify.Merchant{Terminal: t.TerminalID, Location: t.Location, Chain: t.Chain}
}

// ProfilesConfig names a directory that is laid over the profiles, allow lists
// and inspection steps of terminals that came with the program. While it is not
// signed by the key, it is refused, and those stay in force.
type ProfilesConfig struct {
	// Directory is laid out as firmware-config, with a manifest and its
	// signature.
	Directory string `toml:"directory"`
	// Key is the file with the Ed25519 public key, PEM, that signs it.
	Key string `toml:"key"`
}

// catalogue returns what is known of models of terminals. With an error, it is
// what came with the program.
func (c Config) catalogue() (firmwareconfig.Catalogue, error) {
	if c.Profiles == (ProfilesConfig{}) {
		return firmwareconfig.Catalogue{}, nil
	}
	return firmwareconfig.OpenDirectory(c.Profiles.Directory, c.Profiles.Key)
}

// BackupConfig is one place to which backups go. The box only ever adds to it.
type BackupConfig struct {
	// Name is what pages and commands call it: "nas".
	Name string `toml:"name"`
	// Target is "dir:/path", "usb:LABEL" or "sftp://user@host:port/path".
	Target string `toml:"target"`
	// HostKey is the SFTP server's public key as in known_hosts.
	HostKey string `toml:"host_key"`
	// KeyFile is the path of the private key that signs in at the SFTP server.
	KeyFile string `toml:"key_file"`
	// Hourly sends what was written in each hour there, not only the nightly
	// backup.
	Hourly bool `toml:"hourly"`
}

// target returns the target that the boot file means.
func (b BackupConfig) target() (*backup.Target, error) {
	return backup.NewTarget(backup.TargetConfig{Name: b.Name, Target: b.Target, HostKey: b.HostKey, KeyFile: b.KeyFile, Hourly: b.Hourly})
}

// targets returns the targets of the boot file, which check has read before.
func (c Config) targets() ([]*backup.Target, error) {
	var all []*backup.Target
	for _, b := range c.Backups {
		t, err := b.target()
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// SealConfig says how the root key is sealed.
type SealConfig struct {
	// Level is "measured", "secureboot" or "bound": what the box must have booted
	// to open its books. It is used when the key is sealed: by init, by
	// "cofferctl seal reseal" and by recovery.
	Level string `toml:"level"`
	// Signatures is the file with the policy signatures of the software that
	// runs, for level measured.
	Signatures string `toml:"signatures"`
	// ReleaseKey is the file with the public key, PEM, that signs releases, for
	// level measured.
	ReleaseKey string `toml:"release_key"`
	// Epoch is the epoch of releases that may open the books, for level measured.
	Epoch string `toml:"epoch"`
}

// readConfig reads and checks a boot file. Its errors name the key and say
// what to write instead.
func readConfig(name string) (Config, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the boot file: %w", err)
	}
	c := Config{
		Zone: "America/New_York", State: "/var/lib/coffer", TPM: "/dev/tpmrm0",
		Listen: "127.0.0.1:8443", Names: []string{"localhost"}, Control: "/run/coffer/control.sock",
		Seal: SealConfig{Level: string(seal.Bound), Signatures: signaturesFile},
	}
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("%s: %s", name, explain(err))
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// explain returns the decoder's longer text, which points at the line.
func explain(err error) string {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		return "unknown setting\n" + strict.String()
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		return decode.Error() + "\n" + decode.String()
	}
	return err.Error()
}

func (c Config) check() error {
	if strings.TrimSpace(c.Clinic) == "" {
		return errors.New(`clinic: write the clinic's name, as in clinic = "Harbor Lane Counseling"`)
	}
	if _, err := time.LoadLocation(c.Zone); err != nil || c.Zone == "" || c.Zone == "Local" {
		return fmt.Errorf("zone: %q is not a time zone; write one such as America/Chicago", c.Zone)
	}
	if !filepath.IsAbs(c.State) || !filepath.IsAbs(c.Control) || !filepath.IsAbs(c.TPM) {
		return errors.New("state, control and tpm: write whole paths, beginning with /")
	}
	host, _, ok := strings.Cut(c.Listen, ":")
	if !ok || host == "" || host == "0.0.0.0" || strings.HasPrefix(c.Listen, "[::]") {
		return fmt.Errorf("listen: %q would listen on every network; write one address of the clinic's LAN and a port, such as 192.168.10.2:443", c.Listen)
	}
	if len(c.Names) == 0 {
		return errors.New(`names: write the names under which browsers reach the box, as in names = ["coffer.internal"]`)
	}
	names := map[string]bool{}
	for _, b := range c.Backups {
		if b.Name == "" || names[b.Name] {
			return errors.New("backup: give each place a name of its own")
		}
		names[b.Name] = true
		if _, err := b.target(); err != nil {
			return fmt.Errorf("backup %s: %w", b.Name, err)
		}
	}
	if err := c.Seal.check(); err != nil {
		return err
	}
	if _, err := c.Limits.limits(); err != nil {
		return err
	}
	if p := c.Profiles; (p.Directory == "") != (p.Key == "") || p.Directory != "" && (!filepath.IsAbs(p.Directory) || !filepath.IsAbs(p.Key)) {
		return errors.New("profiles: name both directory and key, with whole paths")
	}
	catalogue, refused := c.catalogue()
	seen := map[string]bool{}
	for _, t := range c.Terminals {
		if t.Name == "" || seen[t.Name] {
			return errors.New("terminal: give each terminal a name of its own")
		}
		seen[t.Name] = true
		if !strings.HasPrefix(t.Address, "serial:/") && !strings.HasPrefix(t.Address, "tcp:") {
			return fmt.Errorf("terminal %s: address must be serial:/dev/… or tcp:host:port", t.Name)
		}
		if _, err := catalogue.Profile(t.Profile); err != nil {
			return errors.Join(fmt.Errorf("terminal %s: there is no profile %q", t.Name, t.Profile), refused)
		}
		if !t.merchant().Valid() {
			return fmt.Errorf("terminal %s: terminal_id, location and chain are up to 32 letters, digits and dashes", t.Name)
		}
	}
	return nil
}

func (c Config) zone() *time.Location {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return time.UTC // check has refused this
	}
	return zone
}

// check looks at the words of the seal; the release key is read when it is
// needed.
func (s SealConfig) check() error {
	switch seal.Level(s.Level) {
	case seal.SecureBoot, seal.Bound:
		return nil
	case seal.Measured:
		if !filepath.IsAbs(s.ReleaseKey) || s.Epoch == "" {
			return errors.New("seal: level measured needs release_key, a whole path, and epoch")
		}
		return nil
	}
	return fmt.Errorf("seal: there is no level %q; write measured, secureboot or bound", s.Level)
}

// sealSetup returns how the boot file wants the root key sealed.
func (c Config) sealSetup() (seal.Setup, error) {
	s := seal.Setup{Level: seal.Level(c.Seal.Level)}
	if s.Level != seal.Measured {
		return s, nil
	}
	text, err := os.ReadFile(c.Seal.ReleaseKey)
	block, _ := pem.Decode(text)
	if err != nil || block == nil {
		return s, seal.ErrRelease
	}
	s.Release = seal.Release{Key: block.Bytes, Epoch: c.Seal.Epoch, Signatures: c.proof("").Signatures}
	return s, nil
}
