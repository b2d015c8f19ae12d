package vault

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"coffer/internal/fault"
)

// coffer.clean is written by Close, when nothing will change the store file any
// more, and removed before an opening changes it: it seals the file, every byte
// of it, from stop to start. There is none after a kill or a power cut.

const (
	cleanName  = "coffer.clean"
	cleanNew   = "coffer.clean.new"
	cleanLabel = "clean" // of Key.Derive
	cleanHead  = 1 + 4 + 8
	cleanBytes = cleanHead + sha256.Size
	aadClean   = "coffer/clean/1"

	formatClean = 0x01
)

// cleanSeal returns the content of coffer.clean for the file: 0x01 |
// generation u32 of the root | size u64 | HMAC.
func cleanSeal(root *rootKeys, f io.ReaderAt, size int64) ([]byte, error) {
	b := binary.BigEndian.AppendUint32([]byte{formatClean}, root.generation)
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	mac := hmac.New(sha256.New, root.clean[:])
	mac.Write([]byte(aadClean))
	mac.Write(root.storeID[:])
	mac.Write(b)
	if _, err := io.CopyBuffer(mac, io.NewSectionReader(f, 0, size), make([]byte, 1<<20)); err != nil {
		return nil, diskFault(err)
	}
	return mac.Sum(b), nil
}

// stoppedClean compares the file with coffer.clean: true when it is as Close
// left it, false when there is no coffer.clean, ErrAltered otherwise.
func (v *Vault) stoppedClean() (bool, error) {
	f, err := openRegular(filepath.Join(v.options.Dir, cleanName), os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, diskFault(err)
	}
	var b [cleanBytes + 1]byte
	n, err := io.ReadFull(f, b[:])
	if err := f.Close(); err != nil {
		return false, diskFault(err)
	}
	if err != io.ErrUnexpectedEOF || n != cleanBytes {
		return false, ErrAltered
	}
	root, ok := v.keys.at(binary.BigEndian.Uint32(b[1:]))
	size, err := v.fileBytes()
	if err != nil || !ok || uint64(size) != binary.BigEndian.Uint64(b[5:]) {
		return false, cmp.Or[error](err, ErrAltered)
	}
	want, err := cleanSeal(root, v.file, size)
	if err != nil || !hmac.Equal(want, b[:n]) {
		return false, cmp.Or[error](err, ErrAltered)
	}
	return true, nil
}

// unseal removes coffer.clean, durably, before the file is changed.
func (v *Vault) unseal() error {
	err := os.Remove(filepath.Join(v.options.Dir, cleanName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return diskFault(cmp.Or(err, syncDir(v.options.Dir)))
}

// sealClean writes coffer.clean for the file as it is. Without it the next
// opening only takes longer.
func (v *Vault) sealClean() {
	size, err := v.fileBytes()
	var b []byte
	if err == nil {
		b, err = cleanSeal(v.state.root, v.file, size)
	}
	if err == nil {
		err = replaceFile(v.options.Dir, cleanName, cleanNew, b)
	}
	if err != nil {
		v.options.Log.LogAttrs(context.Background(), slog.LevelWarn, "the store could not be sealed for the time that it is stopped", slog.String("detail", Detail(err)))
	}
}

// replaceFile writes a file under another name, and renames it when it is
// durable.
func replaceFile(dir, name, unfinished string, content []byte) error {
	path := filepath.Join(dir, unfinished)
	f, err := openRegular(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = cmp.Or(err, f.Sync()); err != nil {
		return cmp.Or(err, f.Close())
	}
	return cmp.Or(f.Close(), os.Rename(path, filepath.Join(dir, name)), syncDir(dir))
}

// verifySealed verifies the file and, at the same time, compares it with
// coffer.clean.
func (v *Vault) verifySealed() (verified, heads, error) {
	type result struct {
		clean bool
		err   error
	}
	sealed := make(chan result, 1)
	go func() {
		clean, err := v.stoppedClean()
		sealed <- result{clean, err}
	}()
	s, h, err := v.verify()
	r := <-sealed
	v.clean = r.clean
	if r.err == error(ErrAltered) && err != nil {
		return s, h, fault.Wrap(err, fault.Corrupt, textAltered)
	}
	return s, h, cmp.Or(r.err, err)
}
