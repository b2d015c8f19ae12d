package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

const (
	cookieBytes = 32
	writeEvery  = time.Minute // how often last activity is stored at most
)

// SessionInfo is what a page says about the session it is shown in.
type SessionInfo struct {
	Staff    string // display name
	Roles    []access.Role
	Ends     time.Time // when the session ends whatever happens
	IdleEnds time.Time // when it ends if nothing is done
}

// stay is a session as stored.
type stay struct {
	ID     ident.ID[ident.Session] `cbor:"1,keyasint"`
	Staff  ident.ID[ident.Staff]   `cbor:"2,keyasint"`
	Cookie []byte                  `cbor:"3,keyasint"` // SHA-256 of the cookie's value
	Opened int64                   `cbor:"4,keyasint"` // Unix milliseconds
	Seen   int64                   `cbor:"5,keyasint"` // Unix milliseconds
}

type stayRow = vault.Row[stay, vault.None]

var sessions = vault.NewTable(vault.BucketSessions,
	vault.NewIndex("cookie", func(r stayRow) []string { return []string{string(r.Shared.Cookie)} }),
	vault.NewIndex("staff", func(r stayRow) []string { return []string{string(r.Shared.Staff[:])} }))

// session is a live session.
type session struct {
	id      ident.ID[ident.Session]
	staff   Staff
	cookie  digest
	opened  time.Time
	seen    time.Time // last activity
	written time.Time // last activity as stored
}

// opening is what opening a session leaves to be done after its commit.
type opening struct {
	cookie  string
	session session

	ended    []digest
	endedIDs []ident.ID[ident.Session]
}

// open makes a session for a person and ends those that the person had.
func open(tx *vault.Tx, staff ident.ID[ident.Staff]) (opening, error) {
	ended, endedIDs, err := endAll(tx, staff)
	if err != nil {
		return opening{}, err
	}
	who, err := Read(tx, staff)
	if err != nil {
		return opening{}, err
	}
	raw := make([]byte, cookieBytes)
	rand.Read(raw)
	cookie := base64.RawURLEncoding.EncodeToString(raw)
	now := tx.Now()
	s := session{
		id: ident.New[ident.Session](now), staff: who, cookie: digestOf(cookie),
		opened: now, seen: now, written: now,
	}
	tx.Detail("session", s.id)
	_, err = sessions.Insert(tx, stayRow{Shared: stay{
		ID: s.id, Staff: staff, Cookie: s.cookie[:], Opened: now.UnixMilli(), Seen: now.UnixMilli(),
	}})
	return opening{cookie: cookie, session: s, ended: ended, endedIDs: endedIDs}, err
}

// endAll deletes the sessions of a person and returns the digests of their
// cookies and their identifiers, which the event of the transaction names.
func endAll(tx *vault.Tx, staff ident.ID[ident.Staff]) (ended []digest, ids []ident.ID[ident.Session], err error) {
	var rows []stayRow
	for row, err := range sessions.Find(tx, "staff", string(staff[:])) {
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		if err := sessions.Delete(tx, row.Key); err != nil {
			return nil, nil, err
		}
		tx.Detail("ended", row.Shared.ID)
		ended, ids = append(ended, digest(row.Shared.Cookie)), append(ids, row.Shared.ID)
	}
	return ended, ids, nil
}

// load brings the stored sessions into memory, once.
func (i *Identity) load(ctx context.Context) error {
	if i.loaded.Load() {
		return nil
	}
	i.changing.Lock()
	defer i.changing.Unlock()
	if i.loaded.Load() {
		return nil
	}
	var found []session
	err := i.vault.View(ctx, i.request(access.SessionRead, access.None), func(tx *vault.Tx) error {
		found = nil
		for row, err := range sessions.All(tx) {
			if err != nil {
				return err
			}
			who, err := Read(tx, row.Shared.Staff)
			if err != nil {
				return err
			}
			found = append(found, sessionOf(row.Shared, who))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range found {
		i.remember(s)
	}
	i.loaded.Store(true)
	return nil
}

func sessionOf(s stay, who Staff) session {
	seen := time.UnixMilli(s.Seen)
	return session{
		id: s.ID, staff: who, cookie: digest(s.Cookie),
		opened: time.UnixMilli(s.Opened), seen: seen, written: seen,
	}
}

func (i *Identity) remember(s session) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.live[s.cookie] = s
}

func (i *Identity) forget(cookies ...digest) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range cookies {
		delete(i.live, c)
	}
}

func (i *Identity) isLive(cookie digest) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, ok := i.live[cookie]
	return ok
}

