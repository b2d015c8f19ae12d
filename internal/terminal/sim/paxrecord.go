package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"

	"coffer/internal/terminal/pax"
)

// stamp is how the terminal writes a time.
const stamp = "20060102150405"

func (p paxTerminal) identity() pax.Response {
	return pax.Device{Serial: p.serial, Model: p.o.Model, OS: p.o.OS, MAC: "5410EC000001", App: p.app}.Response(version)
}

// findRecord is R02: a record of the open batch, by ECR reference or by
// number. Records count from 1; number 0 is the newest.
func (p paxTerminal) findRecord(req pax.Request) pax.Response {
	f, err := pax.ParseFind(req)
	lines := p.book.open()
	reply := pax.FindReply{Code: codeNotFound, Text: "NOT FOUND", Total: len(lines), Record: -1}
	at := -1
	switch n, bad := strconv.Atoi(f.Record); {
	case err != nil, f.Ref == "" && bad != nil:
		reply.Code, reply.Text = codeBadCommand, "INVALID PARAMETER"
	case f.Ref != "":
		for i, o := range lines {
			if o.Ref == f.Ref {
				at = i
			}
		}
	case n == 0:
		at = len(lines) - 1
	case n <= len(lines):
		at = n - 1
	}
	if at >= 0 {
		reply = p.record(lines[at], at+1, len(lines))
	}
	return reply.Response(version)
}

// record is a line of the ledger as the terminal's journal has it.
func (p paxTerminal) record(o Truth, n, total int) pax.FindReply {
	f := pax.FindReply{
		Code: codeOK, Text: "OK", Total: total, Record: n,
		Host: hostOf(o), Type: typeOf(o), Approved: o.Amount,
		Account: accountOf(o), Trace: traceOf(o), Ext: p.ext(o),
	}
	if o.Act == Void {
		f.OriginalType = typeOf(Truth{Act: o.OfAct})
	}
	if o.Act == Charge && p.book.left(o) == 0 && p.book.voided(o) {
		f.Type, f.OriginalType = pax.TypeVoidSale, pax.TypeSale
	}
	return f
}

func typeOf(o Truth) string {
	switch o.Act {
	case Refund:
		return pax.TypeReturn
	case Void:
		return pax.TypeVoid
	}
	return pax.TypeSale
}

func hostOf(o Truth) pax.Host {
	h := pax.Host{Code: "00", Text: "APPROVAL", Auth: o.AuthCode, Ref: o.HostRef, Trace: o.TerminalRef, Batch: o.Batch}
	if o.Amount < o.Requested {
		h.Code, h.Text = "10", "PARTIAL APPROVAL"
	}
	return h
}

func accountOf(o Truth) pax.Account {
	return pax.Account{LastFour: o.LastFour, EntryMode: o.EntryMode, CardType: cardOf(o).typ}
}

func traceOf(o Truth) pax.Trace {
	return pax.Trace{TerminalRef: o.TerminalRef, Ref: o.Ref, At: o.Time.Format(stamp)}
}

// ext is the extended data of a line: what a chip card's receipt shows, and
// who says so. The same line always gets the same data.
func (p paxTerminal) ext(o Truth) map[string]string {
	h := fnv.New64a()
	h.Write([]byte(o.HostRef + o.AuthCode)) // never fails
	r := rand.New(rand.NewPCG(p.o.Seed, h.Sum64()))
	c := cardOf(o)
	m := map[string]string{
		"SN":        p.serial,
		"GLOBALUID": p.serial + o.Time.Format(stamp) + fmt.Sprintf("%02d", len(p.book.lines)%100),
		"HREF":      o.HostRef,
	}
	if o.AuthCode == "" || c.aid == "" {
		return m
	}
	m["AID"], m["APPLAB"], m["APPPN"] = c.aid, c.label, c.label
	m["TVR"], m["TSI"], m["ARC"] = "0000008000", "E800", "00"
	m["TC"] = fmt.Sprintf("%016X", r.Uint64())
	m["ATC"] = fmt.Sprintf("%04X", r.IntN(1<<16))
	m["IAD"] = fmt.Sprintf("06%02X0A03A0%04X", r.IntN(256), r.IntN(1<<16))
	m["CID"], m["CVM"] = "40", "6"
	if o.EntryMode == entryChip && p.o.PINDelay > 0 {
		m["CVM"], m["PINSTATUSNUM"] = "1", "1"
	}
	for k, v := range m {
		m[k] = strings.TrimSpace(v)
	}
	return m
}

// totals is what R00 says of the open batch.
func (p paxTerminal) totals() pax.Response {
	r := plain("R00", codeOK, "OK")
	r.Groups = append([][]string{{"01"}}, sums(p.book.open())...)
	return r
}

// sums are the groups of count and amount.
func sums(lines []Truth) [][]string {
	return [][]string{
		{strconv.Itoa(len(lines)), "0", "0"},
		{strconv.FormatInt(int64(Net(lines)), 10), "0", "0"},
	}
}

// batchReply is B01.
func batchReply(o Truth, lines []Truth) pax.Response {
	r := plain(pax.CloseBatch, codeOK, "OK")
	r.Groups = append([][]string{{"00", "BATCH CLOSED", "", o.HostRef, "", o.Batch}}, sums(lines)...)
	r.Groups = append(r.Groups, []string{o.Time.Format(stamp)}, []string{"00000001"}, []string{"000000000000001"})
	return r
}
