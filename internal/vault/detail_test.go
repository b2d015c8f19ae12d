package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	bolterrors "go.etcd.io/bbolt/errors"

	"coffer/internal/fault"
)

// TestCausesHaveWordsAndDetails: what IT can mend is named to people, and the
// journal gets the system's own words.
func TestCausesHaveWordsAndDetails(t *testing.T) {
	at := func(cause error) error { return &fs.PathError{Op: "open", Path: "/s/coffer.db", Err: cause} }
	for name, c := range map[string]struct {
		err           error
		kind          fault.Kind
		words, detail string
	}{
		"read-only":   {at(syscall.EROFS), fault.Unavailable, "can only be read", "open /s/coffer.db: read-only file system"},
		"rights":      {at(syscall.EACCES), fault.Unavailable, "no right", "open /s/coffer.db: permission denied"},
		"directory":   {at(syscall.EISDIR), fault.Unavailable, "not a regular file", "open /s/coffer.db: is a directory"},
		"size limit":  {at(syscall.EFBIG), fault.Unavailable, "LimitFSIZE", "open /s/coffer.db: file too large"},
		"descriptors": {at(syscall.EMFILE), fault.Unavailable, "LimitNOFILE", "open /s/coffer.db: too many open files"},
		"full":        {at(syscall.ENOSPC), fault.Unavailable, "is full", "open /s/coffer.db: no space left on device"},
		"in use":      {bolterrors.ErrTimeout, fault.Conflict, "in use by another Coffer", "bbolt: timeout"},
		"link":        {&os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EROFS}, fault.Unavailable, "can only be read", "rename a b: read-only file system"},
		"unknown":     {errors.New("Wilhelmina"), fault.Internal, "can't be used", ""},
		"damage":      {damage("clients", 7, "a record is missing"), fault.Corrupt, "clients 7", "clients 7: a record is missing"},
		"panic":       {guard(func() error { panic("page 7 freed twice\nWilhelmina") }), fault.Corrupt, "damaged", "bbolt: page 7 freed twice"},
		"form":        {decode([]byte("\xa1\x01\x6aWilhelmina"), new(metaForm)), fault.Corrupt, "form", ""},
	} {
		err := diskFault(c.err)
		if fault.KindOf(err) != c.kind || !strings.Contains(fault.Message(err), c.words) || Detail(err) != c.detail {
			t.Errorf("%s: %v, %q, detail %q", name, fault.KindOf(err), fault.Message(err), Detail(err))
		}
		if text := fmt.Sprint(fault.Message(err), Detail(err)); strings.Contains(text, "Wilhelmina") {
			t.Errorf("%s: %q", name, text)
		}
	}
}
