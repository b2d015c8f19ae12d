package identity

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestThrottleSteps keeps 164.308(a)(5)(ii)(C): what each failure costs.
func TestThrottleSteps(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	waits := []time.Duration{0, 0, 0, 0, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, lockTime}
	var th throttle
	for n, wait := range waits {
		th = th.failed(now)
		if got := time.Duration(max(0, th.NotUntil-now.UnixMilli())) * time.Millisecond; got != wait {
			t.Errorf("after failure %d the wait is %v, want %v", n+1, got, wait)
		}
		want := ErrSlow
		if n+1 == failuresMax {
			want = ErrLocked
		}
		if wait > 0 && th.refusal(now.Add(wait-time.Millisecond)) != want {
			t.Errorf("after failure %d the refusal is %v", n+1, th.refusal(now))
		}
		if got := th.refusal(now.Add(wait)); got != nil {
			t.Errorf("after failure %d and its wait: %v", n+1, got)
		}
		now = now.Add(wait)
	}
	if th = th.failed(now); th.Failures != 1 || th.refusal(now) != nil {
		t.Errorf("the first failure after a lock: %+v", th)
	}
}

// TestThrottleBounds: however attempts are timed, no more than ten are looked
// at in any thirty minutes after a lock began, and about ten before it.
func TestThrottleBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_800_000_000, 0)
		var th throttle
		var looked []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "pause")))
			if th.refusal(now) == nil {
				looked = append(looked, now)
				th = th.failed(now)
			}
		}
		for i := failuresMax; i < len(looked); i++ {
			if looked[i].Sub(looked[i-failuresMax]) < lockTime {
				t.Fatalf("eleven attempts within %v", looked[i].Sub(looked[i-failuresMax]))
			}
		}
	})
}

func TestStrangersAreBounded(t *testing.T) {
	i := smallIdentity()
	i.strangers = map[digest]throttle{}
	now := time.Unix(1_800_000_000, 0)
	for range failuresMax {
		i.strangerFailed("known.stranger", now)
	}
	for n := range 2 * strangersMax {
		i.strangerFailed("name"+strconv.Itoa(n), now)
	}
	if len(i.strangers) > strangersMax {
		t.Errorf("%d names are counted", len(i.strangers))
	}
	if i.stranger("known.stranger").refusal(now) != ErrLocked {
		t.Error("a locked name was forgotten before one that waits for nothing")
	}
}
