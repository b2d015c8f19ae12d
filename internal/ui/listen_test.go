package ui

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/till"
)

// A topic reaches those alone who may read what has changed.
func TestTopicsReachThoseWhoMayReadThem(t *testing.T) {
	for role, want := range map[access.Role]struct{ payment, day, terminals bool }{
		access.FrontDesk:  {true, true, true},
		access.Therapist:  {},
		access.Accountant: {},
		access.IT:         {terminals: true},
	} {
		b := NewBell()
		topics, stop, err := b.listen(ear{hears: hears(accesstest.Agent(role))})
		if err != nil {
			t.Fatal(err)
		}
		for topic, heard := range map[string]bool{
			"payment 0123": want.payment, topicDay: want.day, till.TopicTerminals: want.terminals,
		} {
			b.Ring(topic)
			select {
			case got := <-topics:
				if !heard || got != topic {
					t.Errorf("%s hears of %q", role, got)
				}
			default:
				if heard {
					t.Errorf("%s does not hear of %q", role, topic)
				}
			}
		}
		stop()
	}
}

func TestOneSessionOpensSoManyStreams(t *testing.T) {
	b := NewBell()
	mine, other := ident.New[ident.Session](time.Unix(1, 0)), ident.New[ident.Session](time.Unix(2, 0))
	var last func()
	for range earsMax {
		_, stop, err := b.listen(ear{session: mine})
		if err != nil {
			t.Fatal(err)
		}
		last = stop
	}
	if _, _, err := b.listen(ear{session: mine}); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("one stream more: %v", err)
	}
	if _, _, err := b.listen(ear{session: other}); err != nil {
		t.Errorf("another session: %v", err)
	}
	last()
	if _, _, err := b.listen(ear{session: mine}); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}

// pipes is a listener of connections in memory.
type pipes struct{ conns chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p.conns
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// A browser that stops reading loses its stream: nothing waits for it for ever.
// One that reads keeps it through long silence.
func TestStalledBrowserLosesItsStream(t *testing.T) {
	for name, reads := range map[string]bool{"reads": true, "stalls": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := testServer(t)
				s.bell = NewBell()
				ended := make(chan error, 1)
				e := s.echo()
				handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c := s.callOf(e.NewContext(r, w))
					c.agent = accesstest.Agent(access.FrontDesk)
					ended <- s.stream(c)
				})
				here, there := net.Pipe()
				conns := make(chan net.Conn, 1)
				conns <- there
				server := Server(handler, s.log)
				go server.Serve(pipes{conns})
				request := httptest.NewRequest(http.MethodGet, "http://box/bell", nil)
				go request.Write(here)
				lines := bufio.NewScanner(here)
				for lines.Scan() && !strings.HasPrefix(lines.Text(), "retry:") {
				}
				if reads {
					go io.Copy(io.Discard, here)
				}
				synctest.Wait()
				time.Sleep(streamBeat - time.Second) // the bubble's clock: longer than streamPatience
				s.bell.Ring(topicDay)
				synctest.Wait()
				select {
				case <-ended:
					t.Error("the stream ended at once")
				default:
				}
				time.Sleep(streamPatience)
				synctest.Wait()
				select {
				case <-ended:
					if reads {
						t.Error("the stream of a page that reads ended")
					}
				default:
					if !reads {
						t.Error("the stream waits for a page that does not read")
					}
				}
				here.Close()
				s.bell.Close()
				close(conns)
				server.Close()
				synctest.Wait()
			})
		})
	}
}
