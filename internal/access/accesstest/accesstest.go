// Package accesstest makes agents for tests.
package accesstest

import (
	"time"

	"coffer/internal/access"
	"coffer/internal/ident"
)

// Agent returns a person with a fresh identifier, name and session who holds
// the roles and acts from the clinic's network.
func Agent(roles ...access.Role) access.Agent {
	now := time.Now()
	staff := ident.New[ident.Staff](now)
	return access.NewIssuer().Person(staff, ident.New[ident.Session](now), "test-"+staff.String(),
		access.Origin{Via: "lan", Address: "192.0.2.7"}, roles...)
}

// System returns the agent of a part of the daemon, such as "till".
func System(part string) access.Agent { return access.NewIssuer().System(part) }
