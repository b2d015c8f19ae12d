package till_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"coffer/internal/seal/sealtest"
	"coffer/internal/terminal"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

// stamped is a line that remembers when its last byte came.
type stamped struct {
	net.Conn
	mu   sync.Mutex
	last time.Time
}

func (s *stamped) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if n > 0 {
		s.mu.Lock()
		s.last = time.Now()
		s.mu.Unlock()
	}
	return n, err
}

func (s *stamped) since() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last)
}

// BenchmarkResult measures what Coffer adds between the terminal's last byte
// and the durable result: decoding, journal, ledger, receipt, audit and fsync.
func BenchmarkResult(b *testing.B) {
	s, err := sim.New(tilltest.Terminal(1))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	line := &stamped{}
	var mu sync.Mutex
	var took []time.Duration
	ctx := context.Background()
	d, err := tilltest.Open(ctx, tilltest.Options{
		Dir: b.TempDir() + "/store", Key: sealtest.Key(b), Fresh: true,
		Lines: []terminal.Config{{Dial: func(ctx context.Context) (net.Conn, error) {
			c, err := s.Dial(ctx)
			line.mu.Lock()
			defer line.mu.Unlock()
			line.Conn = c
			return line, err
		}}},
		AfterEvent: func(event string) {
			if event == "resulted" {
				mu.Lock()
				took = append(took, line.since())
				mu.Unlock()
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.Close(ctx); err != nil {
			b.Error(err)
		}
	})
	for b.Loop() {
		client, err := d.Client(ctx, 9000)
		if err != nil {
			b.Fatal(err)
		}
		if err := d.AwaitReady(ctx); err != nil {
			b.Fatal(err)
		}
		id, err := d.Till.Begin(ctx, d.Cashier, till.Sale{Command: tilltest.Command(), Client: client, Amount: 9000, Terminal: tilltest.TerminalID(0)})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Await(ctx, id, tilltest.Settled); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	for _, q := range []struct {
		name string
		at   int
	}{{"p50-ms", 50}, {"p95-ms", 95}, {"p99-ms", 99}} {
		b.ReportMetric(float64(took[(len(took)-1)*q.at/100].Microseconds())/1000, q.name)
	}
}
