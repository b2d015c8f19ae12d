package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"coffer/internal/access"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// campaign is a store, what was told of it, and what became of that.
type campaign struct {
	place
	seed   uint64
	random *rand.Rand
	out    io.Writer
	start  func(args ...string) *exec.Cmd

	tpmProgram *exec.Cmd
	commits    int // told of
	tpmKills   int
	seals      int // new stores in new TPMs
	healed     int // openings that took commits from the journal
	refused    int // openings that failed
	lost       int // commits that were told of and are gone
}

func newCampaign(p place, seed uint64, out io.Writer, start func(args ...string) *exec.Cmd) *campaign {
	return &campaign{place: p, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), out: out, start: start}
}

// run kills rounds processes, and returns an error unless all held.
func (c *campaign) run(ctx context.Context, rounds int) (err error) {
	if err := c.setUp(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.killTPM()) }()
	round := 0
	for ; round < rounds && ctx.Err() == nil && c.refused+c.lost == 0; round++ {
		act := c.round
		if round%8 == 2 || round%8 == 7 { // in the second the TPM is killed too
			act = c.sealRound
		}
		if err := act(ctx, round); err != nil {
			fmt.Fprintf(c.out, "round %d: %v\n", round, err)
			c.refused++
		}
	}
	fmt.Fprintf(c.out, "%d rounds, %d of them of sealing, %d kills of the TPM, %d commits told of, %d openings healed: %d acknowledged commits lost, %d refused opens that should open\n",
		round, c.seals, c.tpmKills, c.commits, c.healed, c.lost, c.refused)
	if c.refused+c.lost != 0 {
		return errors.New("not all held")
	}
	return ctx.Err()
}

// setUp makes the TPM, the header and the store.
func (c *campaign) setUp(ctx context.Context) error {
	if err := c.startTPM(); err != nil {
		return err
	}
	return c.make(ctx)
}

// startTPM runs the program swtpm on the campaign's state.
func (c *campaign) startTPM() error {
	if err := errors.Join(os.MkdirAll(c.tpm(), 0o700), os.RemoveAll(c.device())); err != nil {
		return err
	}
	c.tpmProgram = exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+c.tpm()+",mode=0600",
		"--server", "type=unixio,path="+c.device()+",mode=0600", "--flags", "startup-clear", "--log", "level=0")
	if err := c.tpmProgram.Start(); err != nil {
		return err
	}
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if conn, err := net.Dial("unix", c.device()); err == nil {
			return conn.Close()
		} else if time.Now().After(until) {
			return err
		}
	}
}

// killTPM ends the program without warning.
func (c *campaign) killTPM() error {
	if err := c.tpmProgram.Process.Kill(); err != nil {
		return err
	}
	_ = c.tpmProgram.Wait() // it ended by the signal
	return nil
}

// round lets one process live for a moment, and looks at what is left.
func (c *campaign) round(ctx context.Context, n int) error {
	told, err := c.live(n, strconv.Itoa(n))
	if err != nil {
		return err
	}
	if n%4 == 3 {
		if err := c.startTPM(); err != nil {
			return err
		}
	}
	c.commits += len(told)
	return c.inspect(ctx, n, told)
}

// live runs a process, kills it and in every fourth round the TPM too, and
// returns what it told.
func (c *campaign) live(n int, life string) (told []string, err error) {
	p := c.start(c.dir, strconv.FormatUint(c.seed+uint64(n), 10), life)
	var words strings.Builder
	p.Stderr = &words
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	first, _ := lines.ReadString('\n') // without it the process has ended, which is seen below
	wait := time.Duration(c.random.IntN(int(150 * time.Millisecond)))
	killed := make(chan error, 1)
	time.AfterFunc(wait, func() {
		var err error
		if n%4 == 3 {
			c.tpmKills++
			err = c.killTPM()
		}
		killed <- errors.Join(err, p.Process.Kill())
	})
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a line without an end was not finished
		}
		told = append(told, strings.TrimSpace(line))
	}
	err = <-killed
	ended := p.Wait()
	if first == "" || p.ProcessState.Exited() && n%4 != 3 {
		return nil, fmt.Errorf("the process ended by itself: %w %s", errors.Join(ended, err), words.String())
	}
	return told, nil
}

// inspect opens the store, now and then checks all of it, and looks for what
// was told.
func (c *campaign) inspect(ctx context.Context, n int, told []string) (err error) {
	v, err := c.open(ctx)
	if err != nil {
		return fmt.Errorf("%w (%s %s %s)", err, vault.Code(err), vault.Detail(err), seal.Detail(err))
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	s := v.Status()
	if s.Healed.To != 0 {
		c.healed++
	}
	if s.Lost != 0 || s.Torn {
		c.lost++
		return fmt.Errorf("lost %d, torn %v", s.Lost, s.Torn)
	}
	err = v.View(ctx, request(access.ChargeRead, access.KindNone), func(tx *vault.Tx) error {
		for _, tag := range told {
			found := 0
			for _, err := range rows.Find(tx, "tag", tag) {
				if found++; err != nil {
					return err
				}
			}
			if found != 2 {
				c.lost++
				fmt.Fprintf(c.out, "round %d: of %s %d rows\n", n, tag, found)
			}
		}
		return nil
	})
	if err == nil && n%16 == 0 {
		_, err = v.Check(ctx, request(access.StoreVerify, access.KindStore))
	}
	return err
}
