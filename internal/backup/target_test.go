package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func someName(seq uint64) Name {
	return Name{Kind: Full, StoreID: someStore, Sequence: seq, Time: time.UnixMilli(1_764_000_000_000 + int64(seq)).UTC()}
}

func target(t *testing.T, c TargetConfig) *Target {
	t.Helper()
	g, err := NewTarget(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func putting(content string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}
}

// conforms runs what every target must do. at is its directory as the test
// sees it.
func conforms(t *testing.T, g *Target, at string) {
	t.Helper()
	ctx := t.Context()
	big := bytes.Repeat([]byte("0123456789abcdef"), 400_000)
	for _, n := range []Name{someName(1), someName(2)} {
		if err := g.add(ctx, n, putting(string(big))); err != nil {
			t.Fatal(err)
		}
	}
	var got bytes.Buffer
	if err := g.read(ctx, someName(1), func(r io.Reader) error { return second(io.Copy(&got, r)) }); err != nil || !bytes.Equal(got.Bytes(), big) {
		t.Fatalf("%d bytes, %v", got.Len(), err)
	}
	if err := g.add(ctx, someName(1), putting("another")); !errors.Is(err, ErrNameTaken) {
		t.Fatalf("a name used twice: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(at, someName(1).String())); err != nil || !bytes.Equal(b, big) {
		t.Fatal("the file of that name was changed")
	}
	if err := g.read(ctx, someName(9), func(io.Reader) error { return nil }); !errors.Is(err, ErrTargetAbsent) {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"notes.txt": "x", someName(3).String() + partial: "cut"} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.add(ctx, someName(3), putting("new")); !errors.Is(err, ErrNameTaken) {
		t.Fatalf("an unfinished file was taken over: %v", err)
	}
	failure := errors.New("the store failed")
	if err := g.add(ctx, someName(4), func(io.Writer) error { return failure }); !errors.Is(err, failure) {
		t.Fatal(err)
	}
	list, unfinished, err := g.List(ctx)
	if err != nil || unfinished < 2 || len(list) != 2 || list[0].Sequence != 2 || list[1].Sequence != 1 || list[0].Bytes != int64(len(big)) {
		t.Fatalf("%+v, %d unfinished, %v", list, unfinished, err)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	conforms(t, target(t, TargetConfig{Target: "dir:" + dir}), dir)
}

func TestDirectoryThatIsNotThere(t *testing.T) {
	g := target(t, TargetConfig{Target: "dir:" + filepath.Join(t.TempDir(), "unmounted")})
	if _, _, err := g.List(t.Context()); !errors.Is(err, ErrTargetAbsent) {
		t.Fatal(err)
	}
}

// TestFullTarget: /dev/full answers every write with ENOSPC.
func TestFullTarget(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := (diskFile{f}).Write([]byte("x")); !errors.Is(err, ErrTargetFull) {
		t.Fatal(err)
	}
}

func TestNoBackupThroughALink(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := target(t, TargetConfig{Target: "dir:" + dir})
	at := filepath.Join(dir, someName(1).String())
	if err := os.Symlink(outside, at); err != nil {
		t.Fatal(err)
	}
	if err := g.add(t.Context(), someName(1), putting("x")); !errors.Is(err, ErrNameTaken) {
		t.Fatal(err)
	}
	if err := g.read(t.Context(), someName(1), func(io.Reader) error { return nil }); err == nil {
		t.Fatal("read what is outside")
	}
	if list, _, err := g.List(t.Context()); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, someName(2).String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.read(t.Context(), someName(2), func(io.Reader) error { return nil }); !errors.Is(err, ErrFormat) {
		t.Fatal(err)
	}
}

// fakeStick has udev's links and the kernel's mounts in files, for a stick
// that is mounted at dir.
func fakeStick(t *testing.T, label, dir string) (s stick, plug, mount func(bool)) {
	t.Helper()
	at := t.TempDir()
	s = stick{label: label, links: filepath.Join(at, "by-label"), mounts: filepath.Join(at, "mountinfo")}
	device := filepath.Join(at, "sdz1")
	for _, err := range []error{os.Mkdir(s.links, 0o700), os.WriteFile(device, nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	plug = func(in bool) {
		link := filepath.Join(s.links, linkName(label))
		if in {
			do(os.Symlink(device, link))
		} else {
			do(os.Remove(link))
		}
	}
	mount = func(on bool) {
		lines := "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
		if on {
			lines += "40 22 8:17 / " + strings.ReplaceAll(dir, " ", `\040`) + " rw,nosuid shared:7 - vfat " + device + " rw\n"
		}
		do(os.WriteFile(s.mounts, []byte(lines), 0o600))
	}
	mount(false)
	return s, plug, mount
}

func TestStick(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my stick")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, plug, mount := fakeStick(t, "COFFER 1", dir)
	g := target(t, TargetConfig{Target: "usb:COFFER 1"})
	g.dial = s.open
	if _, _, err := g.List(t.Context()); !errors.Is(err, ErrTargetAbsent) {
		t.Fatal(err)
	}
	plug(true)
	if _, _, err := g.List(t.Context()); !errors.Is(err, ErrTargetUnmounted) {
		t.Fatal(err)
	}
	mount(true)
	conforms(t, g, dir)
	plug(false)
	if err := g.add(t.Context(), someName(8), putting("x")); !errors.Is(err, ErrTargetAbsent) {
		t.Fatal(err)
	}
}

// TestStickPulledInTheMiddle: the stick's file system goes away under the
// writer, and the empty mount point appears in its place.
func TestStickPulledInTheMiddle(t *testing.T) {
	at := t.TempDir()
	dir := filepath.Join(at, "stick")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, plug, mount := fakeStick(t, "COFFER", dir)
	plug(true)
	mount(true)
	g := target(t, TargetConfig{Target: "usb:COFFER"})
	g.dial = s.open
	err := g.add(t.Context(), someName(1), func(w io.Writer) error {
		if _, err := io.WriteString(w, "half"); err != nil {
			return err
		}
		for _, err := range []error{os.RemoveAll(dir), os.Mkdir(dir, 0o700)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return second(io.WriteString(w, "half"))
	})
	if Code(err) == "" {
		t.Fatalf("written into nothing: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Fatal("written beside the stick", left, err)
	}
}

func TestLabelsAsUdevSpellsThem(t *testing.T) {
	for label, want := range map[string]string{"COFFER": "COFFER", "A B": `A\x20B`, `a"b`: `a\x22b`, "größe": "größe", "x.y-z_1": "x.y-z_1"} {
		if got := linkName(label); got != want {
			t.Errorf("%q: %q", label, got)
		}
	}
}

func TestWordsOfTargets(t *testing.T) {
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4hYbBLH2QJLXkGfU2tTMQcnjcZ7nVLBGPgFQnYMHTB"
	for _, c := range []TargetConfig{
		{Target: ""}, {Target: "dir:"}, {Target: "dir:relative"}, {Target: "dir:/a/../b"}, {Target: "usb:"}, {Target: "usb:a/b"},
		{Target: "ftp://a@b/c"}, {Target: "/var/backups"},
		{Target: "sftp://nas/backups", HostKey: key, KeyFile: "/k"}, {Target: "sftp://u:secret@nas/backups", HostKey: key, KeyFile: "/k"},
		{Target: "sftp://u@nas/backups", KeyFile: "/k"}, {Target: "sftp://u@nas/backups", HostKey: "ssh-ed25519 AAAA", KeyFile: "/k"},
		{Target: "sftp://u@nas/backups", HostKey: key}, {Target: "sftp://u@nas", HostKey: key, KeyFile: "/k"},
	} {
		if _, err := NewTarget(c); !errors.Is(err, ErrTarget) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	g := target(t, TargetConfig{Target: "sftp://u@nas:2222/backups", HostKey: key, KeyFile: "/k", Hourly: true})
	if g.Kind != "sftp" || g.Place != "nas:2222/backups" || !g.Hourly {
		t.Errorf("%+v", g)
	}
}

func TestCancelledReading(t *testing.T) {
	dir := t.TempDir()
	g := target(t, TargetConfig{Target: "dir:" + dir})
	if err := g.add(t.Context(), someName(1), putting("x")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.read(ctx, someName(1), func(r io.Reader) error { return second(io.ReadAll(r)) }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
