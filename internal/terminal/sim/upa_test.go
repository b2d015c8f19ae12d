package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// upaDriver is a client of a UPA terminal that shares no code with it: it knows
// bytes, JSON, and what the public client kits do.
type upaDriver struct{ *driver }

func upaSay(json string) []byte { return []byte("\x02\n" + json + "\n\x03\n") }

func upaCommand(command, id, transaction string) []byte {
	return upaSay(fmt.Sprintf(`{"message":"MSG","data":{"command":%q,"EcrId":"13","requestId":%q,"data":{"transaction":{%s}}}}`, command, id, transaction))
}

func upaSale(ref string, dollars string) []byte {
	return upaCommand("Sale", ref, fmt.Sprintf(`"baseAmount":%q,"invoiceNbr":%q`, dollars, ref))
}

var upaAck = upaSay(`{"message":"ACK","data":""}`)

// hear returns the next message.
func (d upaDriver) hear(limit time.Duration) map[string]any {
	d.t.Helper()
	d.expect(0x02, limit)
	var b []byte
	for {
		c, err := d.next(limit)
		if err != nil {
			d.t.Fatalf("inside a message: %v after %q", err, b)
		}
		if c == 0x03 {
			break
		}
		b = append(b, c)
	}
	d.expect('\n', limit)
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		d.t.Fatalf("%q: %v", b, err)
	}
	return m
}

// word takes a message that is a word.
func (d upaDriver) word(want string, limit time.Duration) {
	d.t.Helper()
	if got := d.hear(limit)["message"]; got != want {
		d.t.Fatalf("got %v, want %s", got, want)
	}
}

// exchange sends a command and plays the whole exchange by the book.
func (d upaDriver) exchange(command []byte) map[string]any {
	d.t.Helper()
	d.write(command)
	d.word("ACK", time.Second)
	return d.answer()
}

// answer takes an answer, acknowledges it and waits for the end.
func (d upaDriver) answer() map[string]any {
	d.t.Helper()
	m := d.hear(patience)
	d.write(upaAck)
	d.word("READY", time.Second)
	return m
}

// at returns a value deep in a message.
func at(m map[string]any, path ...string) any {
	for _, name := range path[:len(path)-1] {
		m, _ = m[name].(map[string]any)
	}
	return m[path[len(path)-1]]
}

// TestUPAExchanges has what the terminal says, as an outsider reads it.
func TestUPAExchanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{Protocol: UPA, Strict: true, Rules: DefaultRules()})
		d := upaDriver{drive(t, s)}
		if got := at(d.exchange(upaCommand("GetAppInfo", "1", "")), "data", "data", "deviceSerialNum"); got != "53236566" {
			t.Errorf("serial number %v", got)
		}
		m := d.exchange(upaSale("101", "12.01"))
		for path, want := range map[[2]string]string{
			{"host", "responseCode"}: "00", {"host", "totalAmount"}: "12.01", {"payment", "maskedPan"}: "************1111", {"payment", "invoiceNbr"}: "101",
		} {
			if got := at(m, "data", "data", path[0], path[1]); got != want {
				t.Errorf("%v is %v, want %s", path, got, want)
			}
		}
		if at(m, "data", "requestId") != "101" || at(m, "data", "cmdResult", "result") != "Success" {
			t.Errorf("the answer is %v", m)
		}
		m = d.exchange(upaSale("102", "10.61"))
		if at(m, "data", "data", "host", "authorizedAmount") != "5.31" || at(m, "data", "data", "host", "balanceDue") != "5.30" {
			t.Errorf("a part is %v", m)
		}
		m = d.exchange(upaSale("103", "10.91"))
		if at(m, "data", "cmdResult", "result") != "Failed" || at(m, "data", "cmdResult", "errorCode") != "TRAN005" {
			t.Errorf("without a host: %v", m)
		}
		list, _ := at(d.exchange(upaCommand("GetBatchDetails", "2", "")), "data", "data", "batchRecord", "batchDetailRecords").([]any)
		if len(list) != 2 || list[0].(map[string]any)["invoiceNbr"] != "101" {
			t.Errorf("the batch is %v", list)
		}
		d.write(upaSale("104", "5.00"))
		d.word("ACK", time.Second)
		d.hear(patience)
		d.write(upaCommand("Ping", "3", "")) // without an ACK
		d.word("ACK", time.Second)
		d.answer()
		if v := s.Violations(); len(v) != 1 || v[0].Rule != AckMissing {
			t.Errorf("violations %v", v)
		}
	})
}

