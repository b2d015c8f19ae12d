package seal

import (
	"os"

	"golang.org/x/sys/unix"
)

// page is one page of memory outside the Go heap that is never swapped and
// never part of a core dump.
type page struct{ b []byte }

func newPage() (*page, error) {
	b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, because(ErrMemory, err)
	}
	p := &page{b}
	if err := unix.Mlock(b); err != nil {
		p.free()
		return nil, because(ErrMemory, err)
	}
	if err := unix.Madvise(b, unix.MADV_DONTDUMP); err != nil {
		p.free()
		return nil, because(ErrMemory, err)
	}
	return p, nil
}

// wipe overwrites the page.
func (p *page) wipe() { clear(p.b) }

// free wipes the page and gives it back. Unmapping cannot fail for a slice
// that Mmap returned; were it to, the page is zero and stays.
func (p *page) free() {
	p.wipe()
	_ = unix.Munmap(p.b)
	p.b = nil
}
