package ui

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"coffer/internal/fault"
)

// How often one address may try to sign in: a burst, then one each interval.
// Identity slows attempts by name as well; this one spares the work of a hash.
const (
	signInBurst    = 20
	signInInterval = 3 * time.Second
	addressesMax   = 4096
)

var errTooOften = fault.New(fault.Exhausted, "Too many attempts to sign in from this workstation. Wait a minute, then try again.")

// throttle limits attempts by network address.
type throttle struct {
	mu  sync.Mutex
	per map[string]*rate.Limiter
}

func newThrottle() *throttle { return &throttle{per: map[string]*rate.Limiter{}} }

// allow reports whether the address may try at now.
func (t *throttle) allow(address string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter, ok := t.per[address]
	if !ok {
		t.makeRoom(now)
		limiter = rate.NewLimiter(rate.Every(signInInterval), signInBurst)
		t.per[address] = limiter
	}
	return limiter.AllowN(now, 1)
}

// makeRoom forgets addresses that are back at their full burst, and if all are
// busy, everything: a flood must not fill the memory.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.per) < addressesMax {
		return
	}
	for address, limiter := range t.per {
		if limiter.TokensAt(now) >= signInBurst {
			delete(t.per, address)
		}
	}
	if len(t.per) >= addressesMax {
		clear(t.per)
	}
}
