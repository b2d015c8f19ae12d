package demo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"coffer/internal/identity"
	"coffer/internal/seal"
)

// ctl runs cofferctl as the person who looks after the box would, with the
// answers to its questions, and returns what it printed.
func (t *tour) ctl(ctx context.Context, answers string, args ...string) (string, error) {
	return t.ctlAt(ctx, t.path(controlFile), answers, args...)
}

func (t *tour) ctlAt(ctx context.Context, socket, answers string, args ...string) (string, error) {
	ctl, err := sibling("cofferctl")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, ctl, append(args, "--stdin", "--socket", socket)...)
	var out, talk bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(answers), &out, &talk
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cofferctl %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), talk.String())
	}
	return oneLine(out.String()), nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// backedUp makes a backup, and has the box prove that it restores.
func (t *tour) backedUp(ctx context.Context) (string, error) {
	made, err := t.ctl(ctx, "", "backup", "create")
	if err != nil {
		return "", err
	}
	t.say("    " + made)
	return t.ctl(ctx, "", "backup", "drill")
}

// headDestroyed kills the daemon, destroys the head page of the last commit,
// and sees whether what was confirmed is there.
func (t *tour) headDestroyed(ctx context.Context) (string, error) {
	if err := t.daemon.signal(syscall.SIGKILL); err != nil {
		return "", err
	}
	if err := destroyHead(t.path(filepath.Join(stateDir, "store", "coffer.db"))); err != nil {
		return "", err
	}
	if err := t.startDaemon(ctx); err != nil {
		return "", err
	}
	if seen, err := t.agree(ctx); err != nil {
		return "", err
	} else {
		t.say("    " + seen)
	}
	return t.ctl(ctx, "", "store", "check")
}

// destroyHead writes zeros over the newer of the two head pages.
func destroyHead(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	const page, number = 4096, 16 + 48
	heads := make([]byte, 2*page)
	if _, err := f.ReadAt(heads, 0); err != nil {
		return err
	}
	newer := int64(0)
	if binary.LittleEndian.Uint64(heads[page+number:]) > binary.LittleEndian.Uint64(heads[number:]) {
		newer = page
	}
	_, err = f.WriteAt(make([]byte, page), newer)
	return errors.Join(err, f.Sync())
}

// audited exports the trail as the privacy officer and has the program for
// auditors check it, with the keys that the recovery sheet would show.
func (t *tour) audited(ctx context.Context) (string, error) {
	officer, err := t.signInOf("officer")
	if err != nil {
		return "", err
	}
	code, err := identity.Code(officer.Secret, time.Now())
	if err != nil {
		return "", err
	}
	file := t.path("audit.tar")
	answers := officer.Name + "\n" + officer.Password + "\n" + code + "\n"
	if _, err := t.ctl(ctx, answers, "audit", "export", "--plain", "--reason", "the tour shows it to an auditor", file); err != nil {
		return "", err
	}
	program, err := sibling("cofferverify")
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, program, file).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cofferverify: %w\n%s", err, out)
	}
	return oneLine(string(out)), nil
}

// signInOf returns the first sample sign-in of a role.
func (t *tour) signInOf(role string) (SignIn, error) {
	all, err := readSignIns(t.Dir)
	for _, s := range all {
		if s.Role == role {
			return s, nil
		}
	}
	return SignIn{}, errors.Join(err, fmt.Errorf("nobody in the sample clinic is %s", role))
}

// reborn brings the clinic back on a box with another TPM, from the backup and
// the sheet.
func (t *tour) reborn(ctx context.Context) (string, error) {
	dir := t.path("reborn")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	tpm, stop, err := seal.StartSoftwareTPM(ctx, filepath.Join(dir, "tpm"))
	if err != nil {
		return "", err
	}
	seen, err := t.rebornOn(ctx, dir, tpm)
	return seen, errors.Join(err, stop())
}

func (t *tour) rebornOn(ctx context.Context, dir, tpm string) (string, error) {
	other := &stage{Show: Show{Dir: dir, Out: t.out}}
	var err error
	if other.address, err = freeAddress("127.0.0.1:0", "--listen"); err != nil {
		return "", err
	}
	if err := other.writeConfigFor(tpm, t.path(backupsDir)); err != nil {
		return "", err
	}
	if other.daemon, err = other.daemonProcess(); err != nil {
		return "", err
	}
	if err := other.startDaemon(ctx); err != nil {
		return "", err
	}
	defer func() {
		if err := other.daemon.signal(syscall.SIGTERM); err != nil {
			t.say("    " + err.Error())
		}
	}()
	sheet, err := os.ReadFile(t.path(sheetFile))
	if err != nil {
		return "", err
	}
	begun := time.Now()
	restored, err := t.ctlAt(ctx, other.path(controlFile), string(sheet), "restore", "--reason", "the tour burns the box down")
	if err != nil {
		return "", err
	}
	t.say(fmt.Sprintf("    %s, after %.1f s", restored, time.Since(begun).Seconds()))
	return t.ctlAt(ctx, other.path(controlFile), "", "verify")
}