// Agent returns the agent behind a cookie, acting from origin, and what a page
// says of the session. Each call is activity, unless it is a page's own
// polling in the background. It returns ErrNobody without a cookie and
// ErrEnded when the session is over.
func (i *Identity) Agent(ctx context.Context, cookie string, origin access.Origin, background bool) (access.Agent, SessionInfo, error) {
	if cookie == "" {
		return access.Agent{}, SessionInfo{}, ErrNobody
	}
	if err := i.load(ctx); err != nil {
		return access.Agent{}, SessionInfo{}, err
	}
	s, why := i.touch(digestOf(cookie), background)
	if why != "" {
		if s.id.IsZero() {
			return access.Agent{}, SessionInfo{}, ErrEnded
		}
		if err := i.end(ctx, i.self, s, why); err != nil {
			return access.Agent{}, SessionInfo{}, err
		}
		return access.Agent{}, SessionInfo{}, ErrEnded
	}
	if s.seen.Sub(s.written) >= writeEvery {
		i.store(ctx, s)
	}
	agent := i.issuer.Person(s.staff.ID, s.id, s.staff.Name, origin, s.staff.Roles...)
	return agent, i.info(s), nil
}

func (i *Identity) info(s session) SessionInfo {
	return SessionInfo{
		Staff: s.staff.DisplayName, Roles: s.staff.Roles,
		Ends: s.opened.Add(i.absolute), IdleEnds: s.seen.Add(i.idle),
	}
}

// touch returns the live session of a cookie, with its activity noted, or why
// there is none.
func (i *Identity) touch(d digest, background bool) (session, ending) {
	now := i.vault.Options().Now().Round(0) // by the wall: it goes on while the machine sleeps
	i.mu.Lock()
	defer i.mu.Unlock()
	s, ok := i.live[d]
	switch {
	case !ok:
		return session{}, endedBefore
	case !now.Before(s.opened.Add(i.absolute)):
		return s, endedAbsolute
	case !now.Before(s.seen.Add(i.idle)):
		return s, endedIdle
	}
	if !background && now.After(s.seen) {
		s.seen = now
		i.live[d] = s
	}
	return s, ""
}

// ending says, in the audit trail, why a session ended.
type ending = fault.Code

const (
	endedBefore     ending = "before"
	endedIdle       ending = "idle"
	endedAbsolute   ending = "absolute"
	endedSignedOut  ending = "signed_out"
	endedSuperseded ending = "superseded"
)

// end deletes a session. Ending one that is gone changes nothing.
func (i *Identity) end(ctx context.Context, agent access.Agent, s session, why ending) error {
	i.changing.Lock()
	defer i.changing.Unlock()
	if !i.isLive(s.cookie) {
		return nil
	}
	r := access.Request{
		Agent: agent, Action: access.SessionClose,
		Entity: access.Of(access.KindSession, s.id), Purpose: access.Operations,
	}
	err := i.vault.Update(ctx, r, func(tx *vault.Tx) error {
		tx.Detail("why", why)
		row, ok, err := sessions.First(tx, "cookie", string(s.cookie[:]))
		if err != nil || !ok {
			return err
		}
		return sessions.Delete(tx, row.Key)
	})
	i.forget(s.cookie) // also when the store cannot be written: over is over
	return err
}

// store writes last activity down. A failure costs at most some minutes of a
// session after a restart, so it is logged and the person goes on.
func (i *Identity) store(ctx context.Context, s session) {
	r := i.request(access.SessionTouch, access.Of(access.KindSession, s.id))
	err := i.vault.Update(ctx, r, func(tx *vault.Tx) error {
		row, ok, err := sessions.First(tx, "cookie", string(s.cookie[:]))
		if err != nil || !ok {
			return err
		}
		row.Shared.Seen = max(row.Shared.Seen, s.seen.UnixMilli())
		return sessions.Replace(tx, row)
	})
	if err != nil {
		i.log.WarnContext(ctx, "a session's last activity could not be stored", "session", s.id.String(), "kind", fault.KindOf(err).String())
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if live, ok := i.live[s.cookie]; ok && live.written.Before(s.seen) {
		live.written = s.seen
		i.live[s.cookie] = live
	}
}

// SignOut ends the session in which the agent acts.
func (i *Identity) SignOut(ctx context.Context, agent access.Agent) error {
	i.mu.Lock()
	var mine session
	for _, s := range i.live {
		if s.id == agent.SessionID() {
			mine = s
		}
	}
	i.mu.Unlock()
	if mine.id.IsZero() {
		return nil
	}
	return i.end(ctx, agent, mine, endedSignedOut)
}
