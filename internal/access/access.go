// Package access decides who may do what. A Request names the agent, the
// action, the entity it touches and the purpose of use (the words of HL7
// FHIR AuditEvent and of 45 CFR 164.502). The same request opens the vault's
// transaction and is written into the audit trail, so no act can be allowed
// in one place and recorded differently in another.
//
// The policy is one text, matrix.txt, compiled in: a row for each action, a
// column for each role. What it does not allow is denied. A matrix that does
// not parse stops the program at start.
//
// Only an Issuer makes agents, and only the daemon's wiring makes an Issuer;
// the zero Agent is nobody and is denied everything.
package access

import (
	"coffer/internal/ident"
)

// Role is one of the roles of the clinic, or a machine's.
type Role string

// The roles, in the order of the matrix's columns. System is the daemon
// acting by itself: signing people in, resolving payments, starting.
const (
	FrontDesk  Role = "frontdesk"
	Therapist  Role = "therapist"
	Accountant Role = "accountant"
	Owner      Role = "owner"   // of the clinic: holds the recovery sheet, approves
	Officer    Role = "officer" // the privacy officer of 45 CFR 164.530(a): reads the audit trail
	IT         Role = "it"
	System     Role = "system"
)

// Purpose is the purpose of use that an agent states or implies.
type Purpose string

// The purposes of 45 CFR 164.501.
const (
	Treatment  Purpose = "treatment"
	Payment    Purpose = "payment"
	Operations Purpose = "operations"
)

// Kind names a kind of entity in a request.
type Kind string

// The kinds of entities.
const (
	KindNone        Kind = "none"
	KindDay         Kind = "day"
	KindClient      Kind = "client"
	KindStaff       Kind = "staff"
	KindSession     Kind = "session"
	KindAppointment Kind = "appointment"
	KindEncounter   Kind = "encounter"
	KindAttempt     Kind = "attempt"
	KindAct         Kind = "act"
	KindEntry       Kind = "entry"
	KindAccount     Kind = "account"
	KindTerminal    Kind = "terminal" // a connection at which a card terminal is found
	KindDevice      Kind = "device"   // a point-of-interaction device: one card terminal, wherever it is
	KindStore       Kind = "store"
)

// Entity is the thing that a request touches. ID is zero where the kind has
// no identifiers (a day, the store, an account).
type Entity struct {
	Kind Kind
	ID   [16]byte
}

// Of returns the entity of one identified thing.
func Of[K any](kind Kind, id ident.ID[K]) Entity { return Entity{kind, id} }

// Client, Staff and Appointment are the entities that relations speak of.
func Client(id ident.ID[ident.Client]) Entity { return Of(KindClient, id) }

// Staff returns the entity of a member of staff.
func Staff(id ident.ID[ident.Staff]) Entity { return Of(KindStaff, id) }

// None is the entity of an act that touches no single thing.
var None = Entity{Kind: KindNone}

// Origin says where an agent acts from, for the audit trail (PCI DSS 10.2.2:
// origination of event).
type Origin struct {
	Via     string // "lan", "console" or "system"
	Address string // network address, or the unit's name for system agents
}

// Agent is an authenticated person or the system itself. Its fields are set
// by an Issuer only.
type Agent struct {
	staff   ident.ID[ident.Staff]
	session ident.ID[ident.Session]
	roles   []Role
	name    string
	origin  Origin
}

// StaffID returns the person's identifier; zero for the system and nobody.
func (a Agent) StaffID() ident.ID[ident.Staff] { return a.staff }

// SessionID returns the session in which the agent acts; zero for the system.
func (a Agent) SessionID() ident.ID[ident.Session] { return a.session }

// Name returns the sign-in name of a person, or the system part's name. It is
// unique and never reused, and is what the audit trail calls the actor.
func (a Agent) Name() string { return a.name }

// Origin returns where the agent acts from.
func (a Agent) Origin() Origin { return a.origin }

// Has reports whether the agent holds the role.
func (a Agent) Has(r Role) bool {
	for _, have := range a.roles {
		if have == r {
			return true
		}
	}
	return false
}

// Roles returns the agent's roles.
func (a Agent) Roles() []Role { return append([]Role(nil), a.roles...) }

// IsNobody reports whether the agent is the zero Agent.
func (a Agent) IsNobody() bool { return len(a.roles) == 0 }

// May reports whether some entity exists for which the agent could be allowed
// the action: what decides whether a page shows a link to it.
func (a Agent) May(action Action) bool {
	for _, r := range a.roles {
		if policy[action][r] != no {
			return true
		}
	}
	return false
}

// Issuer is the right to make agents. The daemon's wiring makes one and hands
// it to identity.
type Issuer struct{ granted bool }

// NewIssuer returns an Issuer. The house test lists who may name it.
func NewIssuer() Issuer { return Issuer{granted: true} }

// Person returns the agent of a signed-in member of staff.
func (i Issuer) Person(staff ident.ID[ident.Staff], session ident.ID[ident.Session], name string, origin Origin, roles ...Role) Agent {
	if !i.granted {
		return Agent{}
	}
	return Agent{staff: staff, session: session, name: name, origin: origin, roles: append([]Role(nil), roles...)}
}

// System returns the agent of one part of the daemon, such as "till".
func (i Issuer) System(part string) Agent {
	if !i.granted {
		return Agent{}
	}
	return Agent{name: "system:" + part, roles: []Role{System}, origin: Origin{Via: "system", Address: part}}
}

// Request is one act: who does what to which entity and for what purpose.
type Request struct {
	Agent   Agent
	Action  Action
	Entity  Entity
	Purpose Purpose
}

// Decision is the answer to a request.
type Decision uint8

// The decisions. IfRelated asks the caller to look up whether the agent is
// related to the entity (a therapist assigned to the client, the therapist of
// the appointment) and to deny when not.
const (
	Deny Decision = iota
	Allow
	IfRelated
)

// Decide answers a request from the matrix: the most permissive cell among
// the agent's roles. It reads no data.
func Decide(r Request) Decision {
	decision := Deny
	for _, role := range r.Agent.roles {
		switch policy[r.Action][role] {
		case yes:
			return Allow
		case own:
			if r.Entity.Kind == KindStaff && !r.Agent.staff.IsZero() && r.Entity.ID == r.Agent.staff {
				return Allow
			}
		case assigned:
			decision = IfRelated
		}
	}
	return decision
}
