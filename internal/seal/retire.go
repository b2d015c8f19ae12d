package seal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-tpm/tpm2"
)

// retiredSuffix names a header whose counters are gone from the TPM and whose
// files are being wiped.
const retiredSuffix = ".retired"

// Retire takes the store's counters out of the TPM, then overwrites and
// removes the header and its predecessor: nothing but the recovery seed opens
// the store and its backups from then on. It needs no PIN.
//
// It is refused, and nothing is changed, while the TPM at device is not the
// one that the header is sealed to or the header is not of its generation: a
// header whose TPM still gives out its secret is not retired. Cut at any
// moment it is finished by being called again. On flash, overwriting need not
// reach every copy; that the counters are gone makes what is left useless.
func Retire(ctx context.Context, device, headerPath string) error {
	return retire(ctx, device, headerPath, func(string) {})
}

// retire is Retire with a call after each of its steps.
func retire(ctx context.Context, device, headerPath string, after func(step string)) error {
	h, err := readHeader(headerPath)
	if errors.Is(err, ErrNoHeader) {
		if _, statErr := os.Lstat(headerPath + retiredSuffix); statErr != nil {
			return err
		}
		return wipeFiles(headerPath, after)
	}
	if err != nil {
		return err
	}
	if err := withTPM(ctx, device, func(m *tpm) error { return m.retire(h, after) }); err != nil {
		return err
	}
	if err := syncDir(headerPath, os.Rename(headerPath, headerPath+retiredSuffix)); err != nil {
		return err
	}
	after("renamed")
	return wipeFiles(headerPath, after)
}

// Disown takes the counters of a store that another has replaced out of the
// TPM and leaves its header: from then on only the recovery sheet opens it. It
// is refused as Retire is.
func Disown(ctx context.Context, device, headerPath string) error {
	h, err := readHeader(headerPath)
	if err != nil {
		return err
	}
	return withTPM(ctx, device, func(m *tpm) error { return m.retire(h, func(string) {}) })
}

// RetireUnfinished is Retire for the header of a store that did not come into
// use. It is refused, by ErrExists, while the header at inUse is there and has
// the same counters, or can't tell.
func RetireUnfinished(ctx context.Context, device, headerPath, inUse string) error {
	h, err := readHeader(headerPath)
	if err != nil {
		return err
	}
	switch live, err := readHeader(inUse); {
	case errors.Is(err, ErrNoHeader):
	case err != nil:
		return because(ErrExists, err)
	case h.sharesCounters(live):
		return ErrExists
	}
	return Retire(ctx, device, headerPath)
}

// sharesCounters reports whether two headers name a counter in common.
func (h *header) sharesCounters(other *header) bool {
	used := map[uint32]bool{}
	for _, r := range other.Roots {
		for _, slot := range r.TPM {
			used[slot.GenIndex] = true
		}
	}
	for _, r := range h.Roots {
		for _, slot := range r.TPM {
			if used[slot.GenIndex] {
				return true
			}
		}
	}
	return h.Anchor == other.Anchor
}

// retire removes the counters, the generation counter last: its value is what
// tells the store's own counters from those of a store that came later.
func (m *tpm) retire(h *header, after func(string)) error {
	if err := m.pinned(h.SRKName); err != nil {
		return err
	}
	for i := range h.Roots {
		slot, _, err := m.choose(&h.Roots[i])
		if errors.Is(err, ErrCounterMissing) {
			continue
		}
		if err != nil {
			return err
		}
		if err := m.removeOwn(h.Anchor); err != nil {
			return err
		}
		after("anchor removed")
		if err := m.removeOwn(slot.GenIndex); err != nil {
			return err
		}
		after("counter removed")
	}
	return nil
}

// removeOwn takes an index out of the TPM, if it is there.
func (m *tpm) removeOwn(index uint32) error {
	if err := m.removeCounter(tpm2.TPMHandle(index)); !isRC(err, tpm2.TPMRCHandle) {
		return err
	}
	return nil
}

// wipeFiles overwrites and removes every file of a retired header, the one
// that says so last.
func wipeFiles(headerPath string, after func(string)) error {
	left, err := unfinished(headerPath)
	if err != nil {
		return because(ErrWrite, err)
	}
	previous := headerPath + previousSuffix
	for _, name := range append(left, previous+".new", previous, headerPath+retiredSuffix) {
		if err := wipeFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return because(ErrWrite, err)
		}
		after("wiped")
	}
	return syncDir(headerPath, nil)
}

// unfinished lists what killed writers of the header left beside it.
func unfinished(headerPath string) ([]string, error) {
	dir, base := filepath.Split(headerPath)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), base+newInfix) && e.Type().IsRegular() {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names, nil
}

// wipeFile overwrites a file with zeros, makes that durable and removes it.
func wipeFile(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, min(info.Size(), 2*headerBytesMax)))
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Remove(name)
}
