package till

import (
	"strings"
	"testing"

	"coffer/internal/terminal/protocol"
)

func TestStages(t *testing.T) {
	here, away := reach{attached: true}, reach{}
	blocked := reach{attached: true, quarantined: true}
	at := func(s protocol.Step) live { return live{step: s} }
	for name, c := range map[string]struct {
		a       attempt
		now     live
		running bool
		r       reach
		want    Stage
	}{
		"queued":                   {attempt{State: Created}, at(protocol.StepQueued), true, here, StageWaiting},
		"sending":                  {attempt{State: Sent}, at(protocol.StepSending), true, here, StageWaiting},
		"present card":             {attempt{State: Acked}, at(protocol.StepPresent), true, here, StagePresent},
		"processing":               {attempt{State: Acked}, at(protocol.StepProcessing), true, here, StageProcessing},
		"result on its way":        {attempt{State: Acked}, at(protocol.StepResult), true, here, StageProcessing},
		"cancelling":               {attempt{State: Acked}, live{step: protocol.StepPresent, cancelling: true}, true, here, StageCancelling},
		"cancelled by the till":    {attempt{State: Acked}, at(protocol.StepCancelling), true, here, StageCancelling},
		"restarted":                {attempt{State: Sent}, live{}, false, here, StageUnknown},
		"restarted, cable out":     {attempt{State: Acked}, live{}, false, away, StageUnplugged},
		"in doubt":                 {attempt{State: InDoubt}, live{}, false, here, StageUnknown},
		"in doubt, cable out":      {attempt{State: InDoubt}, live{}, false, away, StageUnplugged},
		"in doubt, quarantined":    {attempt{State: InDoubt}, live{}, false, blocked, StageQuarantined},
		"approved":                 {attempt{State: Resulted, Result: Approved}, at(protocol.StepResult), true, here, StageApproved},
		"approved and closed":      {attempt{State: Closed, Result: Approved}, live{}, false, away, StageApproved},
		"partial":                  {attempt{State: Closed, Result: Partial}, live{}, false, here, StagePartial},
		"declined":                 {attempt{State: Closed, Result: Declined}, live{}, false, here, StageDeclined},
		"cancelled":                {attempt{State: Closed, Result: Cancelled, Reason: string(protocol.ReasonAborted)}, live{}, false, here, StageCancelled},
		"timeout":                  {attempt{State: Closed, Result: Cancelled, Reason: string(protocol.ReasonTimeout)}, live{}, false, here, StageTimeout},
		"not sent":                 {attempt{State: Closed, Result: NotSent}, live{}, false, here, StageNotSent},
		"busy":                     {attempt{State: Closed, Result: NotSent, Reason: string(protocol.ReasonBusy)}, live{}, false, here, StageBusy},
		"not charged":              {attempt{State: NotCharged, Result: ProvenNever}, live{}, false, here, StageNotCharged},
		"duplicate question":       {attempt{State: Resulted, Result: Duplicate}, live{}, false, here, StageDuplicate},
		"duplicate, a second":      {attempt{State: Closed, Result: Duplicate}, live{}, false, here, StageSecond},
		"duplicate, the same":      {attempt{State: Closed, Result: Same}, live{}, false, here, StageSame},
		"terminal contradicts":     {attempt{State: Manual}, live{}, false, here, StageManual},
		"contradicts, quarantined": {attempt{State: Manual}, live{}, false, blocked, StageManual},
	} {
		if got := stage(&c.a, c.now, c.running, c.r); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// stages lists every stage; TestStages reaches each but StageStray, which is
// of no attempt.
var stages = []Stage{
	StageWaiting, StagePresent, StageProcessing, StageCancelling, StageApproved, StagePartial,
	StageDeclined, StageCancelled, StageTimeout, StageNotSent, StageBusy, StageNotCharged, StageUnknown,
	StageUnplugged, StageQuarantined, StageDuplicate, StageSame, StageSecond, StageManual, StageStray,
}

func TestEveryStageHasWordsAndANextStep(t *testing.T) {
	if len(stages) != len(stageWords) {
		t.Errorf("%d stages, %d of them with words", len(stages), len(stageWords))
	}
	for _, k := range []Kind{KindSale, KindVoid, KindRefund} {
		for _, s := range stages {
			title, what, next := words(&attempt{Kind: k, Tender: TenderCard}, s)
			if title == "" || !strings.HasSuffix(what, ".") || !strings.HasSuffix(next, ".") && !strings.HasSuffix(next, "?") {
				t.Errorf("%s %s: %q %q %q", k, s, title, what, next)
			}
		}
	}
	for _, k := range []Kind{KindSale, KindVoid} {
		if title, what, next := words(&attempt{Kind: k, Tender: TenderCash}, StageApproved); title == "" || what == "" || next == "" {
			t.Errorf("cash %s has no words", k)
		}
	}
}

// What is not known must never be told as if it were: no stage before the end
// says that nothing was charged, and each says what not to do.
func TestUnknownStagesForbidARepetition(t *testing.T) {
	for _, s := range []Stage{StageUnknown, StageUnplugged, StageQuarantined, StageManual} {
		w := stageWords[s]
		if !strings.Contains(w.next, "not take the payment again") || strings.Contains(w.words, "othing was charged") {
			t.Errorf("%s: %q %q", s, w.words, w.next)
		}
		if final(s) {
			t.Errorf("%s is final", s)
		}
	}
}

func TestDeclinesSayWhy(t *testing.T) {
	for reason, want := range map[protocol.Reason]string{
		protocol.ReasonFunds:    "not enough funds",
		protocol.ReasonExpired:  "expired",
		protocol.ReasonCardRead: "could not be read",
	} {
		a := attempt{Kind: KindSale, Tender: TenderCard, State: Closed, Result: Declined, Reason: string(reason)}
		if _, what, next := words(&a, StageDeclined); !strings.Contains(what, want) || next == "" {
			t.Errorf("%s: %q", reason, what)
		}
	}
}

func TestOnlyWaitingForTheCardCanBeCancelled(t *testing.T) {
	for _, s := range []protocol.Step{protocol.StepQueued, protocol.StepSending, protocol.StepProcessing, protocol.StepCancelling, protocol.StepResult, protocol.StepChecking} {
		if cancellable(s) {
			t.Errorf("%s can be cancelled", s)
		}
	}
	if !cancellable(protocol.StepPresent) {
		t.Error("waiting for the card cannot be cancelled")
	}
}
