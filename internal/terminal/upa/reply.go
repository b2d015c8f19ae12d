package upa

import (
	"maps"
	"strconv"
	"strings"
)

// Reply is a message from the terminal: a word, or the answer to a command.
type Reply struct {
	Kind      string // Msg, Ack, Nak, Busy, Ready, or something else
	Command   string // that it answers
	ID        string // the command's requestId
	Result    string // Success or Failed
	Code      string // of a failure: the terminal's own
	Text      string // of a failure
	Host      Host
	Payment   Payment
	EMV       map[string]string // by tag in lower case, of those in emvTags
	Device    Device
	More      bool // the listing goes on in another message
	Total     string
	Records   []Record
	Truncated bool // there were more records than are read
}

// Host is the bank's part of an answer.
type Host struct {
	Code, Text  string // the bank's verdict
	Gateway     string // the processor's verdict: 0 is good
	Auth        string
	Ref         string // the processor's number, needed by Void and Refund
	TerminalRef string
	Batch       string
	At          string // as RFC 3339 has it
	Partial     string // "1" when a part was approved
	Stored      string // "1" when no bank was asked: it is to be told later
	Total       Sum
	Authorized  Sum
	Due         Sum
}

// Payment is what an answer may say of the card.
type Payment struct {
	Brand     string // VISA, MASTERCARD, AMERICAN EXPRESS, DISCOVER, …
	Masked    string
	EntryMode string // Contact, Contactless, Swipe, Manual, Scan
	Ref       string // invoiceNbr, echoed
}

// Device is the answer to GetAppInfo.
type Device struct {
	Serial, App, OS string
}

// Record is one payment of a batch listing.
type Record struct {
	Type, Status string
	Ref          string // invoiceNbr
	ID           string // requestId, where the listing has it
	Host         Host
	Payment      Payment
}

// emvTags are the tags that a receipt shows (EMV Book 3, annex A).
var emvTags = []string{"4f", "50", "84", "8a", "95", "9b", "9f06", "9f10", "9f26", "9f34"}

// recordsMax is how many records of a listing are read.
const recordsMax = 5000

// raw has the texts of the sums until they are read.
type raw struct{ total, authorized, due string }

func (h *Host) sums(r raw) {
	h.Total, h.Authorized, h.Due = sumOf(r.total), sumOf(r.authorized), sumOf(r.due)
}

// hostFields names where the bank's part of an answer stands.
func hostFields(at string, h *Host, r *raw) fields {
	return fields{
		at + "responsecode": &h.Code, at + "responsetext": &h.Text, at + "gatewayresponsecode": &h.Gateway,
		at + "approvalcode": &h.Auth, at + "referencenumber": &h.Ref, at + "tranno": &h.TerminalRef,
		at + "batchseqnbr": &h.Batch, at + "respdatetime": &h.At, at + "partialapproval": &h.Partial,
		at + "storeandforward": &h.Stored,
		at + "totalamount":     &r.total, at + "authorizedamount": &r.authorized, at + "balancedue": &r.due,
	}
}

// The paths of an answer.
const (
	atHost    = "data.data.host."
	atPayment = "data.data.payment."
	atEMV     = "data.data.emv."
	atBatch   = "data.data.batchrecord."
	atRecord  = atBatch + "batchdetailrecords[]"
)

// ParseReply reads a message from the terminal. What looks like card data in it
// gives ErrLeak.
func ParseReply(payload []byte) (Reply, error) {
	var r Reply
	var sums raw
	var more, stored string
	l := listing{reply: &r}
	into := hostFields(atHost, &r.Host, &sums)
	maps.Copy(into, l.fields())
	maps.Copy(into, fields{
		"message": &r.Kind, "data.response": &r.Command, "data.requestid": &r.ID,
		"data.cmdresult.result": &r.Result, "data.cmdresult.errorcode": &r.Code, "data.cmdresult.errormessage": &r.Text,
		atPayment + "cardtype": &r.Payment.Brand, atPayment + "maskedpan": &r.Payment.Masked,
		atPayment + "cardacquisition": &r.Payment.EntryMode, atPayment + "invoicenbr": &r.Payment.Ref,
		atPayment + "storeandforward": &stored,
		"data.data.deviceserialnum":   &r.Device.Serial, "data.data.appversion": &r.Device.App, "data.data.osversion": &r.Device.OS,
		"data.data.multiplemessage": &more, atBatch + "totalcnt": &r.Total,
	})
	tags := make([]string, len(emvTags))
	for i, tag := range emvTags {
		into[atEMV+tag] = &tags[i]
	}
	if err := read(payload, into, l.object); err != nil {
		return Reply{}, err
	}
	l.end()
	r.Host.sums(sums)
	if stored != "" { // it stands with the bank's part, or with the card's
		r.Host.Stored = stored
	}
	r.More = more == "1"
	for i, tag := range emvTags {
		if tags[i] != "" {
			if r.EMV == nil {
				r.EMV = make(map[string]string)
			}
			r.EMV[tag] = tags[i]
		}
	}
	return r, nil
}

