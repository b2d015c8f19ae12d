package host

import (
	"io/fs"
	"strings"
	"time"

	"coffer/internal/fault"

	"golang.org/x/sys/unix"
)

// Disk is the room of the file system that holds a path.
type Disk struct {
	FreeBytes  uint64 `json:"free_bytes"` // for an unprivileged process
	TotalBytes uint64 `json:"total_bytes"`
}

// FreePercent returns the free share in whole per cent, rounded down.
func (d Disk) FreePercent() int {
	if d.TotalBytes == 0 {
		return 0
	}
	return int(d.FreeBytes / max(d.TotalBytes/100, 1))
}

// DiskAt returns the room of the file system that holds path.
func DiskAt(path string) (Disk, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return Disk{}, fault.New(fault.Unavailable, "The data directory's disk does not answer. Check that it is mounted.")
	}
	size := uint64(s.Bsize)
	return Disk{FreeBytes: s.Bavail * size, TotalBytes: s.Blocks * size}, nil
}

// Sync says whether the wall clock follows a reference.
type Sync string

// The states of the clock. SyncUnknown: the kernel may not be asked, and no
// time service has left its mark.
const (
	SyncYes     Sync = "synchronized"
	SyncNo      Sync = "not_synchronized"
	SyncUnknown Sync = "unknown"
)

// Clock is what the machine says of its wall clock (PCI DSS 10.6.1).
type Clock struct {
	Sync     Sync          `json:"sync"`
	ErrorMax time.Duration `json:"error_max_ns"` // the kernel's bound; 0 if unknown
}

// timesyncMark is the file that systemd-timesyncd touches at each
// synchronization.
const timesyncMark = "run/systemd/timesync/synchronized"

// ClockFacts asks the kernel whether the clock is synchronized. A unit with
// ProtectClock may not ask; then the mark of systemd-timesyncd counts. root is
// the machine's root directory.
func ClockFacts(root fs.FS) Clock {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0:
		return Clock{Sync: SyncYes, ErrorMax: time.Duration(t.Maxerror) * time.Microsecond}
	case err == nil:
		return Clock{Sync: SyncNo}
	}
	return markedClock(root)
}

// markedClock judges by the time service's mark alone.
func markedClock(root fs.FS) Clock {
	if _, err := fs.Stat(root, timesyncMark); err == nil {
		return Clock{Sync: SyncYes}
	}
	return Clock{Sync: SyncUnknown}
}

// Firmware is what the machine says of its make, its boot and its TPM. Empty
// fields are unknown.
type Firmware struct {
	Vendor     string `json:"vendor"`
	Product    string `json:"product"`
	BIOS       string `json:"bios"`        // version
	BIOSDate   string `json:"bios_date"`   // as the firmware spells it
	SecureBoot string `json:"secure_boot"` // "on", "off", or "" without UEFI
	TPM        string `json:"tpm"`         // TPM family of the kernel's device: "2", "1", or ""
}

// secureBootVariable is the UEFI global variable SecureBoot.
const secureBootVariable = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

// FirmwareFacts reads the facts below root, the machine's root directory.
func FirmwareFacts(root fs.FS) Firmware {
	return Firmware{
		Vendor:     line(root, "sys/class/dmi/id/sys_vendor"),
		Product:    line(root, "sys/class/dmi/id/product_name"),
		BIOS:       line(root, "sys/class/dmi/id/bios_version"),
		BIOSDate:   line(root, "sys/class/dmi/id/bios_date"),
		SecureBoot: secureBoot(root),
		TPM:        line(root, "sys/class/tpm/tpm0/tpm_version_major"),
	}
}

// secureBoot reads the variable: four bytes of attributes, then 0 or 1.
func secureBoot(root fs.FS) string {
	b, err := fs.ReadFile(root, secureBootVariable)
	switch {
	case err != nil || len(b) != 5:
		return ""
	case b[4] == 1:
		return "on"
	}
	return "off"
}

// line returns the first line of a small file as printable ASCII of at most 64
// bytes: firmware strings are not trusted.
func line(root fs.FS, path string) string {
	b, err := fs.ReadFile(root, path)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(b), "\n")
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, first)
	return strings.TrimSpace(clean[:min(len(clean), 64)])
}
