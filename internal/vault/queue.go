package vault

import (
	"context"
	"sync"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
)

// batchMax is the largest number of requests in one commit.
const batchMax = 256

// call is one request on its way through the committer.
type call struct {
	ctx      context.Context
	request  access.Request
	fn       func(*Tx) error // nil: an event only
	outcome  audit.Outcome   // of an event only
	details  []audit.Detail
	alone    func() error // nil, or run between two commits instead of all that
	change   func(*state) // nil, or a change of the state that is no act: it has no event
	tx       *Tx          // while it is being staged
	ran      bool         // fn has been started
	err      error        // what the caller will get
	panicked any          // what fn panicked with
	done     chan struct{}
}

func newCall(ctx context.Context, r access.Request, fn func(*Tx) error) *call {
	return &call{ctx: ctx, request: r, fn: fn, done: make(chan struct{})}
}

// queue holds the calls that wait for the committer.
type queue struct {
	mu     sync.Mutex
	some   sync.Cond
	calls  []*call
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.some.L = &q.mu
	return q
}

// add appends the call, or returns errClosed.
func (q *queue) add(c *call) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errClosed
	}
	q.calls = append(q.calls, c)
	q.some.Signal()
	return nil
}

// take waits for calls and removes at most batchMax; none when the queue is
// closed and empty.
func (q *queue) take() []*call {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.calls) == 0 && !q.closed {
		q.some.Wait()
	}
	n := min(len(q.calls), batchMax)
	taken := q.calls[:n:n]
	q.calls = append([]*call(nil), q.calls[n:]...)
	return taken
}

// close lets no more calls in. It reports whether the queue was open.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	was := !q.closed
	q.closed = true
	q.some.Broadcast()
	return was
}

// clock returns the wall clock in the clinic's zone, to the microsecond.
func (v *Vault) clock() time.Time { return v.options.Now().Truncate(time.Microsecond) }
