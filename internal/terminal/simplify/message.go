package simplify

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"coffer/internal/fault"
	"coffer/internal/terminal/frame"
)

// ErrFormat is returned for bytes that are not a message.
var ErrFormat = fault.New(fault.Invalid, "The terminal sent something that is not a message of its protocol.")

// Field is the number of a field.
type Field uint16

// The fields that are sent or kept (Fusebox Integration Guide, "API
// Reference"; Simplify developer guide, "Message Details" and "EMV").
const (
	FieldType       Field = 1    // type of transaction
	FieldAmount     Field = 2    // "1.00"; without a point it is cents
	FieldAccount    Field = 3    // "ID:" and a token; never a card number
	FieldAuth       Field = 6    // authorisation code
	FieldRef        Field = 7    // our reference; of a void, that of what it voids
	FieldBatch      Field = 9    // of the host
	FieldDate       Field = 13   // MMDDYY
	FieldTime       Field = 14   // HHMMSS
	FieldCashback   Field = 17   // always "0.00"
	FieldHostRef    Field = 36   // the host's number of the transaction
	FieldTrace      Field = 43   // the terminal's number of the transaction (STAN)
	FieldProximity  Field = 52   // 0 contact, 2 and 3 contactless, 5 swiped
	FieldEntry      Field = 54   // entry mode (EMV 9F39)
	FieldTerminal   Field = 109  // terminal identifier, given by Elavon
	FieldCashier    Field = 110  // who is at the till
	FieldTender     Field = 115  // "010" credit, "030" debit
	FieldRetrieval  Field = 125  // retrieval reference number
	FieldTip        Field = 201  // always "0.00"
	FieldPartial    Field = 647  // "1": a partial approval is welcome
	FieldBrand      Field = 1000 // VI, MC, AX, DI, DC, JC, DB
	FieldGateway    Field = 1003 // the gateway's verdict; "0" or "0000" is success
	FieldHostText   Field = 1004 // the bank's words
	FieldMasked     Field = 1008 // asks for a token; in a reply the masked account
	FieldHost       Field = 1009 // the bank's verdict
	FieldText       Field = 1010 // the gateway's words; "*SLR …" and "*ICC …" are the PIN pad's own
	FieldCount      Field = 1012 // of a batch: transactions
	FieldTotal      Field = 1013 // of a batch: amount
	FieldHealth     Field = 1074 // first of ten amounts of a health account, up to 1083
	FieldCryptogram Field = 1300 // EMV 9F26
	FieldCVM        Field = 1303 // EMV 9F34
	FieldIAD        Field = 1305 // EMV 9F10
	FieldTVR        Field = 1307 // EMV 95
	FieldAID        Field = 1325 // EMV 4F
	FieldPreferred  Field = 1326 // EMV 9F12
	FieldLabel      Field = 1327 // EMV 50
	FieldTSI        Field = 1334 // EMV 9B
	FieldARC        Field = 1339 // EMV 8A
	FieldSerial     Field = 5002 // serial number of the device
	FieldPresent    Field = 5071 // card and holder are present
	FieldLocation   Field = 8002 // location name, given by Elavon
	FieldChain      Field = 8006 // chain code, given by Elavon
)

// The types of transaction. A reply bears that of its request, except that the
// answer to an inquiry bears the type of what was found.
const (
	TypeSale       = "02"
	TypeReturn     = "09"
	TypeVoid       = "11" // of a sale
	TypeCloseBatch = "13"
	TypeVoidReturn = "17"
	TypeInquiry    = "22"
	TypeReversal   = "61" // of a whole authorisation
	TypeHealth     = "73" // is anybody there; echoed
	TypeCancel     = "80"
)

// IsStatus reports whether a type is one of the messages that tell what the
// PIN pad is doing; they come unasked and need nothing but an ACK.
func IsStatus(typ string) bool {
	n, err := strconv.Atoi(typ)
	return err == nil && n >= 36 && n <= 51
}

// Message is a message of either side. The order of fields has no meaning.
type Message map[Field]string

// fieldsMax is how many fields a message may have.
const fieldsMax = 1024

// ParseMessage reads a payload: lines of "NNNN,value" that end with CR LF or
// LF, and EOT. A field that comes twice, a number that has not one to four
// digits and a control byte in a value are refused.
func ParseMessage(payload []byte) (Message, error) {
	body, ok := bytes.CutSuffix(payload, []byte{frame.EOT})
	if !ok {
		return nil, ErrFormat
	}
	m := make(Message)
	for line := range bytes.Lines(body) {
		f, value, ok := cutLine(line)
		if !ok {
			return nil, ErrFormat
		}
		if _, twice := m[f]; twice || len(m) == fieldsMax {
			return nil, ErrFormat
		}
		m[f] = string(value)
	}
	if m[FieldType] == "" {
		return nil, ErrFormat
	}
	return m, nil
}

// cutLine takes one line apart.
func cutLine(line []byte) (Field, []byte, bool) {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	line = bytes.TrimSuffix(line, []byte{'\r'})
	number, value, ok := bytes.Cut(line, []byte{','})
	if !ok || len(number) < 1 || len(number) > 4 {
		return 0, nil, false
	}
	n := 0
	for _, c := range number {
		if c < '0' || c > '9' {
			return 0, nil, false
		}
		n = n*10 + int(c-'0')
	}
	for _, c := range value {
		if c < 0x20 || c == 0x7f {
			return 0, nil, false
		}
	}
	return Field(n), value, n > 0
}

// Append appends the payload of the message to dst: its type first, then the
// other fields by their numbers. A value must hold no control byte.
func (m Message) Append(dst []byte) []byte {
	for _, f := range slices.Sorted(maps.Keys(m)) {
		dst = fmt.Appendf(dst, "%04d,%s\r\n", f, m[f])
	}
	return append(dst, frame.EOT)
}
