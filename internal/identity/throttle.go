package identity

import (
	"crypto/sha256"
	"time"

	"coffer/internal/fault"
)

// After failuresFree failures in a row each next attempt has to wait, and
// after failuresMax the name is locked. Keeps 164.308(a)(5)(ii)(C); PCI DSS
// 8.3.4 (no more than ten attempts, thirty minutes).
const (
	failuresFree = 5
	failuresMax  = 10
	lockTime     = 30 * time.Minute
	delayFirst   = 5 * time.Second
	delayMax     = time.Minute
)

// strangersMax is how many names that nobody has are counted at a time.
const strangersMax = 4096

// throttle is what failed attempts with one name lead to.
type throttle struct {
	Failures int   `cbor:"1,keyasint"`
	NotUntil int64 `cbor:"2,keyasint"` // Unix milliseconds: no attempt counts before
}

// refusal returns why an attempt at now is not looked at, or nil.
func (t throttle) refusal(now time.Time) *fault.Error {
	switch {
	case now.UnixMilli() >= t.NotUntil:
		return nil
	case t.Failures >= failuresMax:
		return ErrLocked
	}
	return ErrSlow
}

// failed returns the throttle after one more failure at now. The failure
// after a lock has run out is the first again.
func (t throttle) failed(now time.Time) throttle {
	if t.Failures >= failuresMax {
		t = throttle{}
	}
	t.Failures++
	switch {
	case t.Failures >= failuresMax:
		t.NotUntil = now.Add(lockTime).UnixMilli()
	case t.Failures >= failuresFree:
		delay := min(delayFirst<<(t.Failures-failuresFree), delayMax)
		t.NotUntil = now.Add(delay).UnixMilli()
	}
	return t
}

// digest is a SHA-256.
type digest [sha256.Size]byte

func digestOf(s string) digest { return sha256.Sum256([]byte(s)) }

// stranger returns the throttle of a name that nobody has.
func (i *Identity) stranger(name string) throttle {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.strangers[digestOf(name)]
}

// strangerFailed counts a failure of a name that nobody has. When too many
// are counted, the one whose wait ends first makes room.
func (i *Identity) strangerFailed(name string, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	d := digestOf(name)
	if _, known := i.strangers[d]; !known && len(i.strangers) >= strangersMax {
		var first digest
		least := int64(1<<63 - 1)
		for d, t := range i.strangers {
			if t.NotUntil < least {
				first, least = d, t.NotUntil
			}
		}
		delete(i.strangers, first)
	}
	i.strangers[d] = i.strangers[d].failed(now)
}