// listing gathers the records of a batch, one after the other.
type listing struct {
	reply *Reply
	open  bool
	now   Record // the one that is open
	sums  raw
}

// fields names where a record's values go.
func (l *listing) fields() fields {
	at := atRecord + "."
	f := hostFields(at, &l.now.Host, &l.sums)
	delete(f, at+"referencenumber")
	maps.Copy(f, fields{
		at + "transactiontype": &l.now.Type, at + "transactionstatus": &l.now.Status,
		at + "invoicenbr": &l.now.Ref, at + "requestid": &l.now.ID, at + "gatewaytxnid": &l.now.Host.Ref,
		at + "cardtype": &l.now.Payment.Brand, at + "maskedcardnumber": &l.now.Payment.Masked,
		at + "cardacquisition": &l.now.Payment.EntryMode,
	})
	return f
}

// object is told of each object that begins: some are records.
func (l *listing) object(path []byte) {
	if string(path) == atRecord {
		l.end()
		l.open = true
	}
}

// end closes the record that is open.
func (l *listing) end() {
	switch {
	case !l.open:
	case len(l.reply.Records) == recordsMax:
		l.reply.Truncated = true
	default:
		l.now.Host.sums(l.sums)
		l.reply.Records = append(l.reply.Records, l.now)
	}
	l.open, l.now, l.sums = false, Record{}, raw{}
}

// JSON returns the message.
func (r Reply) JSON() []byte {
	if r.Kind != Msg {
		return Signal(r.Kind)
	}
	result := map[string]any{"result": r.Result}
	if r.Result != Success {
		result["errorCode"], result["errorMessage"] = r.Code, r.Text
	}
	data := map[string]any{"response": r.Command, "EcrId": ecrID, "requestId": r.ID, "cmdResult": result}
	inner := map[string]any{}
	if h := r.Host.object(); len(h) > 0 {
		inner["host"] = h
	}
	if p := r.Payment.object("maskedPan"); len(p) > 0 {
		inner["payment"] = p
	}
	if len(r.EMV) > 0 {
		emv := map[string]any{}
		for tag, v := range r.EMV {
			emv[strings.ToUpper(tag)] = v
		}
		inner["emv"] = emv
	}
	if r.Device != (Device{}) {
		inner["deviceSerialNum"], inner["appVersion"], inner["OsVersion"] = r.Device.Serial, r.Device.App, r.Device.OS
	}
	if r.Command == GetBatch && r.Result == Success {
		inner["multipleMessage"] = strconv.Itoa(map[bool]int{true: 1}[r.More])
		inner["batchRecord"] = map[string]any{"totalCnt": r.Total, "batchDetailRecords": objects(r.Records)}
	}
	if len(inner) > 0 {
		data["data"] = inner
	}
	return encoded(map[string]any{"message": Msg, "data": data})
}

func objects(records []Record) []any {
	list := []any{}
	for _, r := range records {
		o := r.Host.object()
		maps.Copy(o, r.Payment.object("maskedCardNumber"))
		delete(o, "referenceNumber")
		set(o, "gatewayTxnId", r.Host.Ref)
		set(o, "transactionType", r.Type)
		set(o, "transactionStatus", r.Status)
		set(o, "invoiceNbr", r.Ref)
		set(o, "requestId", r.ID)
		list = append(list, o)
	}
	return list
}

func (h Host) object() map[string]any {
	o := map[string]any{}
	set(o, "responseCode", h.Code)
	set(o, "responseText", h.Text)
	set(o, "gatewayResponseCode", h.Gateway)
	set(o, "approvalCode", h.Auth)
	set(o, "referenceNumber", h.Ref)
	set(o, "tranNo", h.TerminalRef)
	set(o, "batchSeqNbr", h.Batch)
	set(o, "respDateTime", h.At)
	set(o, "partialApproval", h.Partial)
	set(o, "storeAndForward", h.Stored)
	for key, s := range map[string]Sum{"totalAmount": h.Total, "authorizedAmount": h.Authorized, "balanceDue": h.Due} {
		if s.Present {
			o[key] = s.Amount.String()
		}
	}
	return o
}

func (p Payment) object(masked string) map[string]any {
	o := map[string]any{}
	set(o, "cardType", p.Brand)
	set(o, masked, p.Masked)
	set(o, "cardAcquisition", p.EntryMode)
	set(o, "invoiceNbr", p.Ref)
	return o
}

func set(o map[string]any, key, value string) {
	if value != "" {
		o[key] = value
	}
}
