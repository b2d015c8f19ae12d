package sim

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"coffer/internal/terminal/upa"
)

// upaSaying is how terminal, processor and bank name the end of a transaction.
type upaSaying struct{ code, text, host, hostText string }

// upaUnsupported is the terminal's code for what it cannot do.
const upaUnsupported = "TRAN006"

// upaSayings has a saying for each ending. TRAN009 and REF001 have been seen in
// public; the other codes of the terminal are made up.
var upaSayings = map[ending]upaSaying{
	approved:       {"", "", "00", "APPROVAL"},
	partly:         {"", "", "10", "PARTIAL APPROVAL"},
	declined:       {"", "", "05", "DO NOT HONOR"},
	noFunds:        {"", "", "51", "INSUFF FUNDS"},
	stolen:         {"", "", "43", "STOLEN CARD"},
	noOriginal:     {"REF001", "REFERENCE NOT FOUND", "", ""},
	alreadyVoided:  {"REF002", "ALREADY VOIDED", "", ""},
	overOriginal:   {"REF003", "EXCEEDS ORIGINAL", "", ""},
	localDuplicate: {"TRAN003", "DUPLICATE TRANSACTION", "", ""},
	hostDuplicate:  {"TRAN004", "DUPLICATE AT HOST", "", ""},
	unreached:      {"TRAN005", "NO HOST", "", ""},
	timedOut:       {"TRAN001", "TIMEOUT", "", ""},
	aborted:        {"TRAN002", "CANCELLED", "", ""},
}

func (p upaTerminal) result(t *tx, v verdict, line Truth) {
	say := upaSayings[v.end]
	r := upa.Reply{Result: upa.Success}
	if say.code != "" {
		r.Result, r.Code, r.Text = upa.Failed, say.code, say.text
	}
	if v.moves() || v.original != nil {
		r.Host, r.Payment, r.EMV = p.host(line), p.payment(line), p.chip(line)
		r.Payment.Ref = line.Ref
	}
	if say.host != "" {
		r.Host.Code, r.Host.Text, r.Host.Gateway = say.host, say.hostText, "0"
		r.Payment = p.payment(line)
		r.Payment.Ref = t.ref
	}
	if v.end == hostDuplicate {
		r.Host.Gateway = "2"
	}
	p.answer(t, r)
}

// host is the bank's part of an answer, or of a record.
func (p upaTerminal) host(line Truth) upa.Host {
	h := upa.Host{
		Code: "00", Text: "APPROVAL", Gateway: "0", Auth: line.AuthCode, Ref: line.HostRef, TerminalRef: line.TerminalRef,
		Batch: line.Batch, At: line.Time.Format(time.RFC3339), Partial: "0", Total: upa.Of(line.Amount),
	}
	if p.stored[line.HostRef] {
		h.Stored = "1"
	}
	if line.Amount < line.Requested {
		h.Code, h.Text, h.Partial = "10", "PARTIAL APPROVAL", "1"
		h.Authorized, h.Total, h.Due = upa.Of(line.Amount), upa.Of(line.Requested), upa.Of(line.Requested-line.Amount)
	}
	return h
}

func (p upaTerminal) payment(line Truth) upa.Payment {
	if line.LastFour == "" {
		return upa.Payment{}
	}
	entry := map[string]string{entryChip: "Contact", entryContactless: "Contactless", entrySwipe: "Swipe"}
	return upa.Payment{Brand: strings.ToUpper(line.Brand), Masked: "************" + line.LastFour, EntryMode: entry[line.EntryMode]}
}

// record is a line of the ledger as the listing of the batch has it.
func (p upaTerminal) record(line Truth) upa.Record {
	types := map[Act]string{Charge: upa.Sale, Refund: upa.Refund, Void: upa.Void}
	r := upa.Record{Type: types[line.Act], Status: "Approved", Ref: line.Ref, Host: p.host(line), Payment: p.payment(line)}
	if line.Act == Charge && p.book.voided(line) {
		r.Status = "Voided"
	}
	return r
}

// chip is what a chip card's receipt shows. The same line always gets the same.
func (p upaTerminal) chip(line Truth) map[string]string {
	c := cardOf(line)
	if c.aid == "" || line.AuthCode == "" {
		return nil
	}
	h := fnv.New64a()
	h.Write([]byte(line.HostRef + line.AuthCode)) // never fails
	r := rand.New(rand.NewPCG(p.o.Seed, h.Sum64()))
	return map[string]string{
		"4f": c.aid, "9f06": c.aid, "50": strings.ToUpper(hex.EncodeToString([]byte(c.label))), "95": "0000008000", "9b": "E800", "8a": "3030",
		"9f26": fmt.Sprintf("%016X", r.Uint64()), "9f10": fmt.Sprintf("06%02X0A03A0%04X", r.IntN(256), r.IntN(1<<16)), "9f34": "1F0302",
	}
}

// answer sends an answer to t's command, in one message or in several, as the
// faults of the exchange have it.
func (p upaTerminal) answer(t *tx, replies ...upa.Reply) {
	o, ok := t.order.(upaOrder)
	if !ok {
		return // every order of this terminal is one
	}
	var payloads [][]byte
	for _, r := range replies {
		r.Kind, r.Command, r.ID = upa.Msg, o.r.Command, o.r.ID
		payloads = append(payloads, upaTwist(r, t.flaws))
	}
	p.reply(t, payloads...)
}

// upaTwist applies the faults of an answer's content.
func upaTwist(r upa.Reply, flaws []*Fault) []byte {
	if find(flaws, WrongCommand) != nil {
		r.Command = "EODProcessing"
	}
	if find(flaws, WrongRef) != nil {
		r.ID, r.Payment.Ref = "999999999999", "999999999999"
	}
	if find(flaws, PANLeak) != nil {
		r.Payment.Masked = Cards()["visa"].number
	}
	payload := r.JSON()
	if find(flaws, NonASCII) != nil {
		payload = []byte(strings.Replace(string(payload), "APPROVAL", "APPROV\xc9", 1))
	}
	var m map[string]any
	reshaped := slices.ContainsFunc([]Kind{ExtraGroups, LowerCaseKeys, UpperCaseKeys, Oversize}, func(k Kind) bool { return find(flaws, k) != nil })
	if !reshaped || json.Unmarshal(payload, &m) != nil {
		return payload
	}
	if find(flaws, LowerCaseKeys) != nil {
		m = renamed(m, strings.ToLower).(map[string]any) // of a map it is one
	}
	if find(flaws, UpperCaseKeys) != nil {
		m = renamed(m, strings.ToUpper).(map[string]any) // of a map it is one
	}
	if find(flaws, ExtraGroups) != nil {
		m["new"] = []any{1, "two", nil, true, map[string]any{"three": -3.5e7}}
		if data, ok := m["data"].(map[string]any); ok {
			data["receipt"] = map[string]any{"host": map[string]any{"responseCode": "05"}, "lines": []any{"MERCHANT COPY", "\u00e9t\u00e9 \"\\"}}
		}
	}
	if find(flaws, Oversize) != nil {
		m["filler"] = strings.Repeat("X", upaMax)
	}
	twisted, err := json.Marshal(m)
	if err != nil {
		return payload // what was JSON can be written again
	}
	return twisted
}

// renamed returns the same value with the names of all fields in another case.
func renamed(v any, to func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[to(k)] = renamed(x, to)
		}
		return m
	case []any:
		for i := range v {
			v[i] = renamed(v[i], to)
		}
	}
	return v
}

// progress: there is no report of what the screen shows.
func (p upaTerminal) progress(*tx, Screen) []byte { return nil }
