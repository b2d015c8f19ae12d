package sim

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/simplify"
)

// simplifySaying is how gateway and host name the end of a transaction: the
// fields 1003, 1010, 1009 and 1004.
type simplifySaying struct{ code, text, host, hostText string }

// simplifySayings has a saying for each ending. The words for a card that is
// not presented and for the red key are not published; they are made up.
var simplifySayings = map[ending]simplifySaying{
	approved:       {"0000", "COMPLETE", "00", "APPROVED"},
	partly:         {"0000", "COMPLETE", "10", "PARTIAL APPROVAL"},
	declined:       {"0060", "DECLINED", "05", "DO NOT HONOR"},
	noFunds:        {"0060", "DECLINED", "51", "INSUFF FUNDS"},
	stolen:         {"0060", "DECLINED", "43", "STOLEN CARD"},
	noOriginal:     {"0007", "NO MATCHING RECORDS", "", ""},
	alreadyVoided:  {"0060", "DECLINED", "12", "ALREADY VOIDED"},
	overOriginal:   {"0060", "DECLINED", "12", "EXCEEDS ORIGINAL"},
	localDuplicate: {"0005", "DUPLICATE", "", ""},
	hostDuplicate:  {"0005", "DUPLICATE", "", ""},
	unreached:      {"0003", "*SLR COMMUNICATIONS ERROR.", "", ""},
	timedOut:       {"0026", "*SLR TIMEOUT.", "", ""},
	aborted:        {"0027", "*SLR CANCELLED.", "", ""},
}

// say puts a verdict, and who states it, into a reply.
func (p *simplifyTerminal) say(m simplify.Message, s simplifySaying) {
	m[simplify.FieldGateway], m[simplify.FieldText] = s.code, s.text
	if s.host != "" {
		m[simplify.FieldHost] = s.host
	}
	if s.hostText != "" {
		m[simplify.FieldHostText] = s.hostText
	}
	m[simplify.FieldSerial] = p.serial
}

// standIn is the answer about a payment that the gateway has not heard of yet.
// Its account data, which nobody can read, may not be kept.
func (p *simplifyTerminal) standIn(m simplify.Message) {
	p.say(m, simplifySaying{"0", "*SLR STAND-IN.", "", ""})
	m[simplify.FieldAccount] = "bm8gYWNjb3VudCBpcyBpbiBoZXJl"
}

func (p *simplifyTerminal) result(t *tx, v verdict, line Truth) {
	if v.moves() && p.stored[line.HostRef] {
		reply := simplify.Message{simplify.FieldType: t.typ, simplify.FieldRef: t.ref, simplify.FieldAmount: simplify.Dollars(t.amount)}
		p.stamp(reply, line)
		p.standIn(reply)
		p.answer(t, reply)
		return
	}
	if v.moves() {
		reply := p.record(line)
		p.say(reply, simplifySayings[v.end])
		p.answer(t, reply)
		return
	}
	reply := simplify.Message{simplify.FieldType: t.typ, simplify.FieldRef: t.ref, simplify.FieldAmount: simplify.Dollars(t.amount)}
	p.stamp(reply, line)
	p.say(reply, simplifySayings[v.end])
	if line.LastFour != "" && v.original == nil {
		p.account(reply, line)
	}
	if v.end == declined || v.end == noFunds || v.end == stolen {
		p.refused[t.ref] = reply.Append(nil)
	}
	p.answer(t, reply)
}

// stamp is the date and time of a reply.
func (p *simplifyTerminal) stamp(m simplify.Message, line Truth) {
	at := line.Time
	if at.IsZero() {
		at = p.now()
	}
	m[simplify.FieldDate], m[simplify.FieldTime] = at.Format("010206"), at.Format("150405")
}

// account is what a reply says of the card.
func (p *simplifyTerminal) account(m simplify.Message, line Truth) {
	brands := map[string]string{"Visa": "VI", "Mastercard": "MC", "American Express": "AX", "Discover": "DI", "JCB": "JC"}
	m[simplify.FieldBrand] = brands[line.Brand]
	m[simplify.FieldMasked] = "XXXXXXXXXXXX" + line.LastFour
	m[simplify.FieldAccount] = tokenOf(line)
	m[simplify.FieldProximity], m[simplify.FieldEntry] = "2", "07"
	switch line.EntryMode {
	case entryChip:
		m[simplify.FieldProximity], m[simplify.FieldEntry] = "0", "05"
	case entrySwipe:
		m[simplify.FieldProximity], m[simplify.FieldEntry] = "5", "90"
	}
}

// tokenOf is the gateway's token of a line's card.
func tokenOf(line Truth) string { return "ID:91120106195" + line.LastFour + "7" }

