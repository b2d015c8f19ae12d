package ui

import (
	"strconv"
	"testing"
)

// overhear listens to everything.
func overhear(t *testing.T, b *Bell) (<-chan string, func()) {
	t.Helper()
	topics, stop, err := b.listen(ear{hears: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	return topics, stop
}

func TestBellTellsEveryListener(t *testing.T) {
	b := NewBell()
	one, stopOne := overhear(t, b)
	two, stopTwo := overhear(t, b)
	defer stopTwo()
	b.Ring("day")
	if got := []string{<-one, <-two}; got[0] != "day" || got[1] != "day" {
		t.Errorf("heard %v", got)
	}
	stopOne()
	b.Ring("later")
	select {
	case topic := <-one:
		t.Errorf("heard %q after leaving", topic)
	default:
	}
	if got := <-two; got != "later" {
		t.Errorf("heard %q", got)
	}
}

func TestSlowListenerIsToldToReadEverything(t *testing.T) {
	b := NewBell()
	ear, stop := overhear(t, b)
	defer stop()
	for i := range earSlots + 1 {
		b.Ring(strconv.Itoa(i))
	}
	if got := <-ear; got != topicAll {
		t.Errorf("heard %q first, want %q", got, topicAll)
	}
	b.Ring("next")
	if got := <-ear; got != "next" {
		t.Errorf("heard %q", got)
	}
}

func TestClosedBellEndsItsStreams(t *testing.T) {
	b := NewBell()
	ear, stop := overhear(t, b)
	b.Close()
	b.Close()
	b.Ring("day")
	stop()
	if _, open := <-ear; open {
		t.Error("a stream goes on after the bell closed")
	}
	late, stopLate := overhear(t, b)
	defer stopLate()
	if _, open := <-late; open {
		t.Error("a stream began after the bell closed")
	}
	var none *Bell
	none.Ring("day") // must do nothing
}
