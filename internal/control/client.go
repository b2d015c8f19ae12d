package control

import (
	"bytes"
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
	errCutShort = refusal(fault.Unavailable, "The export did not arrive whole. Look at the space where it is written and at the journal of Coffer, then export again.")
	errProtocol = refusal(fault.Internal, "What answers at the control socket is not this version of Coffer. Use the cofferctl that came with the daemon.")
)

// IsAbsent reports whether no daemon answered.
func IsAbsent(err error) bool { return errors.Is(err, errAbsent) }

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
	return Ask[ops.Status](ctx, c, http.MethodGet, "status", nil)
}

// Ask puts one question: what names it as the protocol does ("seal/reseal"),
// body is what it says, nil for nothing. Every error it returns is an *Error.
func Ask[T any](ctx context.Context, c *Client, method, what string, body any) (T, error) {
	var result T
	response, err := c.send(ctx, method, what, body)
	if err != nil {
		return result, err
	}
	defer response.Body.Close() // nothing was written
	b, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return result, unreachable(err)
	}
	if json.Unmarshal(b, &result) != nil {
		return result, errProtocol
	}
	return result, nil
}

// send puts one question and returns the answer to it, which is none that
// refuses.
func (c *Client) send(ctx context.Context, method, what string, body any) (*http.Response, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, errProtocol
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://coffer/v1/"+what, bytes.NewReader(text))
	if err != nil {
		return nil, errProtocol
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, unreachable(err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close() // nothing was written
	b, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return nil, unreachable(err)
	}
	return nil, parseRefusal(b)
}

// Exported is an export of the audit trail as it arrived.
type Exported struct {
	Name       string `json:"name"`
	Passphrase string `json:"passphrase,omitempty"`
	Bytes      int64  `json:"bytes"`
}

// Export has the audit trail written to w.
func (c *Client) Export(ctx context.Context, q ExportAsked, w io.Writer) (Exported, error) {
	response, err := c.send(ctx, http.MethodPost, "audit/export", q)
	if err != nil {
		return Exported{}, err
	}
	defer response.Body.Close() // nothing was written
	n, err := io.Copy(w, response.Body)
	if err != nil || response.Trailer.Get(trailerWhole) != "yes" {
		return Exported{}, errCutShort
	}
	return Exported{response.Header.Get(headerName), response.Header.Get(headerPassphrase), n}, nil
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
