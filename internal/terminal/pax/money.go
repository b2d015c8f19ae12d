package pax

import (
	"strconv"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// The transaction types that are used.
const (
	TypeSale     = "01"
	TypeReturn   = "02"
	TypeVoid     = "16"
	TypeVoidSale = "17" // in records: a sale that has been voided
)

// Device verdicts that the program itself tells apart; verdicts has them all.
const (
	CodeOK             = "000000"
	CodeDecline        = "000100"
	CodeTimeout        = "100001"
	CodeAborted        = "100002"
	CodeLocalDuplicate = "100011"
	CodeHostDuplicate  = "103000"
)

// typeOf returns the transaction type of a kind of command.
func typeOf(k protocol.Kind) string {
	switch k {
	case protocol.Sale:
		return TypeSale
	case protocol.Refund:
		return TypeReturn
	case protocol.Void:
		return TypeVoid
	}
	return ""
}

// Money is a T00 request.
type Money struct {
	Type         string       // TypeSale, TypeReturn or TypeVoid
	Amount       money.Amount // empty on the wire when zero
	Ref          string       // our reference
	Invoice      string
	TerminalRef  string // of the original
	HostRef      string // of the original
	DupOverride  bool   // do not check for duplicates
	ReportStatus bool   // send A35 while working
}

// Positions in T00: TYPE, amounts, account, trace, avs, cashier, commercial,
// ecom, ext.
const (
	reqType, reqAmounts, reqAccount, reqTrace, reqExt, reqGroups = 0, 1, 2, 3, 8, 9
)

// Request returns the message. Of the account group only the duplicate
// override can ever be filled.
func (m Money) Request(version string) Request {
	g := make([][]string, reqGroups)
	g[reqType] = []string{m.Type}
	if m.Amount != 0 {
		g[reqAmounts] = []string{cents(m.Amount)}
	}
	if m.DupOverride {
		g[reqAccount] = []string{"", "", "", "", "", "1"}
	}
	g[reqTrace] = []string{m.Ref, m.Invoice, "", m.TerminalRef}
	g[reqExt] = []string{"TIPREQ=0"}
	if m.HostRef != "" {
		g[reqExt] = append(g[reqExt], "HREF="+m.HostRef)
	}
	if m.ReportStatus {
		g[reqExt] = append(g[reqExt], "REPORTSTATUS=1")
	}
	return Request{Command: Credit, Version: version, Groups: trim(g)}
}

// ParseMoney reads a T00 request. One that fills a card field is refused.
func ParseMoney(r Request) (Money, error) {
	if r.Command != Credit {
		return Money{}, ErrFormat
	}
	for i := range 3 {
		if item(r.Groups, reqAccount, i) != "" {
			return Money{}, ErrFormat
		}
	}
	amount, err := parseCents(item(r.Groups, reqAmounts, 0))
	if err != nil {
		return Money{}, err
	}
	m := Money{
		Type: item(r.Groups, reqType, 0), Amount: amount,
		Ref: item(r.Groups, reqTrace, 0), Invoice: item(r.Groups, reqTrace, 1),
		TerminalRef: item(r.Groups, reqTrace, 3),
		DupOverride: item(r.Groups, reqAccount, 5) == "1",
	}
	if len(r.Groups) > reqExt {
		ext := Ext(r.Groups[reqExt])
		m.HostRef, m.ReportStatus = ext["HREF"], ext["REPORTSTATUS"] == "1"
	}
	return m, nil
}

// Host is the bank's part of a reply.
type Host struct {
	Code, Text, Auth, Ref, Trace, Batch string
}

// Account is what a reply may say of the card.
type Account struct {
	LastFour  string // or masked; anything else trips the wire
	EntryMode string // 0 manual 1 swipe 2 contactless 3 scanner 4 chip 5 fallback
	CardType  string // 01 Visa 02 Mastercard 03 Amex 04 Discover 05 Diners 07 JCB 99 other
}

// Trace is the numbers of a reply.
type Trace struct {
	TerminalRef string
	Ref         string // ours, echoed
	At          string // YYYYMMDDhhmmss
}

// MoneyReply is a T01 response.
type MoneyReply struct {
	Code, Text string // the terminal's own verdict
	Host       Host
	Type       string
	Approved   money.Amount
	Due        money.Amount
	Account    Account
	Trace      Trace
	Ext        map[string]string // keys in upper case: HREF, SN, AID, APPLAB, TVR, TSI, TC, ARQC, IAD, ARC, CVM, …

	amountPresent bool
}

// Positions in T01: host, TYPE, amounts, account, trace, avs, commercial,
// ecom, ext.
const (
	repHost, repType, repAmounts, repAccount, repTrace, repExt, repGroups = 0, 1, 2, 3, 4, 8, 9
)

// Response returns the message. A reply with a zero Host, Type and Trace has
// no groups at all, as a terminal answers when no card was presented.
func (m MoneyReply) Response(version string) Response {
	r := Response{Status: StatusLast, Command: "T01", Version: version, Code: m.Code, Text: m.Text}
	if m.Host == (Host{}) && m.Type == "" && m.Trace == (Trace{}) {
		return r
	}
	g := make([][]string, repGroups)
	g[repHost] = m.Host.group()
	g[repType] = []string{m.Type}
	g[repAmounts] = []string{cents(m.Approved), cents(m.Due)}
	g[repAccount] = m.Account.group()
	g[repTrace] = m.Trace.group()
	g[repExt] = extGroup(m.Ext)
	r.Groups = trim(g)
	return r
}

// ParseMoneyReply reads a T01 response. It does not look for card numbers:
// Leaks does.
func ParseMoneyReply(r Response) (MoneyReply, error) {
	if r.Command != "T01" {
		return MoneyReply{}, ErrFormat
	}
	m := MoneyReply{Code: r.Code, Text: r.Text, Type: item(r.Groups, repType, 0)}
	var err error
	if m.Approved, err = parseCents(item(r.Groups, repAmounts, 0)); err != nil {
		return MoneyReply{}, err
	}
	if m.Due, err = parseCents(item(r.Groups, repAmounts, 1)); err != nil {
		return MoneyReply{}, err
	}
	m.amountPresent = item(r.Groups, repAmounts, 0) != ""
	m.Host = parseHost(r.Groups, repHost)
	m.Account = parseAccount(r.Groups, repAccount)
	m.Trace = parseTrace(r.Groups, repTrace)
	if len(r.Groups) > repExt {
		m.Ext = Ext(r.Groups[repExt])
	}
	return m, nil
}

func (h Host) group() []string {
	return []string{h.Code, h.Text, h.Auth, h.Ref, h.Trace, h.Batch}
}

func parseHost(g [][]string, n int) Host {
	return Host{
		Code: item(g, n, 0), Text: item(g, n, 1), Auth: item(g, n, 2),
		Ref: item(g, n, 3), Trace: item(g, n, 4), Batch: item(g, n, 5),
	}
}

func (a Account) group() []string {
	return []string{a.LastFour, a.EntryMode, "", "", "", "", a.CardType}
}

func parseAccount(g [][]string, n int) Account {
	return Account{LastFour: item(g, n, 0), EntryMode: item(g, n, 1), CardType: item(g, n, 6)}
}

func (t Trace) group() []string { return []string{t.TerminalRef, t.Ref, t.At} }

func parseTrace(g [][]string, n int) Trace {
	return Trace{TerminalRef: item(g, n, 0), Ref: item(g, n, 1), At: item(g, n, 2)}
}

// cents returns an amount as the wire has it: "15000".
func cents(a money.Amount) string { return strconv.FormatInt(int64(a), 10) }

// parseCents reads an amount of up to 12 digits. Empty is zero.
func parseCents(s string) (money.Amount, error) {
	if s == "" {
		return 0, nil
	}
	if len(s) > 12 || !isDigits(s) {
		return 0, ErrFormat
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, ErrFormat
	}
	return money.Amount(n), nil
}
