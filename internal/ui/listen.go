package ui

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/till"
)

// How a page's stream behaves: how soon a browser reconnects, how often the
// stream proves that it lives and that its session does, and how long a browser
// may take to accept what it is sent.
const (
	streamRetry    = 500 * time.Millisecond
	streamBeat     = 15 * time.Second
	streamPatience = 10 * time.Second
)

// hears returns which topics may reach a page of agent: those of which it may
// read what has changed. The identifier of a payment is for those alone who may
// read payments.
func hears(agent access.Agent) func(topic string) bool {
	payments, day, terminals := agent.May(access.PaymentRead), agent.May(access.DayRead), agent.May(access.TerminalStatus)
	return func(topic string) bool {
		switch {
		case topic == topicDay:
			return day
		case topic == till.TopicTerminals:
			return terminals
		}
		return payments
	}
}

// GET /bell streams topics (text/event-stream), one event each, no data. It
// ends with the session, with the page, or when the bell closes. That the page
// listens is on record before it hears anything.
func (s *server) listen(c *call) error {
	if s.bell == nil {
		return errNoPage
	}
	if err := s.attempted(c, route{method: get, path: c.Path()}, nil); err != nil {
		return err
	}
	return s.stream(c)
}

func (s *server) stream(c *call) error {
	topics, stop, err := s.bell.listen(ear{c.agent.SessionID(), hears(c.agent)})
	if err != nil {
		return err
	}
	defer stop()
	w := c.Response()
	stream := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if err := send(w, stream, fmt.Sprintf("retry: %d\n\n", streamRetry.Milliseconds())); err != nil {
		return nil // the page has gone
	}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		message := ""
		select {
		case <-c.Request().Context().Done():
			return nil
		case topic, open := <-topics:
			if !open {
				return nil
			}
			message = "data: " + strings.ReplaceAll(topic, " ", "-") + "\n\n"
		case <-beat.C:
			message = s.beat(c)
		}
		if err := send(w, stream, message); err != nil {
			return nil // the page has gone
		}
	}
}

// beat returns what the stream says from time to time: a comment, or that the
// session has ended.
func (s *server) beat(c *call) string {
	if err := s.recognise(c, true); err != nil {
		return "event: ended\ndata: session\n\n"
	}
	return ": \n\n"
}

// send writes one message. A browser that does not take it in time loses its
// stream; between messages a stream may be silent for as long as it likes.
func send(w http.ResponseWriter, stream *http.ResponseController, message string) error {
	if err := stream.SetWriteDeadline(time.Now().Add(streamPatience)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(w, message); err != nil {
		return err
	}
	if err := stream.Flush(); err != nil {
		return err
	}
	return stream.SetWriteDeadline(time.Time{})
}
