package ui

import (
	"sync"
)

// Bell is the doorbell of the pages: whoever changes something rings its topic
// (an identifier, or "day"), and every open page that listens reads again. A
// ring carries the topic alone, never data. The zero Bell is not usable; a nil
// *Bell may be rung and does nothing.
type Bell struct {
	mu     sync.Mutex
	ears   map[chan string]struct{}
	closed bool
}

// topicAll asks a page to read everything again: what a listener gets instead
// of the topics it was too slow for.
const topicAll = "all"

// topicDay says that the list of the day looks different now.
const topicDay = "day"

// earSlots is how many topics may wait for one listener.
const earSlots = 32

// NewBell returns a bell that nobody listens to yet.
func NewBell() *Bell { return &Bell{ears: map[chan string]struct{}{}} }

// Ring tells every listener that topic has changed. It never waits: a listener
// that is behind is told to read everything again.
func (b *Bell) Ring(topic string) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for ear := range b.ears {
		offer(ear, topic)
	}
}

// offer puts topic into ear; into a full ear it puts topicAll in place of what
// waits there. Only Ring sends, under the lock, so there is room after a take.
func offer(ear chan string, topic string) {
	select {
	case ear <- topic:
		return
	default:
	}
	for {
		select {
		case <-ear:
			continue
		default:
		}
		break
	}
	ear <- topicAll
}

// listen returns a channel of topics and the function that ends listening. The
// channel is closed when the bell is.
func (b *Bell) listen() (<-chan string, func()) {
	ear := make(chan string, earSlots)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(ear)
		return ear, func() {}
	}
	b.ears[ear] = struct{}{}
	return ear, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ears, ear)
	}
}

// Close ends every stream, so that a server which shuts down need not wait for
// pages that listen. Ringing a closed bell does nothing.
func (b *Bell) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for ear := range b.ears {
		close(ear)
	}
	clear(b.ears)
}
