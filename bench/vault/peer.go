package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// peer is SQLCipher: the program sqlcipher with one encrypted database, asked
// for one durable transaction at a time. Its writers take turns at one
// connection, which is kinder to it than many that wait for one file lock.
type peer struct {
	mu    sync.Mutex
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	value string // 300 bytes of data as a hexadecimal literal
}

// recordBytes is the size of the record that both sides write.
const recordBytes = 300

// newPeer starts SQLCipher on a new database with a journal mode, "delete" or
// "wal". A statement that fails ends it.
func newPeer(ctx context.Context, dir, mode string) (*peer, error) {
	dir, err := os.MkdirTemp(dir, "peer-")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "sqlcipher", "-batch", "-bail", filepath.Join(dir, mode+".db"))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &peer{cmd: cmd, in: in, out: bufio.NewReader(out), value: "x'" + strings.Repeat("a7", recordBytes) + "'"}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return p, p.ask("PRAGMA key = 'a passphrase of the bench'; PRAGMA journal_mode = " + mode +
		"; PRAGMA synchronous = FULL; CREATE TABLE records (id INTEGER PRIMARY KEY, value BLOB);")
}

// ask has statements carried out and waits until they are.
func (p *peer) ask(statements string) error {
	if _, err := io.WriteString(p.in, statements+" SELECT 'done';\n"); err != nil {
		return err
	}
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			return fmt.Errorf("sqlcipher ended: %w", err)
		}
		if line == "done\n" {
			return nil
		}
	}
}

// put makes one record durable.
func (p *peer) put() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ask("INSERT INTO records (value) VALUES (" + p.value + ");")
}

func (p *peer) close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// measurePeer returns SQLCipher's commits a second.
func measurePeer(ctx context.Context, dir, mode string, writers int, span time.Duration) (float64, error) {
	p, err := newPeer(ctx, dir, mode)
	if err != nil {
		return 0, fmt.Errorf("sqlcipher can't be run (install the package sqlcipher): %w", err)
	}
	rate, err := measure(writers, span, p.put)
	return rate, errors.Join(err, p.close())
}

// measure has so many writers call put for the span and returns calls a
// second.
func measure(writers int, span time.Duration, put func() error) (float64, error) {
	var all sync.WaitGroup
	counts, failures := make([]int, writers), make([]error, writers)
	since := time.Now()
	for w := range writers {
		all.Go(func() {
			for time.Since(since) < span {
				if failures[w] = put(); failures[w] != nil {
					return
				}
				counts[w]++
			}
		})
	}
	all.Wait()
	took, n := time.Since(since), 0
	for _, c := range counts {
		n += c
	}
	return perSecond(n, took), errors.Join(failures...)
}
