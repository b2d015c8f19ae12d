package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/backup"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// box is a software TPM and the root key of one store.
type box struct {
	dir    string
	device string
	header string
	seed   *recovery.Seed
	key    *seal.Key
	stop   func() error
}

func newBox(ctx context.Context, dir string) (*box, error) {
	tpm, err := os.MkdirTemp("", "tpm") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	b := &box{dir: dir, header: filepath.Join(dir, "coffer.seal"), seed: recovery.New()}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	device, stop, err := seal.StartSoftwareTPM(ctx, tpm)
	if err != nil {
		return nil, err
	}
	b.device, b.stop = device, func() error { return errors.Join(stop(), os.RemoveAll(tpm)) }
	b.key, err = seal.Provision(ctx, device, b.header, b.setup())
	if err != nil {
		return nil, errors.Join(err, b.stop())
	}
	return b, nil
}

// setup says how the box seals.
func (b *box) setup() seal.Setup {
	return seal.Setup{Now: time.Now(), Recovery: b.seed.Public()}
}

// options say how the box's store is opened; furnishing makes commits durable
// only when it is closed.
func (b *box) options(furnishing bool) vault.Options {
	return vault.Options{
		Dir: filepath.Join(b.dir, "store"), Key: b.key, NoSync: furnishing,
		Tables: append(backup.Tables(), blobs),
		Anchor: seal.NewAnchor(b.device, b.key),
	}
}

func (b *box) close() error {
	b.key.Wipe()
	return b.stop()
}
