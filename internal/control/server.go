package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ops"
)

// Options say what a Server needs.
type Options struct {
	Ops *ops.Ops
	// Agent returns the agent that acts for the console: role IT, origin
	// console. Nobody (the zero Agent) is refused by the policy.
	Agent func() access.Agent
	// Nobody is who is refused at the socket, for the trail.
	Nobody access.Agent
	// SignIn signs a member of staff in at the console, and returns what signs
	// them out again. nil: nobody can.
	SignIn func(context.Context, Person) (agent access.Agent, end func(), err error)
	Log    *slog.Logger // nil logs nothing
}

// Server answers on the control socket.
type Server struct {
	options Options
	http    *http.Server
	allowed map[uint32]bool
}

// NewServer returns a Server; Serve starts it.
func NewServer(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SignIn == nil {
		o.SignIn = func(context.Context, Person) (access.Agent, func(), error) { return access.Agent{}, nil, errNoSignIn }
	}
	s := &Server{options: o, allowed: map[uint32]bool{0: true, uint32(os.Geteuid()): true}}
	mux := http.NewServeMux()
	for pattern, handler := range s.routes() {
		mux.HandleFunc(pattern, handler)
	}
	mux.HandleFunc("/", s.unknown)
	s.http = &http.Server{
		Handler: s.admit(mux), ConnContext: withPeer,
		ReadTimeout: idleMax, ReadHeaderTimeout: idleMax, IdleTimeout: idleMax, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return s
}

// Bounds of what connections take from the daemon.
const (
	idleMax        = 5 * time.Second // a connection that asks nothing
	connectionsMax = 32              // at a time; more of them wait
)

// Serve answers until Close; it closes l. It returns nil after Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(newLimited(l, connectionsMax)); !errors.Is(err, http.ErrServerClosed) {
		return errOpen
	}
	return nil
}

// Close stops listening and waits for answers under way, until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

// peerKey is the context key of a connection's peer.
type peerKey struct{}

// peer is who is at the other end of a connection.
type peer struct {
	uid   uint32
	known bool
}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	uid, ok := peerUID(c)
	return context.WithValue(ctx, peerKey{}, peer{uid, ok})
}

var errPeer = fault.New(fault.Denied, "Only root, or the user that Coffer runs as, may use the control socket. Use sudo.")

// admit lets allowed peers through.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := r.Context().Value(peerKey{}).(peer)
		if !ok || !p.known || !s.allowed[p.uid] {
			s.options.Log.WarnContext(r.Context(), "control refused", "uid", p.uid)
			s.attempted(r.Context(), s.options.Nobody, access.BoxStatus, fmt.Sprintf("the socket, as user %d", p.uid), errPeer)
			refuse(w, errPeer)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Refusal is the answer when something could not be done.
type Refusal struct {
	Kind  string `json:"kind"`           // a fault.Kind
	Code  string `json:"code,omitempty"` // such as "SEAL-003"
	Words string `json:"words"`          // what happened and the next step
}

func refuse(w http.ResponseWriter, err error) {
	kind := fault.KindOf(err)
	write(w, kind.HTTPStatus(), Refusal{Kind: kind.String(), Code: ops.Code(err), Words: ops.Words(err)})
}

// write sends an answer. That the peer has gone away meanwhile is no failure
// of the daemon.
func write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "{}", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
