package till

import (
	"testing"
	"time"

	"coffer/internal/terminal/protocol"
)

func TestDecide(t *testing.T) {
	sale := attempt{Ref: "100000000007", Kind: KindSale, Amount: 9000}
	void := attempt{Ref: "100000000007", Kind: KindVoid, Amount: 9000}
	approved := protocol.Outcome{Result: protocol.Approved, Kind: protocol.Sale, Ref: sale.Ref, Requested: 9000, Approved: 9000}
	with := func(f func(*protocol.Outcome)) protocol.Outcome {
		o := approved
		f(&o)
		return o
	}
	for name, c := range map[string]struct {
		a    attempt
		o    protocol.Outcome
		want verdict
	}{
		"approved": {sale, approved, verdict{Resulted, Approved, 9000, ""}},
		"partial": {sale, with(func(o *protocol.Outcome) { o.Result, o.Approved = protocol.Partial, 4000 }),
			verdict{Resulted, Partial, 4000, ""}},
		"partial said to be whole": {sale, with(func(o *protocol.Outcome) { o.Approved = 4000 }),
			verdict{Resulted, Partial, 4000, ""}},
		"other reference": {sale, with(func(o *protocol.Outcome) { o.Ref = "100000000008" }),
			verdict{state: Manual, reason: reasonRef}},
		"no reference": {sale, with(func(o *protocol.Outcome) { o.Ref = "" }),
			verdict{state: InDoubt, reason: reasonNoRef}},
		"other amount": {sale, with(func(o *protocol.Outcome) { o.Requested = 9001 }),
			verdict{state: Manual, reason: reasonAmount}},
		"other kind": {sale, with(func(o *protocol.Outcome) { o.Kind = protocol.Refund }),
			verdict{state: Manual, reason: reasonKind}},
		"more than asked": {sale, with(func(o *protocol.Outcome) { o.Approved = 9001 }),
			verdict{state: Manual, reason: reasonAbove}},
		"approved nothing": {sale, with(func(o *protocol.Outcome) { o.Approved = 0 }),
			verdict{state: Manual, reason: reasonNothing}},
		"approved less than nothing": {sale, with(func(o *protocol.Outcome) { o.Approved = -1 }),
			verdict{state: Manual, reason: reasonNothing}},
		"partial void": {void, with(func(o *protocol.Outcome) { o.Kind, o.Approved = protocol.Void, 4000 }),
			verdict{state: Manual, reason: reasonPartialVoid}},
		"void": {void, with(func(o *protocol.Outcome) { o.Kind = protocol.Void }),
			verdict{Resulted, Approved, 9000, ""}},
		"declined": {sale, with(func(o *protocol.Outcome) { o.Result, o.Approved, o.Reason = protocol.Declined, 0, protocol.ReasonFunds }),
			verdict{state: Resulted, result: Declined, reason: string(protocol.ReasonFunds)}},
		"declined, of another attempt": {sale, with(func(o *protocol.Outcome) { o.Result, o.Ref = protocol.Declined, "100000000001" }),
			verdict{state: InDoubt, reason: reasonRef}},
		"cancelled": {sale, with(func(o *protocol.Outcome) { o.Result, o.Approved = protocol.Cancelled, 0 }),
			verdict{state: Resulted, result: Cancelled}},
		"not sent": {sale, protocol.Outcome{Result: protocol.NotSent, Reason: protocol.ReasonBusy},
			verdict{state: Resulted, result: NotSent, reason: string(protocol.ReasonBusy)}},
		"in doubt": {sale, protocol.Outcome{Result: protocol.InDoubt, Reason: protocol.ReasonLeak},
			verdict{state: InDoubt, reason: string(protocol.ReasonLeak)}},
		"not charged": {sale, protocol.Outcome{Result: protocol.NotCharged, Ref: sale.Ref, Evidence: protocol.EvidenceOlder},
			verdict{state: NotCharged, result: ProvenNever}},
		"not charged, of another attempt": {sale, protocol.Outcome{Result: protocol.NotCharged, Ref: "100000000001"},
			verdict{state: Manual, reason: reasonRef}},
		"a result nobody knows": {sale, protocol.Outcome{Result: "perhaps"}, verdict{state: InDoubt}},
	} {
		if got := decide(&c.a, c.o); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestEmptyTerminalProves(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.FixedZone("clinic", -5*3600))
	for name, c := range map[string]struct {
		began    time.Time
		approved bool
		want     bool
	}{
		"a moment ago":                  {noon.Add(-time.Minute), false, true},
		"this morning":                  {noon.Add(-11 * time.Hour), false, true},
		"yesterday":                     {noon.Add(-13 * time.Hour), false, false},
		"long ago":                      {noon.Add(-24 * time.Hour), false, false},
		"another payment is remembered": {noon.Add(-time.Minute), true, false},
	} {
		if got := emptyProves(&attempt{At: c.began}, noon, c.approved); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestCodesCannotHoldCardNumbers(t *testing.T) {
	for _, s := range []string{"4111111111111111", "x4111111111111111", "a b", "", "é", "<b>", "1234567890123"} {
		if got := code(s); got != "" {
			t.Errorf("code(%q) = %q, want nothing", s, got)
		}
	}
	for _, s := range []string{"000000", "approved", "A0000000031010", "TC-1_2.3"} {
		if got := code(s); got != s {
			t.Errorf("code(%q) = %q", s, got)
		}
	}
}
