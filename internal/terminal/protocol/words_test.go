package protocol_test

import (
	"strings"
	"testing"

	"coffer/internal/terminal/protocol"
)

// TestWordsWhileInDoubt: nobody may be told to start a payment again, or that
// nothing was charged, while that is not known.
func TestWordsWhileInDoubt(t *testing.T) {
	for _, r := range []protocol.Reason{
		protocol.ReasonUnplugged, protocol.ReasonBusy, protocol.ReasonNoAck, protocol.ReasonNoAnswer, protocol.ReasonDamaged,
		protocol.ReasonEnded, protocol.ReasonMismatch, protocol.ReasonNotKept, protocol.ReasonClosed, protocol.ReasonUnproven, protocol.ReasonUnknownCode,
		protocol.ReasonVoided, protocol.ReasonLeak, protocol.ReasonHostLost, protocol.ReasonQuarantined, protocol.ReasonSubstitute,
	} {
		s := protocol.Outcome{Result: protocol.InDoubt, Reason: r}.Words()
		if s.What == "" || s.Next == "" {
			t.Errorf("%s: no words", r)
		}
		all := strings.ToLower(s.What + " " + s.Next)
		for _, bad := range []string{"start it again", "start the payment again", "started again", "try again", "nothing was charged"} {
			if strings.Contains(all, bad) {
				t.Errorf("%s: in doubt, and the words say %q: %s", r, bad, all)
			}
		}
	}
}

func TestWordsOfAnUnknownReason(t *testing.T) {
	if got := protocol.Words("never heard of"); got != protocol.Words(protocol.ReasonTerminalError) {
		t.Errorf("got %q", got)
	}
}
