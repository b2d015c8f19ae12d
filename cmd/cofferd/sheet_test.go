package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"coffer/internal/access"
	"coffer/internal/ops"
	"coffer/internal/recovery"
	"coffer/internal/seal/sealtest"
)

// setUp makes the box's store with a recovery sheet in force, and returns the
// sheet's text.
func (b box) setUp(t *testing.T) string {
	t.Helper()
	seed := recovery.New()
	c, err := create(t.Context(), b.config, creation{issuer: access.NewIssuer(), now: b.config.clock(), recovery: seed.Public()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return seed.Text()
}

// answering runs cofferctl with answers on its standard input and returns
// standard output, standard error and the exit status.
func (b box) answering(t *testing.T, answers string, args ...string) (out, talk string, exit int) {
	t.Helper()
	cmd := exec.Command(program(t, "cofferctl"), append(args, "--stdin", "--socket", b.config.Control)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(answers), &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// printing makes a recovery sheet at the console: it reads what is printed and
// types back what is asked for, each answer changed by spoil. It returns the
// papers' texts and the exit status.
func (b box) printing(t *testing.T, before []string, spoil func(string) string, args ...string) (papers []string, exit int) {
	t.Helper()
	cmd := exec.Command(program(t, "cofferctl"), append([]string{"recovery", "print", "--json", "--stdin", "--socket", b.config.Control}, args...)...)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, line := range before {
		fmt.Fprintln(in, line)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var sheet ops.Sheet
	if err == nil {
		err = json.Unmarshal(line, &sheet)
	}
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	for _, p := range sheet.Papers {
		papers = append(papers, p.Text)
	}
	for _, a := range sheet.Ask {
		fmt.Fprintln(in, spoil(sheet.Papers[a.Paper-1].Groups[a.Group-1]))
	}
	in.Close()
	cmd.Wait() // its exit status is what counts
	return papers, cmd.ProcessState.ExitCode()
}

func same(s string) string { return s }

// TestFirstRun: before a recovery sheet is in force nothing is served but the
// ceremony, whatever page is asked for, and a sheet that is typed back wrong
// is not in force; after it the clinic is served without a restart.
func TestFirstRun(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	if err := initialise(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	r := b.start(t)
	for _, path := range []string{"/", "/today", "/sign-in"} {
		if status, page, err := b.page(path); err != nil || strings.Contains(page, `name="password"`) {
			t.Errorf("%s before the ceremony: %d %v\n%s", path, status, err, page)
		}
	}
	if _, exit := b.printing(t, nil, func(g string) string { return "0" + g[1:] + "0" }); exit != 2 {
		t.Errorf("a sheet typed back wrong: exit status %d", exit)
	}
	if out, exit := b.ctl(t, "seal", "status"); exit != 0 || !regexp.MustCompile(`recovery sheet +no`).MatchString(out) {
		t.Errorf("seal status exits %d:\n%s", exit, out)
	}
	papers, exit := b.printing(t, nil, strings.ToLower)
	if exit != 0 || len(papers) != 1 {
		t.Fatalf("exit status %d, %d papers\n%s", exit, len(papers), r.log)
	}
	b.await(t, r, func() bool {
		status, page, err := b.page("/sign-in")
		return err == nil && status == http.StatusOK && strings.Contains(page, `name="password"`)
	})
	if out, talk, exit := b.answering(t, papers[0]+"\n", "recovery", "test"); exit != 0 {
		t.Errorf("the sheet does not open: exit status %d\n%s%s", exit, out, talk)
	}
	if out, talk, exit := b.answering(t, recovery.New().Text()+"\n", "recovery", "test"); exit != 12 {
		t.Errorf("another sheet: exit status %d\n%s%s", exit, out, talk)
	}
	b.anotherSheet(t, papers[0])
}

// anotherSheet: with a sheet in force, IT gets no other one without it.
func (b box) anotherSheet(t *testing.T, present string) {
	t.Helper()
	if papers, exit := b.printing(t, []string{recovery.New().Text()}, same); exit == 0 || len(papers) > 0 {
		t.Errorf("a sheet for who has a wrong one: exit status %d", exit)
	}
	papers, exit := b.printing(t, []string{present}, same, "--shares")
	if exit != 0 || len(papers) != 3 {
		t.Fatalf("shares: exit status %d, %d papers", exit, len(papers))
	}
	if _, _, exit := b.answering(t, papers[0]+"\n"+papers[2]+"\n", "recovery", "test"); exit != 0 {
		t.Errorf("two shares do not open: exit status %d", exit)
	}
	if _, _, exit := b.answering(t, papers[1]+"\n"+papers[1]+"\n", "recovery", "test"); exit == 0 {
		t.Error("one share, given twice, opens")
	}
	if _, _, exit := b.answering(t, present+"\n", "recovery", "test"); exit != 12 {
		t.Errorf("the former sheet: exit status %d", exit)
	}
}
