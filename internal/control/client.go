package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"

	"coffer/internal/fault"
	"coffer/internal/ops"
)

// answerBytesMax bounds what a client takes from a daemon.
const answerBytesMax = 8 << 20

// Error is what the daemon, or the lack of one, says to a client. Its text is
// meant for people.
type Error struct {
	Refusal
	kind fault.Kind
}

// Error returns the words.
func (e *Error) Error() string { return e.Words }

// Kind returns the fault's kind as the daemon named it.
func (e *Error) Kind() fault.Kind { return e.kind }

func refusal(kind fault.Kind, words string) *Error {
	return &Error{Refusal{Kind: kind.String(), Words: words}, kind}
}

var (
	errAbsent   = refusal(fault.Unavailable, "Coffer does not answer. Start it (systemctl start cofferd), or read why it ended (journalctl -u cofferd).")
	errAccess   = refusal(fault.Denied, "You may not use the control socket. Use sudo.")
	errTimeout  = refusal(fault.Unavailable, "Coffer did not answer in time. It may be busy: give it more with --timeout. Or it has no connection or file descriptor left for you: end other cofferctl commands, try again in a minute, and read its journal (journalctl -u cofferd).")
	errProtocol = refusal(fault.Internal, "What answers at the control socket is not this version of Coffer. Use the cofferctl that came with the daemon.")
)

// Client asks a daemon.
type Client struct{ http *http.Client }

// NewClient returns a client of the daemon whose control socket is at path.
// It dials for each question.
func NewClient(path string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// Status asks how the box is.
func (c *Client) Status(ctx context.Context) (ops.Status, error) {
	return ask[ops.Status](ctx, c, http.MethodGet, "status")
}

// Doctor asks what needs doing.
func (c *Client) Doctor(ctx context.Context) (ops.Diagnosis, error) {
	return ask[ops.Diagnosis](ctx, c, http.MethodGet, "doctor")
}

// Verify has everything checked that is stored. It takes as long as the
// daemon needs; ctx bounds it.
func (c *Client) Verify(ctx context.Context) (ops.Verification, error) {
	return ask[ops.Verification](ctx, c, http.MethodPost, "verify")
}

// ask puts one question. Every error it returns is an *Error.
func ask[T any](ctx context.Context, c *Client, method, what string) (T, error) {
	var result T
	r, err := http.NewRequestWithContext(ctx, method, "http://coffer/v1/"+what, nil)
	if err != nil {
		return result, errProtocol
	}
	response, err := c.http.Do(r)
	if err != nil {
		return result, unreachable(err)
	}
	defer response.Body.Close() // nothing was written
	b, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return result, unreachable(err)
	}
	if response.StatusCode != http.StatusOK {
		return result, parseRefusal(b)
	}
	if json.Unmarshal(b, &result) != nil {
		return result, errProtocol
	}
	return result, nil
}

// unreachable names why there was no answer.
func unreachable(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, fs.ErrPermission):
		return errAccess
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errTimeout
	}
	return errAbsent
}

// parseRefusal reads a refusal.
func parseRefusal(b []byte) error {
	e := &Error{}
	if json.Unmarshal(b, &e.Refusal) != nil || e.Words == "" {
		return errProtocol
	}
	for k := fault.Internal; k <= fault.Unauthenticated; k++ {
		if k.String() == e.Refusal.Kind {
			e.kind = k
			return e
		}
	}
	return errProtocol
}