// TestUPAStrict misbehaves in ways that only this protocol has, or has in its
// own manner, and has each found.
func TestUPAStrict(t *testing.T) {
	for _, c := range []struct {
		name, rule string
		drive      func(*Sim, upaDriver)
	}{
		{"a good client", "", func(_ *Sim, d upaDriver) {
			d.exchange(upaCommand("Ping", "1", ""))
			d.exchange(upaSale("1", "1.00"))
		}},
		{"no ACK", AckMissing, func(_ *Sim, d upaDriver) {
			d.write(upaSale("1", "1.00"))
			d.word("ACK", time.Second)
			for range 3 {
				d.hear(8 * time.Second)
			}
			d.word("READY", 8*time.Second)
		}},
		{"sent again after ACK", ResendAfterAck, func(_ *Sim, d upaDriver) {
			d.write(upaSale("1", "1.68"))
			d.word("ACK", time.Second)
			d.write(upaSale("1", "1.68"))
			d.word("ACK", time.Second)
			d.answer()
		}},
		{"does not wait for READY", EarlyWrite, func(_ *Sim, d upaDriver) {
			d.write(upaSale("1", "1.00"))
			d.word("ACK", time.Second)
			d.hear(patience)
			d.write(append(slices.Clone(upaAck), upaCommand("Ping", "2", "")...))
			d.word("READY", time.Second)
			d.word("ACK", time.Second)
			d.answer()
		}},
		{"a reference twice", RefReused, func(_ *Sim, d upaDriver) {
			d.exchange(upaSale("1", "1.00"))
			d.exchange(upaSale("1", "2.00"))
		}},
		{"no reference", RefMissing, func(_ *Sim, d upaDriver) { d.exchange(upaCommand("Sale", "1", `"baseAmount":"1.00"`)) }},
		{"no requestId", BadMessage, func(_ *Sim, d upaDriver) { d.exchange(upaCommand("Ping", "", "")) }},
		{"no amount", BadAmount, func(_ *Sim, d upaDriver) { d.exchange(upaCommand("Sale", "1", `"invoiceNbr":"1"`)) }},
		{"a void of nothing", OriginalMissing, func(_ *Sim, d upaDriver) { d.exchange(upaCommand("Void", "1", `"invoiceNbr":"1"`)) }},
		{"not JSON", BadMessage, func(_ *Sim, d upaDriver) {
			d.write(upaSay("{"))
			d.word("ACK", time.Second)
			d.word("READY", time.Second)
		}},
		{"a card number", AccountFilled, func(_ *Sim, d upaDriver) {
			d.exchange(upaCommand("Sale", "1", `"pan":"4111111111111111"`))
		}},
		{"forbidden", Forbidden, func(_ *Sim, d upaDriver) { d.exchange(upaCommand("StartCardTransaction", "1", "")) }},
		{"unknown", UnknownCommand, func(_ *Sim, d upaDriver) { d.exchange(upaCommand("Dance", "1", "")) }},
		{"an ACK to nothing", StrayControl, func(_ *Sim, d upaDriver) { d.write(upaAck) }},
		{"bytes outside of messages", Garbage, func(_ *Sim, d upaDriver) { d.write([]byte("hello")) }},
		{"nothing to cancel", NothingToCancel, func(_ *Sim, d upaDriver) {
			d.write(upaCommand("CancelTransaction", "1", ""))
			d.word("ACK", time.Second)
			d.answer()
		}},
		{"while another one runs", BusyCommand, func(s *Sim, d upaDriver) {
			d.write(upaSale("1", "1.68"))
			d.word("ACK", time.Second)
			d.write(upaSale("2", "2.00"))
			d.word("BUSY", time.Second)
			d.answer()
		}},
		{"hangs up", LeftExchange, func(_ *Sim, d upaDriver) {
			d.write(upaSale("1", "1.68"))
			d.word("ACK", time.Second)
			d.close()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quick(t, Options{Protocol: UPA, Strict: true, Rules: DefaultRules()})
				c.drive(s, upaDriver{drive(t, s)})
				synctest.Wait()
				v := s.Violations()
				if c.rule == "" && len(v) > 0 || c.rule != "" && (len(v) != 1 || v[0].Rule != c.rule) {
					t.Errorf("got %+v, want %s once", v, c.rule)
				}
			})
		})
	}
}

// TestUPACancel: what waits for a card is given up with an answer of its own;
// what the issuer is asked for goes on.
func TestUPACancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quick(t, Options{Protocol: UPA, Strict: true, Manual: true, HostDelay: time.Second})
		d := upaDriver{drive(t, s)}
		d.write(upaSale("1", "1.00"))
		d.word("ACK", time.Second)
		d.write(upaCommand("CancelTransaction", "9", ""))
		d.word("ACK", time.Second)
		if m := d.answer(); at(m, "data", "response") != "Sale" || at(m, "data", "cmdResult", "errorCode") != "TRAN002" {
			t.Errorf("cancelled: %v", m)
		}
		d.write(upaSale("2", "1.00"))
		d.word("ACK", time.Second)
		if err := s.Tap(""); err != nil {
			t.Fatal(err)
		}
		d.write(upaCommand("CancelTransaction", "10", ""))
		d.word("ACK", time.Second)
		if m := d.hear(time.Second); at(m, "data", "response") != "CancelTransaction" || at(m, "data", "cmdResult", "result") != "Failed" {
			t.Errorf("too late: %v", m)
		}
		d.write(upaAck)
		if m := d.answer(); at(m, "data", "response") != "Sale" || at(m, "data", "cmdResult", "result") != "Success" {
			t.Errorf("too late to cancel: %v", m)
		}
		if v := s.Violations(); len(v) > 0 {
			t.Errorf("violations %v", v)
		}
	})
}

// FuzzUPAReceive: whatever bytes come, no money moves without a card, and the
// terminal goes on.
func FuzzUPAReceive(f *testing.F) {
	for _, b := range [][]byte{
		upaSale("11", "1.00"), upaCommand("Void", "12", `"referenceNumber":"1"`), upaCommand("GetBatchDetails", "2", ""),
		upaCommand("EODProcessing", "3", ""), upaCommand("CancelTransaction", "4", ""), upaAck, upaSay(`{"message":"NAK"}`), upaSay("{"),
		[]byte("\x02\x02\x03\x03"), append(upaSale("11", "1.00"), upaCommand("CancelTransaction", "4", "")...),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			s := quick(t, Options{Protocol: UPA, Strict: true, Manual: true})
			d := upaDriver{drive(t, s)}
			d.write(b)
			time.Sleep(5 * time.Minute)
			for _, l := range s.Ledger() {
				if l.Act != Batch {
					t.Fatalf("%q moved money without a card: %+v", b, l)
				}
			}
			d.conn, d.buf = s.Pipe(), nil
			if m := d.exchange(upaCommand("Ping", "1", "")); at(m, "data", "response") != "Ping" {
				t.Fatalf("%v", m)
			}
		})
	})
}
