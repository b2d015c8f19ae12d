package sim

import (
	"bytes"
	"strings"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/pax"
)

// version is the message layout that the terminal states.
const version = "1.43"

// plain is a reply without groups to a command.
func plain(command, code, text string) pax.Response {
	return pax.Response{Status: pax.StatusLast, Command: replyTo(command), Version: version, Code: code, Text: text}
}

// saying is how the terminal and the issuer's host name the end of a
// transaction; of one that the host was not asked for, only the terminal.
type saying struct{ code, text, host, hostText string }

var paxSayings = map[ending]saying{
	approved:       {codeOK, "OK", "00", "APPROVAL"},
	partly:         {codeOK, "OK", "10", "PARTIAL APPROVAL"},
	declined:       {codeDecline, "DECLINE", "05", "DO NOT HONOR"},
	noFunds:        {codeOK, "OK", "51", "INSUFF FUNDS"},
	stolen:         {codeDecline, "DECLINE", "43", "STOLEN CARD"},
	noOriginal:     {codeDecline, "DECLINE", "12", "ORIGINAL NOT FOUND"},
	alreadyVoided:  {codeDecline, "DECLINE", "12", "ALREADY VOIDED"},
	overOriginal:   {codeDecline, "DECLINE", "12", "EXCEEDS ORIGINAL"},
	localDuplicate: {codeLocalDuplicate, "DUP TRANSACTION", "00", "DUPLICATE"},
	hostDuplicate:  {codeHostDuplicate, "DUPLICATE AT HOST", "00", "DUPLICATE"},
	unreached:      {codeConnect, "CONNECT ERROR", "", ""},
	timedOut:       {codeTimeout, "TIMEOUT", "", ""},
	aborted:        {codeAborted, "ABORTED", "", ""},
}

func (p paxTerminal) result(t *tx, v verdict, o Truth) {
	say := paxSayings[v.end]
	if say.host == "" {
		p.answer(t, plain(pax.Credit, say.code, say.text))
		return
	}
	host := hostOf(o)
	host.Code, host.Text = say.host, say.hostText
	typ := t.typ
	if v.original != nil {
		typ = typeOf(o)
	}
	p.answer(t, pax.MoneyReply{
		Code: say.code, Text: say.text, Host: host, Type: typ,
		Approved: v.approved, Due: o.Requested - v.approved,
		Account: accountOf(o), Trace: traceOf(o), Ext: p.ext(o),
	}.Response(version))
}

// answer sends a response, as the faults of the exchange have it.
func (p paxTerminal) answer(t *tx, r pax.Response) {
	twist(&r, t.flaws)
	if t.hit(MultiPacket) {
		p.reply(t, packets(r)...)
		return
	}
	p.reply(t, r.Append(nil))
}

// progress is A35.
func (p paxTerminal) progress(_ *tx, screen Screen) []byte {
	r := pax.Response{Status: pax.StatusLast, Command: pax.Progress, Version: version, Code: codeOK,
		Text: strings.ToUpper(string(screen))}
	return r.Append(nil)
}

// packets cuts a response after the group of references: the first packet has
// status 1, the second repeats the header and goes on with the next group.
func packets(r pax.Response) [][]byte {
	at, ok := placesOf(r.Command)
	if cut := at.trace + 1; ok && len(r.Groups) > cut {
		first, second := r, r
		first.Status, first.Groups, second.Groups = pax.StatusMore, r.Groups[:cut], r.Groups[cut:]
		return [][]byte{first.Append(nil), second.Append(nil)}
	}
	return r.Packets(len(r.Append(nil))*2/3 + 1)
}

// Groups of the replies that faults touch.
type places struct{ account, trace, ext int }

func placesOf(command string) (places, bool) {
	switch command {
	case "T01":
		return places{3, 4, 8}, true
	case "R03":
		return places{7, 8, 12}, true
	}
	return places{}, false
}

// twist applies the faults of a reply's content.
func twist(r *pax.Response, flaws []*Fault) {
	at, ok := placesOf(r.Command)
	if ok && len(r.Groups) > at.ext {
		twistGroups(r, at, flaws)
	}
	if find(flaws, WrongCommand) != nil {
		r.Command = "B01"
	}
}

func twistGroups(r *pax.Response, at places, flaws []*Fault) {
	g := r.Groups
	if find(flaws, WrongRef) != nil {
		g[at.trace] = put(g[at.trace], 1, "999999999999")
	}
	if find(flaws, PANLeak) != nil {
		g[at.account] = put(g[at.account], 0, Cards()["visa"].number)
	}
	for i, item := range g[at.ext] {
		key, value, _ := strings.Cut(item, "=")
		if find(flaws, LowerCaseKeys) != nil {
			key = strings.ToLower(key)
		}
		if find(flaws, UpperCaseKeys) != nil {
			key = strings.ToUpper(key)
		}
		if find(flaws, NonASCII) != nil && key == "APPLAB" {
			value += " \xc9L\xc8VE"
		}
		g[at.ext][i] = key + "=" + value
	}
	if find(flaws, Oversize) != nil {
		g[at.ext] = append(g[at.ext], "FILLER="+strings.Repeat("X", frame.SizeMax+64))
	}
	if find(flaws, ExtraGroups) != nil {
		g[at.account] = put(g[at.account], 24, "NEW")
		g[at.trace] = put(g[at.trace], 12, "NEW")
		g[at.ext] = append([]string{""}, append(g[at.ext], "NEWKEY=1=2", "")...)
		r.Groups = append(g, []string{"VAS"}, []string{}, []string{"", "TOR"}, []string{"more"})
	}
	if f := find(flaws, CheckByte); f != nil {
		fit(r, at.ext, f.Byte)
	}
}

// put sets item n of a group, which grows as needed.
func put(group []string, n int, v string) []string {
	for len(group) <= n {
		group = append(group, "")
	}
	group[n] = v
	return group
}

// fit adds an item to the extended data that makes the check byte want.
func fit(r *pax.Response, ext int, want byte) {
	base := append([]string(nil), r.Groups[ext]...)
	for a := byte('0'); a <= 'z'; a++ {
		for b := byte('0'); b <= 'z'; b++ {
			for _, high := range []byte{'A', 0xc1} {
				r.Groups[ext] = append(base[:len(base):len(base)], "PAD="+string([]byte{high, a, b}))
				if payload := r.Append(nil); frame.LRC(payload) == want && !bytes.ContainsAny(payload, "\x02\x03") {
					return
				}
			}
		}
	}
}
