package ui

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"coffer/internal/fault"
)

// limit is how often one address may do something: a burst, then one each
// interval.
type limit struct {
	burst    int
	interval time.Duration
}

// signInRate is how often one address may try to sign in. Identity slows
// attempts by name as well; this one spares the work of a hash. strangerRate is
// how many events who is not signed in may cause.
var (
	signInRate   = limit{20, 3 * time.Second}
	strangerRate = limit{120, 5 * time.Second}
)

const addressesMax = 4096

var errTooOften = fault.New(fault.Exhausted, "Too many attempts from this workstation. Wait a minute, then try again.")

// throttle limits attempts by network address.
type throttle struct {
	limit limit
	mu    sync.Mutex
	per   map[string]*rate.Limiter
}

func newThrottle(l limit) *throttle { return &throttle{limit: l, per: map[string]*rate.Limiter{}} }

// allow reports whether the address may try at now.
func (t *throttle) allow(address string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter, ok := t.per[address]
	if !ok {
		t.makeRoom(now)
		limiter = rate.NewLimiter(rate.Every(t.limit.interval), t.limit.burst)
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
		if limiter.TokensAt(now) >= float64(t.limit.burst) {
			delete(t.per, address)
		}
	}
	if len(t.per) >= addressesMax {
		clear(t.per)
	}
}
