package vault_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/access/accesstest"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// job is what a child process is told.
type job struct {
	Dir, Device, Header string
	Turn                bool   // change the keys meanwhile
	Stay                string // exchange the root up to this step
}

const jobEnv = "COFFER_TEST_JOB"

// TestMain runs the child's part when the test binary is run as a child.
func TestMain(m *testing.M) {
	if text := os.Getenv(jobEnv); text != "" {
		if err := childOf(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// open unseals and opens the job's store.
func (j job) open() (*vault.Vault, error) {
	key, err := seal.Unseal(context.Background(), j.Device, j.Header, seal.Proof{})
	if err != nil {
		return nil, err
	}
	return vault.Open(context.Background(), accesstest.System("test"),
		vault.Options{Dir: j.Dir, Key: key, Tables: []vault.AnyTable{clients, entries}, MapBytes: 1 << 30})
}

// writeUntilKilled inserts entries from several goroutines and prints the tag
// of each after its commit.
func writeUntilKilled(j job) error {
	ctx := context.Background()
	v, err := j.open()
	if err != nil {
		return err
	}
	start := v.Status().Sequence
	var mu sync.Mutex
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				tag := fmt.Sprintf("%d-%d-%d", start, w, i)
				if err = v.Update(ctx, writing, func(tx *vault.Tx) error { return insertTwice(tx, tag) }); err != nil {
					return
				}
				mu.Lock()
				fmt.Println(tag)
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	return err
}

// insertTwice inserts two entries that must stand or fall together.
func insertTwice(tx *vault.Tx, tag string) error {
	for range 2 {
		if _, err := entries.Insert(tx, vault.Row[note, vault.None]{Shared: note{Tag: tag, At: tx.Now()}}); err != nil {
			return err
		}
	}
	return nil
}

// TestKilledWriterLosesNothing kills a writing process at random moments.
// Every commit that it was told of must be there after each, whole.
func TestKilledWriterLosesNothing(t *testing.T) {
	j := job{Dir: t.TempDir() + "/store", Device: sealtest.TPM(t), Header: t.TempDir() + "/coffer.seal"}
	key, err := seal.Provision(t.Context(), j.Device, j.Header, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	o := vault.Options{Dir: j.Dir, Key: key, Tables: []vault.AnyTable{clients, entries}, MapBytes: 1 << 30}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	acked := map[string]bool{}
	for round := range 12 {
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		for _, tag := range runAndKill(t, j, 1+rand.IntN(300)) {
			acked[tag] = true
		}
		if v, err = vault.Open(t.Context(), accesstest.System("test"), o); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if s := v.Status(); s.Torn || s.Lost != 0 || s.Witness != vault.WitnessKnown {
			t.Fatalf("round %d: %+v", round, s)
		}
		if _, err := v.Check(t.Context(), verify); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		view(t, v, func(tx *vault.Tx) error { return whole(tx, acked) })
	}
	t.Logf("%d commits acknowledged, 0 lost", len(acked))
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

// whole reports acknowledged commits that are missing, and any half of one.
func whole(tx *vault.Tx, acked map[string]bool) error {
	count := map[string]int{}
	for row, err := range entries.All(tx) {
		if err != nil {
			return err
		}
		count[row.Shared.Tag]++
	}
	return eachTwice(count, acked)
}

// eachTwice reports a commit that is not there with both of its rows.
func eachTwice(count map[string]int, acked map[string]bool) error {
	for tag, n := range count {
		if n != 2 {
			return fmt.Errorf("commit %s left %d of 2 rows", tag, n)
		}
	}
	for tag := range acked {
		if count[tag] == 0 {
			return fmt.Errorf("acknowledged commit %s is lost", tag)
		}
	}
	return nil
}

// runAndKill starts a child, kills it after it has acknowledged n commits and
// a random moment more, and returns everything it acknowledged.
func runAndKill(t *testing.T, j job, n int) []string {
	t.Helper()
	return runAndAsk(t, j, n, func() {})
}

// runAndAsk is runAndKill, with something that is done before the kill.
func runAndAsk(t *testing.T, j job, n int, before func()) []string {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), jobEnv+"="+string(text))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var tags []string
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // a line without an end was not finished: not acknowledged
		}
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, strings.TrimSpace(line))
		if len(tags) == n {
			before()
			time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { _ = c.Process.Kill() }) // its end is seen below
		}
	}
	if err := c.Wait(); err == nil || c.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v (after %s commits)", err, strconv.Itoa(len(tags)))
	}
	return tags
}

// TestSecondProcess opens and creates a store that another process has open.
func TestSecondProcess(t *testing.T) {
	j := job{Dir: t.TempDir() + "/store", Device: sealtest.TPM(t), Header: t.TempDir() + "/coffer.seal"}
	key, err := seal.Provision(t.Context(), j.Device, j.Header, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	o := vault.Options{Dir: j.Dir, Key: key, Tables: []vault.AnyTable{clients, entries}, MapBytes: 1 << 30}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	asked := 0
	meanwhile := func() {
		asked++
		if _, err := vault.Open(t.Context(), accesstest.System("test"), o); !errors.Is(err, vault.ErrInUse) || vault.Code(err) != "STORE-002" {
			t.Errorf("Open beside another process = %v", err)
		}
		if _, err := vault.Create(t.Context(), accesstest.System("test"), o); !errors.Is(err, vault.ErrInUse) {
			t.Errorf("Create beside another process = %v", err)
		}
	}
	acked := map[string]bool{}
	for _, tag := range runAndAsk(t, j, 3, meanwhile) {
		acked[tag] = true
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	survive(t, o, "after the other process", acked)
}
