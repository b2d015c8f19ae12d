package pax

import (
	"maps"
	"slices"
	"strconv"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// Device is an A01 response: what the terminal is.
type Device struct {
	Serial, Model, OS, MAC, App string
}

// Response returns the message.
func (d Device) Response(version string) Response {
	g := make([][]string, 10)
	for i, s := range []string{d.Serial, d.Model, d.OS, d.MAC} {
		g[i] = []string{s}
	}
	g[9] = []string{d.App}
	return Response{Status: StatusLast, Command: "A01", Version: version, Code: CodeOK, Text: "OK", Groups: trim(g)}
}

// ParseDevice reads an A01 response. Old terminals state the serial number
// only.
func ParseDevice(r Response) (Device, error) {
	if r.Command != "A01" {
		return Device{}, ErrFormat
	}
	return Device{
		Serial: item(r.Groups, 0, 0), Model: item(r.Groups, 1, 0), OS: item(r.Groups, 2, 0),
		MAC: item(r.Groups, 3, 0), App: item(r.Groups, 9, 0),
	}, nil
}

// device returns what is kept of it.
func (d Device) device() protocol.Device {
	return protocol.Device{Serial: protocol.Clean(d.Serial, 32), Model: protocol.Clean(d.Model, 32), OS: protocol.Clean(d.OS, 32), App: protocol.Clean(d.App, 32)}
}

// Find is an R02 request: by our reference, or by record number.
type Find struct {
	Ref    string
	Record string // digits, or empty
}

// Positions in R02: EDC, TYPE, card type, record, terminal ref, auth code,
// ECR ref, ext.
const findEDC, findRecord, findRef, findGroups = 0, 3, 6, 8

// Request returns the message.
func (f Find) Request(version string) Request {
	g := make([][]string, findGroups)
	g[findEDC] = []string{"00"}
	g[findRecord] = []string{f.Record}
	g[findRef] = []string{f.Ref}
	return Request{Command: FindRecord, Version: version, Groups: trim(g)}
}

// ParseFind reads an R02 request.
func ParseFind(r Request) (Find, error) {
	if r.Command != FindRecord {
		return Find{}, ErrFormat
	}
	return Find{Ref: item(r.Groups, findRef, 0), Record: item(r.Groups, findRecord, 0)}, nil
}

// FindReply is an R03 response: one record of the terminal's own journal.
type FindReply struct {
	Code, Text   string
	Total        int // how many records the terminal has; -1 when it does not say
	Record       int // this one's number; -1 when it does not say
	Host         Host
	Type         string
	OriginalType string
	Approved     money.Amount
	Account      Account
	Trace        Trace
	Ext          map[string]string

	amountPresent bool
}

// Positions in R03: total, record, host, EDC, TYPE, original TYPE, amounts,
// account, trace, cashier, commercial, check, ext.
const (
	recTotal, recNumber, recHost, recEDC, recType, recOriginal = 0, 1, 2, 3, 4, 5
	recAmounts, recAccount, recTrace, recExt, recGroups        = 6, 7, 8, 12, 13
)

// Response returns the message. With a Code other than CodeOK it has no
// groups except the total, when that is not negative.
func (f FindReply) Response(version string) Response {
	r := Response{Status: StatusLast, Command: "R03", Version: version, Code: f.Code, Text: f.Text}
	g := make([][]string, recGroups)
	if f.Total >= 0 {
		g[recTotal] = []string{strconv.Itoa(f.Total)}
	}
	if f.Code != CodeOK {
		r.Groups = trim(g)
		return r
	}
	g[recNumber] = []string{strconv.Itoa(f.Record)}
	g[recHost] = f.Host.group()
	g[recEDC] = []string{"01"}
	g[recType] = []string{f.Type}
	g[recOriginal] = []string{f.OriginalType}
	g[recAmounts] = []string{cents(f.Approved)}
	g[recAccount] = f.Account.group()
	g[recTrace] = f.Trace.group()
	g[recExt] = extGroup(f.Ext)
	r.Groups = trim(g)
	return r
}

// ParseFindReply reads an R03 response. It does not look for card numbers:
// Leaks does.
func ParseFindReply(r Response) (FindReply, error) {
	if r.Command != "R03" {
		return FindReply{}, ErrFormat
	}
	f := FindReply{
		Code: r.Code, Text: r.Text,
		Total: count(item(r.Groups, recTotal, 0)), Record: count(item(r.Groups, recNumber, 0)),
		Type: item(r.Groups, recType, 0), OriginalType: item(r.Groups, recOriginal, 0),
		Host: parseHost(r.Groups, recHost), Account: parseAccount(r.Groups, recAccount),
		Trace: parseTrace(r.Groups, recTrace),
	}
	var err error
	if f.Approved, err = parseCents(item(r.Groups, recAmounts, 0)); err != nil {
		return FindReply{}, err
	}
	f.amountPresent = item(r.Groups, recAmounts, 0) != ""
	if len(r.Groups) > recExt {
		f.Ext = Ext(r.Groups[recExt])
	}
	return f, nil
}

// count reads a number of up to six digits; anything else is -1.
func count(s string) int {
	if len(s) > 6 || !isDigits(s) {
		return -1
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// extGroup returns KEY=VALUE items in the order of their keys.
func extGroup(ext map[string]string) []string {
	var items []string
	for _, k := range slices.Sorted(maps.Keys(ext)) {
		items = append(items, k+"="+ext[k])
	}
	return items
}
