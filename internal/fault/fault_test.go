package fault

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestMessageShowsOnlySafeArguments(t *testing.T) {
	cause := fmt.Errorf("open /var/lib/coffer/Wilhelmina.db: %w", io.ErrUnexpectedEOF)
	err := fmt.Errorf("cannot read: %w", Wrap(cause, Unavailable, "The terminal %v did not answer after %v tries.", Code("desk-1"), Int(3)))
	if got := Message(err); got != "The terminal desk-1 did not answer after 3 tries." {
		t.Errorf("message is %q", got)
	}
	var f *Error
	if !errors.As(err, &f) || strings.Contains(f.Error(), "Wilhelmina") {
		t.Errorf("the cause's text came out: %q", f)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost to errors.Is")
	}
	if KindOf(err) != Unavailable {
		t.Errorf("kind is %v", KindOf(err))
	}
}

func TestUnknownErrorsGiveNothingAway(t *testing.T) {
	err := errors.New("row for Wilhelmina Quist is broken")
	if KindOf(err) != Internal || strings.Contains(Message(err), "Wilhelmina") {
		t.Errorf("%v: %q", KindOf(err), Message(err))
	}
}

func TestNestedFaultsReadOutsideIn(t *testing.T) {
	err := Wrap(New(Exhausted, "The disk is full."), Unavailable, "The payment was not started.")
	if err.Error() != "The payment was not started.: The disk is full." {
		t.Errorf("got %q", err.Error())
	}
}

func TestSentinelSurvivesArguments(t *testing.T) {
	sentinel := New(Conflict, "Entry %v was reversed already.")
	if !errors.Is(New(Conflict, "Entry %v was reversed already.", Int(7)), sentinel) {
		t.Error("the same fault with arguments is not recognised")
	}
	for _, other := range []error{New(Invalid, "Entry %v was reversed already."), New(Conflict, "Other."), io.EOF} {
		if errors.Is(other, sentinel) {
			t.Errorf("%v passes for another fault", other)
		}
	}
}

// TestEveryKindHasOneMeaning fails when a kind is added without its name,
// status and exit code being thought about.
func TestEveryKindHasOneMeaning(t *testing.T) {
	want := []struct {
		name         string
		status, exit int
	}{
		{"internal", 500, 1}, {"invalid", 422, 2}, {"denied", 403, 4}, {"not_found", 404, 6}, {"conflict", 409, 1},
		{"unavailable", 503, 1}, {"sealed", 503, 5}, {"corrupt", 500, 7}, {"exhausted", 429, 1}, {"unauthenticated", 401, 4},
	}
	if len(want) != len(kindNames) {
		t.Fatalf("%d kinds, %d expected", len(kindNames), len(want))
	}
	for i, w := range want {
		if k := Kind(i); k.String() != w.name || k.HTTPStatus() != w.status || k.ExitCode() != w.exit {
			t.Errorf("%v: %d %d, want %v", k, k.HTTPStatus(), k.ExitCode(), w)
		}
	}
	if Kind(200).String() != "internal" {
		t.Error("an unknown kind must count as internal")
	}
}
