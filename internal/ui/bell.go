package ui

import (
	"sync"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/till"
)

// Bell is the doorbell of the pages: whoever changes something rings its topic
// (an identifier, or "day"), and every open page that listens reads again. A
// ring carries the topic alone, never data. The zero Bell is not usable; a nil
// *Bell may be rung and does nothing.
type Bell struct {
	mu     sync.Mutex
	ears   map[chan string]ear
	closed bool
}

// ear is one page that listens: whose session it is, and which topics may
// reach it.
type ear struct {
	session ident.ID[ident.Session]
	hears   func(topic string) bool
}

// topicAll asks a page to read everything again: what a listener gets instead
// of the topics it was too slow for.
const topicAll = "all"

// topicDay says that the list of the day looks different now.
const topicDay = till.TopicDay

// earSlots is how many topics may wait for one listener.
const earSlots = 32

// earsMax is how many pages of one session may listen at the same time.
const earsMax = 16

// errEars stops a browser that opens streams without end. Its pages go on, and
// ask every few seconds instead.
var errEars = fault.New(fault.Exhausted, "Too many pages of this session are open. Close some of them.")

// NewBell returns a bell that nobody listens to yet.
func NewBell() *Bell { return &Bell{ears: map[chan string]ear{}} }

// Ring tells every listener that may hear of it that topic has changed. It
// never waits: a listener that is behind is told to read everything again.
func (b *Bell) Ring(topic string) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for to, ear := range b.ears {
		if ear.hears(topic) {
			offer(to, topic)
		}
	}
}

// offer puts topic into to; into a full one it puts topicAll in place of what
// waits there. Only Ring sends, under the lock, so there is room after a take.
func offer(to chan string, topic string) {
	select {
	case to <- topic:
		return
	default:
	}
	for {
		select {
		case <-to:
			continue
		default:
		}
		break
	}
	to <- topicAll
}

// listen returns a channel of the topics that page may hear, and the function
// that ends listening; or errEars. The channel is closed when the bell is.
func (b *Bell) listen(page ear) (<-chan string, func(), error) {
	topics := make(chan string, earSlots)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(topics)
		return topics, func() {}, nil
	}
	if b.earsOf(page.session) >= earsMax {
		return nil, nil, errEars
	}
	b.ears[topics] = page
	return topics, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ears, topics)
	}, nil
}

func (b *Bell) earsOf(session ident.ID[ident.Session]) int {
	n := 0
	for _, ear := range b.ears {
		if ear.session == session {
			n++
		}
	}
	return n
}

// Close ends every stream, so that a server which shuts down need not wait for
// pages that listen. Ringing a closed bell does nothing.
func (b *Bell) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for topics := range b.ears {
		close(topics)
	}
	clear(b.ears)
}
