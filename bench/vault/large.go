package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// perCommit is how many records the large store gets in one commit.
const perCommit = 2000

// large measures a store of b.records records.
func (b *bench) large(ctx context.Context) error {
	own, err := newBox(ctx, filepath.Join(b.dir, "large"))
	if err != nil {
		return err
	}
	err = b.fill(ctx, own)
	for _, part := range []func(context.Context, *box) error{b.open, b.backup, b.unseal} {
		if err == nil {
			err = part(ctx, own)
		}
	}
	if err == nil {
		err = b.auditTrail()
	}
	return errors.Join(err, own.close())
}

// fill makes the large store.
func (b *bench) fill(ctx context.Context, box *box) error {
	v, err := vault.Create(ctx, accesstest.System("bench"), box.options(true))
	if err != nil {
		return err
	}
	value := make([]byte, recordBytes)
	took, err := spent(func() error {
		for done := 0; done < b.records; done += perCommit {
			err := v.Update(ctx, writing, func(tx *vault.Tx) error {
				for range min(perCommit, b.records-done) {
					if _, err := blobs.Insert(tx, vault.Row[blob, vault.None]{Shared: blob{value}}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return v.Close()
	})
	b.row("records/s, loaded in large commits", fmt.Sprintf("%.0f", perSecond(b.records, took)), "", "")
	return err
}

// open measures opening with the file out of the page cache, and what memory
// the open store holds, in a process of its own.
func (b *bench) open(ctx context.Context, box *box) error {
	if err := forget(filepath.Join(box.dir, "store", "coffer.db")); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.CommandContext(ctx, self, openOnly, box.device, box.header, filepath.Join(box.dir, "store"))
	child.Stderr = os.Stderr
	text, err := child.Output()
	if err != nil {
		return err
	}
	var o opened
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	b.row(fmt.Sprintf("cold open, %d records all verified", b.records), fmt.Sprintf("%.1f s", o.Took.Seconds()), "", "≤ 10 s at 1e6")
	b.row("memory of the process with the open store", fmt.Sprintf("%d MB", o.Memory>>20), fmt.Sprintf("%d MB with the pages of the file", o.Most>>20), "≤ 150 MB at 1e6")
	return nil
}

// openOnly is the first argument of the process that only opens a store.
const openOnly = "open-only"

// opened is what that process tells.
type opened struct {
	Took         time.Duration
	Memory, Most int64 // bytes, after a collection and the most that was resident
}

// openStore opens the store at args and tells what that took.
func openStore(ctx context.Context, args []string, out io.Writer) error {
	device, header, dir := args[0], args[1], args[2]
	key, err := seal.Unseal(ctx, device, header, seal.Proof{})
	if err != nil {
		return err
	}
	var v *vault.Vault
	var o opened
	o.Took, err = spent(func() (err error) {
		own := box{dir: filepath.Dir(dir), device: device, key: key}
		v, err = vault.Open(ctx, accesstest.System("bench"), own.options(false))
		return err
	})
	if err != nil {
		return err
	}
	debug.FreeOSMemory()
	if o.Memory, err = status("RssAnon:"); err == nil {
		o.Most, err = status("VmHWM:")
	}
	return errors.Join(err, json.NewEncoder(out).Encode(o), v.Close())
}

// forget takes a file out of the page cache.
func forget(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	return errors.Join(err, f.Close())
}

// status returns the bytes that the kernel names in a line of this process's
// status: RssAnon without the pages of files, VmHWM the most with them.
func status(name string) (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == name {
			kib, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the kernel does not say what memory is used")
}

// unseal measures unsealing the root key.
func (b *bench) unseal(ctx context.Context, box *box) error {
	const times = 20
	took, err := spent(func() error {
		for range times {
			k, err := seal.Unseal(ctx, box.device, box.header, seal.Proof{})
			if err != nil {
				return err
			}
			k.Wipe()
		}
		return nil
	})
	b.row("unseal, swtpm", fmt.Sprintf("%.1f ms", took.Seconds()/times*1e3), "", "≤ 50 ms")
	return err
}

// auditTrail measures what a verifier does with events: each leaf parsed and
// hashed, each opening compared, the root recomputed.
func (b *bench) auditTrail() error {
	records, head := trail(b.records)
	took, err := spent(func() error {
		problem, err := audit.Verify(head, all(records))
		if err == nil && problem != nil {
			err = fmt.Errorf("event %d: %s", problem.Position, problem.What)
		}
		return err
	})
	b.row("audit events/s verified, one core", fmt.Sprintf("%.0f", perSecond(len(records), took)), "", "≥ 400000")
	return err
}

// trail makes n events and the head of their tree.
func trail(n int) ([]audit.Record, audit.Tree) {
	records, head := make([]audit.Record, n), audit.Tree{}
	at := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	for i := range records {
		o := audit.NewOpening([32]byte{1, byte(i), byte(i >> 8), byte(i >> 16)}, audit.Detail{Key: "purpose", Value: "payment"})
		e := audit.Event{
			Seq: uint64(i), Time: at.Add(time.Duration(i) * time.Second), Boot: "0011223344556677", Actor: "desk", Via: "lan:192.0.2.7",
			Act: "client.read", Object: "client:" + strconv.Itoa(i), Outcome: audit.OK, Commit: o.Commit(),
		}
		records[i] = audit.Record{Leaf: e.AppendLeaf(nil), Opening: o}
		head = head.Append(audit.LeafHash(records[i].Leaf))
	}
	return records, head
}

func all(records []audit.Record) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}
