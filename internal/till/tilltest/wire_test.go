package tilltest

import (
	"testing"

	"coffer/internal/terminal/sim"
)

// TestWire plants what must never be told to a terminal into messages that may
// be sent, and has it found.
func TestWire(t *testing.T) {
	upa := func(command, more string) string {
		return `{"message":"MSG","data":{"command":"` + command + `","EcrId":"13","requestId":"100000000001","data":{` + more + `}}}`
	}
	for _, c := range []struct {
		speaks  sim.Protocol
		message string
		bad     bool
	}{
		{sim.PAX, "T00\x1c1.35\x1c01\x1c15000\x1c\x1c100000000001\x1f100000000001\x1c\x1c\x1c\x1c\x1cTIPREQ=0", false},
		{sim.PAX, "T00\x1c1.35\x1c01\x1c15000\x1c\x1c100000000001\x1fP-000062\x1c\x1c\x1c\x1c\x1cTIPREQ=0", true},
		{sim.PAX, "T00\x1c1.35\x1c01\x1c15000\x1c\x1c100000000001\x1c\x1fAlma Marchetti\x1c\x1c\x1c\x1cTIPREQ=0", true},
		{sim.PAX, "T00\x1c1.35\x1c01\x1c15000\x1c\x1c100000000001\x1c\x1cF41.1\x1c\x1c\x1cTIPREQ=0\x1fDOB=1980-02-03", true},
		{sim.PAX, "A28\x1c1.35", true},
		{sim.Simplify, "0001,02\r\n0002,150.00\r\n0007,100000000001\r\n0013,112526\r\n0014,120000\r\n\x04", false},
		{sim.Simplify, "0001,02\r\n0002,150.00\r\n0007,100000000001\r\n0011,Alma\r\n\x04", true},
		{sim.Simplify, "0001,02\r\n0003,4111111111111111\r\nnothing\r\n\x04", true},
		{sim.UPA, upa("Sale", `"transaction":{"baseAmount":"150.00","invoiceNbr":"100000000001"}`), false},
		{sim.UPA, upa("Sale", `"transaction":{"baseAmount":"150.00","invoiceNbr":"P-000062","memo":"F41.1"}`), true},
		{sim.UPA, upa("StartCardTransaction", `"list":["Alma"]`), true},
		{sim.UPA, "no message", true},
	} {
		w := newWire(c.speaks)
		w.hear([]byte(c.message))
		r := &Report{}
		w.judge(r)
		if (len(r.Problems) > 0) != c.bad || r.Messages != 1 {
			t.Errorf("%q: %v", c.message, r.Problems)
		}
	}
}
