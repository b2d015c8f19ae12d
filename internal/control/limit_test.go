package control

import (
	"net"
	"testing"
	"time"

	"coffer/internal/ops"
)

// TestSilentConnectionsAreClosed: more connections than the server takes, none
// of which asks anything, keep nobody out for longer than they may be idle.
func TestSilentConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	path := serve(t)
	var silent []net.Conn
	for range connectionsMax + 8 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	begun := time.Now()
	s, err := NewClient(path).Status(t.Context())
	if err != nil || s.State != ops.Sealed {
		t.Fatalf("%+v %v", s, err)
	}
	if waited := time.Since(begun); waited < idleMax/2 {
		t.Errorf("answered after %v beside %d connections: nothing bounds them", waited, len(silent))
	}
	if err := silent[0].SetReadDeadline(time.Now().Add(2 * idleMax)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := silent[0].Read(make([]byte, 512)); err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Error("a silent connection stays open")
			}
			return
		}
	}
}