// record is the reply about a line of the ledger.
func (p *simplifyTerminal) record(line Truth) simplify.Message {
	types := map[Act]string{Charge: simplify.TypeSale, Refund: simplify.TypeReturn, Void: simplify.TypeVoid}
	m := simplify.Message{
		simplify.FieldType: types[line.Act], simplify.FieldRef: line.Ref, simplify.FieldAmount: simplify.Dollars(line.Amount),
		simplify.FieldAuth: line.AuthCode, simplify.FieldBatch: line.Batch,
		simplify.FieldTrace: line.TerminalRef, simplify.FieldHostRef: line.HostRef, simplify.FieldRetrieval: line.HostRef,
		simplify.FieldTerminal: "TERM1", simplify.FieldTender: "010",
	}
	if line.Act == Void && line.OfAct == Refund {
		m[simplify.FieldType] = simplify.TypeVoidReturn
	}
	p.stamp(m, line)
	p.account(m, line)
	p.chip(m, line)
	p.say(m, simplifySayings[approved])
	if line.Amount < line.Requested {
		p.say(m, simplifySayings[partly])
	}
	return m
}

// chip is what a chip card's receipt shows. The same line always gets the same.
func (p *simplifyTerminal) chip(m simplify.Message, line Truth) {
	c := cardOf(line)
	if c.aid == "" || line.Act != Charge {
		return
	}
	h := fnv.New64a()
	h.Write([]byte(line.HostRef + line.AuthCode)) // never fails
	r := rand.New(rand.NewPCG(p.o.Seed, h.Sum64()))
	m[simplify.FieldAID], m[simplify.FieldLabel] = c.aid, c.label
	m[simplify.FieldTVR], m[simplify.FieldTSI], m[simplify.FieldARC] = "0000008000", "E800", "00"
	m[simplify.FieldCryptogram] = fmt.Sprintf("%016X", r.Uint64())
	m[simplify.FieldIAD] = fmt.Sprintf("06%02X0A03A0%04X", r.IntN(256), r.IntN(1<<16))
	m[simplify.FieldCVM] = "1F0000"
}

// answer sends a reply, as the faults of the exchange have it.
func (p *simplifyTerminal) answer(t *tx, m simplify.Message) { p.answerRaw(t, m.Append(nil)) }

func (p *simplifyTerminal) answerRaw(t *tx, payload []byte) { p.reply(t, p.twist(payload, t)) }

// twist applies the faults of a reply's content.
func (p *simplifyTerminal) twist(payload []byte, t *tx) []byte {
	m, err := simplify.ParseMessage(payload)
	if err != nil {
		return payload
	}
	if t.hit(WrongCommand) {
		m[simplify.FieldType] = simplify.TypeCloseBatch
	}
	if t.hit(WrongRef) {
		m[simplify.FieldRef] = "999999999999"
	}
	if t.hit(PANLeak) {
		m[simplify.FieldMasked] = Cards()["visa"].number
	}
	if t.hit(NonASCII) {
		m[simplify.FieldLabel] += " \xc9L\xc8VE"
	}
	if t.hit(Oversize) {
		m[9997] = strings.Repeat("X", frame.SizeMax+64)
	}
	if t.hit(ExtraGroups) {
		m[1378], m[9998], m[5073] = "RECEIPT LINE", "new, and with commas", ""
		return shuffled(m.Append(nil))
	}
	if f := find(t.flaws, CheckByte); f != nil {
		return padded(m, f.Byte)
	}
	return m.Append(nil)
}

// shuffled returns the same message with its lines in another order, short
// numbers and bare line feeds.
func shuffled(payload []byte) []byte {
	lines := bytes.Split(bytes.TrimSuffix(payload, []byte("\r\n\x04")), []byte("\r\n"))
	slices.Reverse(lines)
	var out []byte
	for _, l := range lines {
		out = append(append(out, bytes.TrimLeft(l, "0")...), '\n')
	}
	return append(out, frame.EOT)
}

// padded adds a field that makes the check byte of a frame want.
func padded(m simplify.Message, want byte) []byte {
	for a := byte('0'); a <= 'z'; a++ {
		for b := byte('0'); b <= 'z'; b++ {
			for _, high := range []byte{'A', 0xc1} {
				m[9996] = string([]byte{high, a, b})
				if payload := m.Append(nil); frame.LRC(payload) == want {
					return payload
				}
			}
		}
	}
	return m.Append(nil)
}

// progress is a status message. What the texts of the real ones are is not
// published.
func (p *simplifyTerminal) progress(t *tx, screen Screen) []byte {
	return simplify.Message{simplify.FieldType: "36", simplify.FieldRef: t.ref, simplify.FieldText: strings.ToUpper(string(screen))}.Append(nil)
}
