package terminal

import (
	"fmt"
	"net"
	"testing"

	"coffer/internal/terminal/protocol"
)

// TestTCP takes payments over a real socket, one right after the other: the
// EOT that the device sends after each, and that nobody waits for, must not
// be taken for an answer to the next command. Then the device goes away.
func TestTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := newDevice()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			d.plug(conn)
			d.mu.Unlock()
		}
	}()
	tm := Start(Config{Address: "tcp:" + ln.Addr().String(), Profile: quick()})
	defer tm.Close()
	attached(t, tm, true)
	for i := range 5 {
		o, err := tm.Run(t.Context(), sale(fmt.Sprint(i+1)), Hooks{})
		if err != nil || o.Result != protocol.Approved || o.Ref != fmt.Sprint(i+1) {
			t.Errorf("payment %d: %+v %v", i+1, o, err)
		}
	}
	if n := d.has("T00"); n != 5 {
		t.Errorf("five payments were sent %d times", n)
	}
	d.unplug()
	attached(t, tm, false)
	attached(t, tm, true)
	if o, err := tm.Lookup(t.Context(), protocol.Question{Ref: "5", Kind: protocol.Sale, Amount: 15000}); err != nil || o.Result != protocol.Approved {
		t.Errorf("look-up: %+v %v", o, err)
	}
	if err := tm.Close(); err != nil {
		t.Error(err)
	}
	d.unplug()
}
