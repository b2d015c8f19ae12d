package tilltest

import (
	"time"

	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/sim"
)

// Profile returns the profile of a PAX terminal with short timers, in the
// proportions of a real one.
func Profile() protocol.Profile { return profiles[sim.PAX]() }

// profiles make each protocol's profile.
var profiles = map[sim.Protocol]func() protocol.Profile{sim.PAX: paxProfile, sim.Simplify: simplifyProfile, sim.UPA: upaProfile}

func simplifyProfile() protocol.Profile {
	p := paxProfile()
	p.ID, p.Protocol, p.Version = "sim-simplify-fast", string(sim.Simplify), "1.0"
	p.Messages = []string{"02", "09", "11", "22", "73", "80"}
	p.Timers.Answer = map[string]protocol.Millis{"02": hurried, "09": hurried, "11": hurried, "22": 250, "73": 250, "80": 250}
	p.Lookup = protocol.Lookup{NotFound: []string{"NO RECORDS FOUND"}, Proof: true}
	p.Capabilities.Partial = true
	return p
}

func upaProfile() protocol.Profile {
	p := paxProfile()
	p.ID, p.Protocol, p.Version, p.FrameMax = "sim-upa-fast", string(sim.UPA), "", 1<<20
	p.Messages = []string{"Ping", "GetAppInfo", "Sale", "Void", "Refund", "CancelTransaction", "GetBatchDetails"}
	p.Timers.Answer = map[string]protocol.Millis{"Ping": 250, "GetAppInfo": 250, "Sale": 700, "Void": 700, "Refund": 700, "GetBatchDetails": 250}
	p.Lookup = protocol.Lookup{NotFound: []string{"EMPTY BATCH"}, First: 1, Again: 50, Standing: []string{"Approved"}, Proof: true}
	p.ErrorCodes = map[string]protocol.Reason{
		"TRAN001": protocol.ReasonTimeout, "TRAN002": protocol.ReasonAborted, "TRAN003": protocol.ReasonLocalDuplicate,
		"TRAN004": protocol.ReasonHostDuplicate, "TRAN005": protocol.ReasonHostDown, "REF001": protocol.ReasonNoOriginal,
		"REF002": protocol.ReasonAlreadyVoided, "REF003": protocol.ReasonAmount,
	}
	return p
}

func paxProfile() protocol.Profile {
	return protocol.Profile{
		ID: "sim-pax-fast", Vendor: "Coffer", Model: "simulated", Protocol: "pax", Simulated: true,
		FrameMax: 65536, Version: "1.35",
		Messages: []string{"A00", "A14", "A35", "T00", "R02"},
		Timers: protocol.Timers{
			Ack: 400, Byte: 40, EOT: 60, Settle: 300,
			Answer: map[string]protocol.Millis{"A00": 250, "T00": hurried, "R02": 250},
			Cancel: 250, Whole: 1500, Quiet: 40, Drain: 200, Write: 250, RetryMin: 10, RetryMax: 80,
		},
		Retries: protocol.Retries{Send: 3, NAK: 3, EOT: 4},
		Lookup:  protocol.Lookup{NotFound: []string{"100023"}, First: 1, Proof: true},
	}
}

// Unhurried returns the profile of a protocol ("" is PAX) with time for a person
// at the terminal, and for a busy machine to hear an ACK.
func Unhurried(speaks sim.Protocol) protocol.Profile {
	if speaks == "" {
		speaks = sim.PAX
	}
	p := profiles[speaks]()
	p.Timers.Whole, p.Timers.Ack = 30_000, 3000
	for message, limit := range p.Timers.Answer {
		if limit == hurried {
			p.Timers.Answer[message] = 20_000
		}
	}
	return p
}

// hurried is how long the fast profiles wait for a money command's answer.
const hurried = 700

// Terminal returns the options of a simulated terminal to go with Profile.
func Terminal(seed uint64) sim.Options {
	return sim.Options{
		Serial: Serial, Seed: seed, Strict: true,
		CardTimeout: 300 * time.Millisecond, SlowHost: 300 * time.Millisecond,
		BootDelay: 20 * time.Millisecond, PlugDelay: 20 * time.Millisecond,
		AckTimeout: 500 * time.Millisecond, GapTimeout: 60 * time.Millisecond, LateReply: 1200 * time.Millisecond,
	}
}

// Serial is the serial number of the first simulated terminal.
const Serial = "53236566"

// The back-off with which a till of this package asks again.
const (
	RetryMin = 15 * time.Millisecond
	RetryMax = 200 * time.Millisecond
)
