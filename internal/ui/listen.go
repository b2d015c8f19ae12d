package ui

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// How a page's stream behaves: how soon a browser reconnects, and how often
// the stream proves that it lives and that its session does.
const (
	streamRetry = 500 * time.Millisecond
	streamBeat  = 15 * time.Second
)

// GET /bell streams topics (text/event-stream), one event each, no data. It
// ends with the session, with the page, or when the bell closes.
func (s *server) listen(c *call) error {
	if s.bell == nil {
		return errNoPage
	}
	topics, stop := s.bell.listen()
	defer stop()
	w := c.Response()
	stream := http.NewResponseController(w)
	if err := stream.SetWriteDeadline(time.Time{}); err != nil {
		return err
	}
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

func send(w http.ResponseWriter, stream *http.ResponseController, message string) error {
	if _, err := fmt.Fprint(w, message); err != nil {
		return err
	}
	return stream.Flush()
}
