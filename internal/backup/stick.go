package backup

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	byLabel   = "/dev/disk/by-label"
	mountInfo = "/proc/self/mountinfo"
)

// stick is a file system that is found by its label: udev links the label to
// the device, the kernel says where the device is mounted.
type stick struct {
	label  string
	links  string // directory of udev's links by label
	mounts string // the kernel's list of mounts
}

// open finds the stick where it is mounted now.
func (s stick) open(context.Context) (session, error) {
	device, err := filepath.EvalSymlinks(filepath.Join(s.links, linkName(s.label)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrTargetAbsent
	}
	if err != nil {
		return nil, fileFault(err)
	}
	at, err := mountPoint(s.mounts, device)
	if err != nil {
		return nil, err
	}
	return openDirectory(at)
}

// linkName spells a label as udev does: what is not a plain character is \xNN.
func linkName(label string) string {
	var b strings.Builder
	const hex = "0123456789abcdef"
	for _, c := range []byte(label) {
		plain := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80 || strings.IndexByte("#+-.:=@_", c) >= 0
		if plain {
			b.WriteByte(c)
		} else {
			b.WriteString(`\x`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// mountPoint returns where a device is mounted, by the format of
// proc_pid_mountinfo(5): the fifth field is the mount point, and two fields
// after the separator " - " stands the device.
func mountPoint(list, device string) (string, error) {
	f, err := os.Open(list)
	if err != nil {
		return "", fileFault(err)
	}
	defer f.Close() // opened for reading
	at := ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 2 || left[3] != "/" {
			continue
		}
		source := unescapeMount(right[1])
		if real, err := filepath.EvalSymlinks(source); err == nil {
			source = real
		}
		if source == device {
			at = unescapeMount(left[4]) // a later mount covers an earlier one
		}
	}
	if err := lines.Err(); err != nil {
		return "", fileFault(err)
	}
	if at == "" {
		return "", ErrTargetUnmounted
	}
	return at, nil
}

// unescapeMount undoes the kernel's octal escapes of white space and backslash.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
