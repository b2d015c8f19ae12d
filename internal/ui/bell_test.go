package ui

import (
	"strconv"
	"testing"
)

func TestBellTellsEveryListener(t *testing.T) {
	b := NewBell()
	one, stopOne := b.listen()
	two, stopTwo := b.listen()
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
	ear, stop := b.listen()
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
	ear, stop := b.listen()
	b.Close()
	b.Close()
	b.Ring("day")
	stop()
	if _, open := <-ear; open {
		t.Error("a stream goes on after the bell closed")
	}
	late, stopLate := b.listen()
	defer stopLate()
	if _, open := <-late; open {
		t.Error("a stream began after the bell closed")
	}
	var none *Bell
	none.Ring("day") // must do nothing
}
