package vault

import (
	"fmt"
	"strings"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/ident"
)

// What the vault itself knows of a transaction goes into the private part of
// its event: whose private parts it read or wrote, and which records it
// replaced or removed, by the tags of both versions.
const (
	factPurpose = "purpose"
	factRole    = "role"
	factFault   = "fault"
	factClient  = "client"       // said by the caller
	factClients = "clients"      // seen by the vault, comma between
	factBulk    = "clients.more" // number of those that are not named
	factEdits   = "edits"        // bucket/key:before>after, comma between
	factMore    = "edits.more"   // number of those that are not named
)

// clientsNamed and editsNamed bound what one event names.
const (
	clientsNamed = 1000
	editsNamed   = 16
)

// seen is what a transaction did that its event names.
type seen struct {
	clients []ident.ID[ident.Client] // in the order of their first appearance
	known   map[ident.ID[ident.Client]]bool
	edits   []string
	more    int // edits that are not named
}

// client notes that the private part of the client was read or written.
func (s *seen) client(id ident.ID[ident.Client]) {
	if id.IsZero() || s.known[id] {
		return
	}
	if s.known == nil {
		s.known = map[ident.ID[ident.Client]]bool{}
	}
	s.known[id] = true
	s.clients = append(s.clients, id)
}

// edit notes that a record was replaced (after: the tag's beginning) or
// removed (nil).
func (s *seen) edit(bucket uint16, key, before uint64, after []byte) {
	if len(s.edits) == editsNamed {
		s.more++
		return
	}
	text := fmt.Sprintf("%02x/%d:%016x>", bucket, key, before)
	if after == nil {
		text += "removed"
	} else {
		text += fmt.Sprintf("%016x", tagPrefix(after))
	}
	s.edits = append(s.edits, text)
}

// facts returns the details of the transaction, its own included.
func (tx *Tx) facts() []audit.Detail {
	d := tx.details
	if n := len(tx.seen.clients); n > 0 {
		named := make([]string, 0, min(n, clientsNamed))
		for _, id := range tx.seen.clients[:min(n, clientsNamed)] {
			named = append(named, id.String())
		}
		d = append(d, audit.Detail{Key: factClients, Value: strings.Join(named, ",")})
		d = more(d, factBulk, n-len(named))
	}
	if len(tx.seen.edits) > 0 {
		d = append(d, audit.Detail{Key: factEdits, Value: strings.Join(tx.seen.edits, ",")})
		d = more(d, factMore, tx.seen.more)
	}
	return d
}

func more(d []audit.Detail, key string, n int) []audit.Detail {
	if n > 0 {
		d = append(d, audit.Detail{Key: key, Value: fmt.Sprint(n)})
	}
	return d
}

// rolesOf returns the agent's roles as the event names them.
func rolesOf(a access.Agent) string {
	var names []string
	for _, r := range a.Roles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ",")
}

// clientsOf returns the clients that an event concerns: its object, those that
// its caller named, and those whose private parts were opened. bulk says that
// there were more than it names.
func clientsOf(e audit.Event, details []audit.Detail) (clients []string, bulk bool) {
	if id, ok := strings.CutPrefix(e.Object, string(access.KindClient)+":"); ok {
		clients = append(clients, id)
	}
	for _, d := range details {
		switch d.Key {
		case factClient:
			clients = append(clients, d.Value)
		case factClients:
			clients = append(clients, strings.Split(d.Value, ",")...)
		case factBulk:
			bulk = true
		}
	}
	return clients, bulk
}

// stem returns the text before the separator, all of it if there is none.
func stem(text string, separator byte) string {
	before, _, _ := strings.Cut(text, string(separator))
	return before
}
