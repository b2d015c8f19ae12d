package tilltest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"coffer/internal/terminal/sim"
)

// allowed is what a clinic's box may say to a terminal, field by field, each
// with the form of its value: an amount, a reference, a date, an identifier of
// the terminal's own, or a constant. Whatever is not here, such as a name, a
// date of birth, a code of a diagnosis or an account number, must not be sent.
// The names of fields are those of told.
var allowed = map[sim.Protocol]map[string]string{
	sim.PAX: {
		"* message":        `A00|A14|T00|R02`,
		"* version":        `1\.35`,
		"T00 0.0":          `01|02|16`, // sale, return, void
		"T00 1.0":          cents,      // amount
		"T00 2.5":          `1`,        // a second payment is meant
		"T00 3.0":          reference,  // ours
		"T00 3.1":          reference,  // the same, to be printed
		"T00 3.3":          `\d{1,8}`,  // the terminal's, of what is voided
		"T00 TIPREQ":       `0`,        // no question for a tip
		"T00 REPORTSTATUS": `1`,        // say what you are doing
		"T00 HREF":         `\d{6,16}`, // the bank's, of what is voided or given back
		"R02 0.0":          `00`,       // all tenders
		"R02 3.0":          `\d{1,6}`,  // number of a record
		"R02 6.0":          reference,  // ours
	},
	sim.Simplify: {
		"* 0001": `02|09|11|17|22|73|80`,       // type
		"* 0002": dollars,                      // amount
		"* 0003": `ID:\d{1,32}`,                // the gateway's token, of what is voided or given back
		"* 0007": reference + `|[1-9]\d{0,11}`, // ours; that of a question without one counts
		"* 0013": `\d{6}`,                      // MMDDYY
		"* 0014": `\d{6}`,                      // HHMMSS
		"* 0017": `0\.00`,                      // no cash back
		"* 0115": `010`,                        // credit
		"* 0201": `0\.00`,                      // no tip
		"* 0109": word,                         // terminal, location, chain: names that the processor gave
		"* 8002": word,
		"* 8006": word,
		"* 0647": `1`,   // a part may be approved
		"* 1008": `ID:`, // ask for a masked account
	},
	sim.UPA: {
		"* message":                                     `MSG|ACK`,
		"* data.command":                                `Ping|GetAppInfo|Sale|Void|Refund|CancelTransaction|GetBatchDetails`,
		"* data.EcrId":                                  `13`,
		"* data.requestId":                              reference + `|[1-9]\d{12,19}`,
		"Sale data.data.params.tokenRequest":            `0`,
		"Sale data.data.transaction.baseAmount":         dollars,
		"Sale data.data.transaction.tipAmount":          `0\.00`,
		"Sale data.data.transaction.taxAmount":          `0\.00`,
		"Sale data.data.transaction.allowDuplicate":     `1`,
		"Refund data.data.transaction.totalAmount":      dollars,
		"* data.data.transaction.invoiceNbr":            reference,
		"* data.data.transaction.tranNo":                `\d{1,8}`,
		"* data.data.transaction.referenceNumber":       `\d{6,16}`,
		"GetBatchDetails data.data.params.reportOutput": `ReturnData`,
	},
}

// Forms of values.
const (
	cents     = `[1-9]\d{0,7}`
	dollars   = `(0|[1-9]\d{0,5})\.\d\d`
	reference = `[1-9]\d{11}`
	word      = `[A-Za-z0-9-]{1,32}`
)

// wire listens to all that terminals of a protocol are told.
type wire struct {
	protocol sim.Protocol
	mu       sync.Mutex
	messages int
	strange  map[string]int // by field: values that may not be sent
	forms    map[string]*regexp.Regexp
}

func newWire(p sim.Protocol) *wire {
	w := &wire{protocol: p, strange: map[string]int{}, forms: map[string]*regexp.Regexp{}}
	for field, form := range allowed[p] {
		w.forms[field] = regexp.MustCompile(`^(?:` + form + `)$`)
	}
	return w
}

// hear takes one message as the terminal got it.
func (w *wire) hear(payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages++
	name, fields := told(w.protocol, payload)
	for field, value := range fields {
		form := w.forms[name+" "+field]
		if form == nil {
			form = w.forms["* "+field]
		}
		if form == nil || !form.MatchString(value) {
			w.strange[name+" "+field]++
		}
	}
}

// judge says what was sent that may not be sent: by the field, never the value.
func (w *wire) judge(r *Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.count(&r.Messages, w.messages)
	for field, n := range w.strange {
		r.problem("%d messages told the terminal something else than the rules have it in field %s", n, field)
	}
}

// told takes a message apart: its name, and the values of its fields that are
// not empty. Bytes that are no message are the field "form".
func told(p sim.Protocol, payload []byte) (name string, fields map[string]string) {
	fields = map[string]string{}
	put := func(field, value string) {
		if value != "" {
			fields[field] = value
		}
	}
	switch p {
	case sim.PAX:
		return toldPAX(string(payload), put), fields
	case sim.Simplify:
		return toldSimplify(string(payload), put), fields
	}
	var v map[string]any
	if json.Unmarshal(payload, &v) != nil {
		put("form", "no JSON")
	}
	leaves("", v, put)
	return fields["data.command"], fields
}

func toldPAX(text string, put func(field, value string)) (name string) {
	groups := strings.Split(text, "\x1c")
	name = groups[0]
	put("message", name)
	for i, g := range groups[1:] {
		for j, item := range strings.Split(g, "\x1f") {
			key, value, pair := strings.Cut(item, "=")
			switch {
			case i == 0:
				put("version", item)
			case pair:
				put(key, value)
			default:
				put(fmt.Sprintf("%d.%d", i-1, j), item)
			}
		}
	}
	return name
}

func toldSimplify(text string, put func(field, value string)) (name string) {
	for l := range strings.Lines(strings.TrimSuffix(text, "\x04")) {
		field, value, ok := strings.Cut(strings.TrimRight(l, "\r\n"), ",")
		if !ok {
			field, value = "form", "no field"
		}
		if field == "0001" {
			name = value
		}
		put(field, value)
	}
	return name
}

// leaves gives the values of an object by their paths.
func leaves(path string, v any, put func(field, value string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			leaves(strings.TrimPrefix(path+"."+k, "."), x, put)
		}
	case []any:
		for _, x := range v {
			leaves(path+"[]", x, put)
		}
	default:
		put(path, fmt.Sprint(v))
	}
}
