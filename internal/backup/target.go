package backup

import (
	"context"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	"coffer/internal/fault"
)

// TargetConfig is one target as the boot file names it.
type TargetConfig struct {
	// Name is what pages and commands call it; empty: the kind and place.
	Name string
	// Target is "dir:/path", "usb:LABEL" or "sftp://user@host:port/path".
	Target string
	// HostKey is the server's public key as in known_hosts: "ssh-ed25519 AAAA…".
	HostKey string
	// KeyFile is the path of the private key that signs in at the server.
	KeyFile string
	// Hourly sends the increments of each hour there, not only the nightly backup.
	Hourly bool
}

// Target is a place that takes backups. The box only ever adds to it: a file
// is created under a name that was never used, written under that name with
// the ending ".partial", and renamed when it is whole. Nothing is overwritten
// or deleted; what to keep is the target's own business.
type Target struct {
	Name   string
	Kind   string // "dir", "usb" or "sftp"
	Place  string // path, label, or host and path
	Hourly bool
	dial   func(context.Context) (session, error)
}

// session is a target while it is being used. Its methods are used by one
// goroutine at a time, and give faults of this package.
type session interface {
	list() ([]fs.FileInfo, error)
	create(name string) (file, error) // fails if it exists
	open(name string) (io.ReadCloser, error)
	rename(from, to string) error // fails if to exists
	close() error
}

// file is a file being written.
type file interface {
	io.Writer
	Sync() error
	Close() error
}

// partial ends the name of a file that is not whole.
const partial = ".partial"

// NewTarget reads the boot file's words. It touches nothing; ErrTarget says
// that they are wrong.
func NewTarget(c TargetConfig) (*Target, error) {
	t := &Target{Name: c.Name, Hourly: c.Hourly}
	scheme, rest, _ := strings.Cut(c.Target, ":")
	switch {
	case scheme == "dir" && filepath.IsAbs(rest) && filepath.Clean(rest) == rest:
		t.Kind, t.Place, t.dial = "dir", rest, func(context.Context) (session, error) { return openDirectory(rest) }
	case scheme == "usb" && rest != "" && len(rest) <= 64 && !strings.ContainsAny(rest, "/\x00"):
		t.Kind, t.Place, t.dial = "usb", rest, stick{label: rest, links: byLabel, mounts: mountInfo}.open
	case scheme == "sftp":
		u, err := url.Parse(c.Target)
		if err != nil {
			return nil, because(ErrTarget, err)
		}
		s, err := newServer(u, c)
		if err != nil {
			return nil, err
		}
		t.Kind, t.Place, t.dial = "sftp", u.Host+u.Path, s.open
	default:
		return nil, ErrTarget
	}
	if t.Name == "" {
		t.Name = t.Kind + ":" + t.Place
	}
	return t, nil
}

// List returns the backups at the target, the newest first, and how many
// files were begun and never finished. Files with other names are passed over.
func (t *Target) List(ctx context.Context) (list []Entry, unfinished int, err error) {
	s, err := t.dial(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = first(err, s.close()) }()
	infos, err := s.list()
	if err != nil {
		return nil, 0, err
	}
	for _, info := range infos {
		name, cut := strings.CutSuffix(info.Name(), partial)
		n, err := ParseName(name)
		switch {
		case err != nil || !info.Mode().IsRegular():
		case cut:
			unfinished++
		default:
			list = append(list, Entry{n, info.Size()})
		}
	}
	sortEntries(list)
	return list, unfinished, nil
}

// add writes a new file through fn and gives it its name when fn has returned
// nil and the bytes are on the target's disk.
func (t *Target) add(ctx context.Context, n Name, fn func(io.Writer) error) (err error) {
	s, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = first(err, s.close()) }()
	f, err := s.create(n.String() + partial)
	if err != nil {
		return err
	}
	err = fn(f)
	if err == nil {
		err = f.Sync()
	}
	if err = first(err, f.Close()); err != nil {
		return err
	}
	return s.rename(n.String()+partial, n.String())
}

// read gives fn the file of that name.
func (t *Target) read(ctx context.Context, n Name, fn func(io.Reader) error) (err error) {
	s, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = first(err, s.close()) }()
	f, err := s.open(n.String())
	if err != nil {
		return err
	}
	err = fn(&cancellable{ctx, f})
	return first(err, f.Close())
}

// cancellable stops a reading when its context ends.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancellable) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

// first returns err, or if that is nil the second error, as closing errors
// matter only when nothing else failed.
func first(err, second error) error {
	if err != nil {
		return err
	}
	return second
}

// because returns the sentinel with a cause that is never shown.
func because(sentinel *fault.Error, err error) error { return &reason{sentinel, err} }

// reason is a sentinel with a cause.
type reason struct {
	sentinel *fault.Error
	cause    error
}

// Error returns the sentinel's text.
func (r *reason) Error() string { return r.sentinel.Error() }

// Unwrap returns both, so errors.Is and errors.As find either.
func (r *reason) Unwrap() []error { return []error{r.sentinel, r.cause} }
