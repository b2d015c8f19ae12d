package identity

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// Identity signs people in and turns their cookies into agents. It may be
// used from many goroutines.
type Identity struct {
	vault    *vault.Vault
	issuer   access.Issuer
	self     access.Agent // "system:identity", which reads credentials
	hash     Params
	hashing  chan struct{} // a place for each password hash that may run at once
	idle     time.Duration
	absolute time.Duration
	words    []string // folded words of the clinic, not to be used as a password
	log      *slog.Logger

	changing sync.Mutex  // held while sessions are opened and ended: one commit at a time
	loaded   atomic.Bool // live holds what the vault holds

	mu        sync.Mutex
	live      map[digest]session  // by the SHA-256 of the cookie
	strangers map[digest]throttle // failures of names that nobody has
}

// The limits of a session: 10 idle minutes, 12 hours at the latest. Keeps
// 164.312(a)(2)(iii); PCI DSS 8.2.8.
const (
	IdleDefault     = 10 * time.Minute
	AbsoluteDefault = 12 * time.Hour
)

// Option changes one of the defaults of New.
type Option func(*Identity)

// WithHash makes new password hashes with p instead of ParamsDefault. Hashes
// made with other parameters are replaced as their owners sign in.
func WithHash(p Params) Option { return func(i *Identity) { i.hash = p } }

// WithClinicWords refuses passwords that hold one of the words (the clinic's
// name, its street, …), of which those shorter than four letters are ignored.
func WithClinicWords(words ...string) Option {
	return func(i *Identity) { i.words = foldWords(words) }
}

// WithLog sends the log there instead of to slog.Default.
func WithLog(l *slog.Logger) Option { return func(i *Identity) { i.log = l } }

// New returns the identities kept in v, which must have been opened with
// Tables. The issuer is what lets it make agents.
func New(v *vault.Vault, issuer access.Issuer, options ...Option) *Identity {
	i := &Identity{
		vault: v, issuer: issuer, self: issuer.System("identity"),
		hash: ParamsDefault, hashing: make(chan struct{}, hashesAtOnce),
		idle: IdleDefault, absolute: AbsoluteDefault, log: slog.Default(),
		live: map[digest]session{}, strangers: map[digest]throttle{},
	}
	for _, o := range options {
		o(i)
	}
	return i
}

// Tables returns what identity keeps, for opening the vault.
func Tables() []vault.AnyTable { return []vault.AnyTable{people, credentials, sessions} }

// System returns the agent of one part of the daemon, such as "till".
func (i *Identity) System(part string) access.Agent { return i.issuer.System(part) }

// request is one act of identity by itself.
func (i *Identity) request(action access.Action, e access.Entity) access.Request {
	return access.Request{Agent: i.self, Action: action, Entity: e, Purpose: access.Operations}
}

// The refusals that a person meets. ErrWrong is one for all three parts of the
// form, so that it tells nobody which names exist.
var (
	ErrWrong   = fault.New(fault.Unauthenticated, "Name, password or code is not right. Check all three and try again with a new code.")
	ErrSlow    = fault.New(fault.Exhausted, "Too many attempts with this name. Wait a minute, then try again.")
	ErrLocked  = fault.New(fault.Exhausted, "Signing in with this name is locked for 30 minutes after ten failed attempts. Wait, or ask the owner.")
	ErrEnded   = fault.New(fault.Unauthenticated, "Your session has ended. Sign in again to go on.")
	ErrNobody  = fault.New(fault.Unauthenticated, "Sign in to go on.")
	ErrTakenBy = fault.New(fault.Conflict, "This sign-in name is or was somebody's. Choose another.")
)

// Attempted records an attempt that ended before any data was looked for, and
// how: a page of another role, a form that cannot be read (PCI DSS 10.2.1.4).
func (i *Identity) Attempted(ctx context.Context, agent access.Agent, action access.Action, outcome audit.Outcome, details ...audit.Detail) error {
	return i.vault.Record(ctx, access.Request{
		Agent: agent, Action: action, Entity: access.None, Purpose: access.Operations,
	}, outcome, details...)
}

// Nobody returns the agent of who is not signed in and acts from origin. It may
// do nothing; the audit trail calls it nobody.
func (i *Identity) Nobody(origin access.Origin) access.Agent {
	return i.issuer.Person(ident.ID[ident.Staff]{}, ident.ID[ident.Session]{}, "", origin)
}
