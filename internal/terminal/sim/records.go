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

func (s *Sim) identity(t *tx) *answer {
	r := pax.Device{Serial: s.serial, Model: s.o.Model, OS: s.o.OS, MAC: "5410EC000001", App: s.o.App}.Response(version)
	return &answer{tx: t, whole: &r}
}

// findRecord is R02: a record of the open batch, by ECR reference or by
// number. Records count from 1; number 0 is the newest.
func (s *Sim) findRecord(t *tx, req pax.Request) *answer {
	f, err := pax.ParseFind(req)
	lines := s.book.open()
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
		reply = s.record(lines[at], at+1, len(lines))
	}
	r := reply.Response(version)
	return &answer{tx: t, whole: &r}
}

// record is a line of the ledger as the terminal's journal has it.
func (s *Sim) record(o Truth, n, total int) pax.FindReply {
	f := pax.FindReply{
		Code: codeOK, Text: "OK", Total: total, Record: n,
		Host: hostOf(o), Type: typeOf(o), Approved: o.Amount,
		Account: accountOf(o), Trace: traceOf(o), Ext: s.ext(o),
	}
	if o.Act == Void {
		f.OriginalType = typeOf(Truth{Act: o.OfAct})
	}
	if o.Act == Charge && s.book.left(o) == 0 && s.voided(o) {
		f.Type, f.OriginalType = pax.TypeVoidSale, pax.TypeSale
	}
	return f
}

func (s *Sim) voided(o Truth) bool {
	_, ok := newest(s.book.lines, func(v Truth) bool { return v.Act == Void && v.Of == o.HostRef })
	return ok
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
func (s *Sim) ext(o Truth) map[string]string {
	h := fnv.New64a()
	h.Write([]byte(o.HostRef + o.AuthCode)) // never fails
	r := rand.New(rand.NewPCG(s.o.Seed, h.Sum64()))
	c := cardOf(o)
	m := map[string]string{
		"SN":        s.serial,
		"GLOBALUID": s.serial + o.Time.Format(stamp) + fmt.Sprintf("%02d", len(s.book.lines)%100),
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
	if o.EntryMode == entryChip && s.o.PINDelay > 0 {
		m["CVM"], m["PINSTATUSNUM"] = "1", "1"
	}
	for k, v := range m {
		m[k] = strings.TrimSpace(v)
	}
	return m
}

// totals is what R00 and B00 say of the open batch.
func (s *Sim) totals(t *tx, command string) *answer {
	lines := s.book.open()
	r := pax.Response{
		Status: pax.StatusLast, Command: command, Version: version, Code: codeOK, Text: "OK",
		Groups: [][]string{
			{"01"},
			{strconv.Itoa(len(lines)), "0", "0"},
			{strconv.FormatInt(int64(Net(lines)), 10), "0", "0"},
		},
	}
	return &answer{tx: t, whole: &r}
}

// closeBatch is B00: the issuer settles, the records leave the terminal.
func (s *Sim) closeBatch(t *tx) {
	s.tx = t
	s.show(Processing)
	s.wait(s.o.HostDelay, func() {
		lines := s.book.open()
		o := Truth{Time: s.o.Now(), Act: Batch, Amount: Net(lines), Batch: s.book.batch(),
			HostRef: fmt.Sprintf("2%010d", len(s.book.lines)+1)}
		if _, err := s.book.append(o); err != nil {
			s.breakDown(err)
			return
		}
		r := pax.Response{
			Status: pax.StatusLast, Command: replyTo(pax.CloseBatch), Version: version, Code: codeOK, Text: "OK",
			Groups: [][]string{
				{"00", "BATCH CLOSED", "", o.HostRef, "", o.Batch},
				{strconv.Itoa(len(lines)), "0", "0"},
				{strconv.FormatInt(int64(o.Amount), 10), "0", "0"},
				{o.Time.Format(stamp)}, {"00000001"}, {"000000000000001"},
			},
		}
		s.finish(t, &answer{tx: t, whole: &r})
	})
}

// breakDown is a ledger that cannot be written: the terminal goes dark before
// it says anything that the ledger does not hold.
func (s *Sim) breakDown(err error) {
	s.o.Log.Error("The ledger cannot be written; the terminal is switched off.")
	s.broken = err
	s.book.abandon()
	s.powerOff()
}
