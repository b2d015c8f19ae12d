package access

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/ident"
)

var someone = ident.New[ident.Staff](time.Unix(1_800_000_000, 0))

func agentOf(i Issuer, roles ...Role) Agent {
	if slices.Equal(roles, []Role{System}) {
		return i.System("test")
	}
	return i.Person(someone, ident.ID[ident.Session]{1}, "someone", Origin{Via: "lan"}, roles...)
}

func actions() []Action {
	var all []Action
	for a := range policy {
		all = append(all, a)
	}
	slices.Sort(all)
	return all
}

var kinds = []Kind{
	KindNone, KindDay, KindClient, KindStaff, KindSession, KindAppointment, KindEncounter,
	KindAttempt, KindEntry, KindAccount, KindTerminal, KindStore,
}

// entities draws any entity, with the agent's own and the zero identifier
// often among them.
func entities() *rapid.Generator[Entity] {
	return rapid.Custom(func(t *rapid.T) Entity {
		id := rapid.SampledFrom([][16]byte{{}, someone, {7}}).Draw(t, "id")
		return Entity{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), ID: id}
	})
}

func TestZeroAgentIsDeniedEverywhere(t *testing.T) {
	agents := map[string]Agent{
		"zero agent":                      {},
		"person of the zero issuer":       agentOf(Issuer{}, FrontDesk, IT, Accountant, Therapist),
		"system of the zero issuer":       Issuer{}.System("till"),
		"person without a role":           agentOf(NewIssuer()),
		"person of a role nobody defined": agentOf(NewIssuer(), "janitor"),
	}
	for name, a := range agents {
		if name != "person of a role nobody defined" && !a.IsNobody() {
			t.Errorf("%s is somebody", name)
		}
		for _, action := range actions() {
			if a.May(action) {
				t.Errorf("%s may %q", name, action)
			}
			for _, kind := range kinds {
				for _, id := range [][16]byte{{}, someone, {7}} {
					if d := Decide(Request{Agent: a, Action: action, Entity: Entity{kind, id}}); d != Deny {
						t.Errorf("%s: %q on %s decides %d", name, action, kind, d)
					}
				}
			}
		}
	}
}

func TestUnknownActionIsDenied(t *testing.T) {
	for _, role := range allRoles {
		a := agentOf(NewIssuer(), role)
		for _, action := range []Action{"", "client", "client.erase", "CLIENT.READ"} {
			if Decide(Request{Agent: a, Action: action}) != Deny || a.May(action) {
				t.Errorf("%s may %q", role, action)
			}
		}
	}
}

func TestOwn(t *testing.T) {
	table := []struct {
		name   string
		agent  Agent
		entity Entity
		want   Decision
	}{
		{"self", agentOf(NewIssuer(), Therapist), Staff(someone), Allow},
		{"other", agentOf(NewIssuer(), Therapist), Staff(ident.ID[ident.Staff]{7}), Deny},
		{"same bytes, another kind", agentOf(NewIssuer(), Therapist), Entity{KindClient, someone}, Deny},
		{"nothing named", agentOf(NewIssuer(), Therapist), None, Deny},
		{"zero staff on zero entity", NewIssuer().Person(ident.ID[ident.Staff]{}, ident.ID[ident.Session]{}, "x", Origin{}, Therapist),
			Staff(ident.ID[ident.Staff]{}), Deny},
	}
	for _, row := range table {
		if got := Decide(Request{Agent: row.agent, Action: DayOwn, Entity: row.entity}); got != row.want {
			t.Errorf("%s: day.own decides %d, want %d", row.name, got, row.want)
		}
	}
}

// TestDecideProperties holds for every row, role set and entity.
func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roles := rapid.SliceOfDistinct(rapid.SampledFrom(allRoles), func(r Role) Role { return r }).Draw(t, "roles")
		action := rapid.SampledFrom(actions()).Draw(t, "action")
		e := entities().Draw(t, "entity")
		r := Request{Agent: NewIssuer().Person(someone, ident.ID[ident.Session]{1}, "x", Origin{}, roles...), Action: action, Entity: e}
		got := Decide(r)

		var strongest Decision
		for _, role := range roles {
			one := r
			one.Agent = NewIssuer().Person(someone, ident.ID[ident.Session]{1}, "x", Origin{}, role)
			d := Decide(one)
			if d == Allow || strongest == Deny {
				strongest = d
			}
		}
		if got != strongest {
			t.Fatalf("roles together decide %d, the strongest of them %d", got, strongest)
		}
		if got != Deny && !r.Agent.May(action) {
			t.Fatalf("Decide says %d where May says no", got)
		}
		reversed := slices.Clone(roles)
		slices.Reverse(reversed)
		r.Agent = NewIssuer().Person(someone, ident.ID[ident.Session]{1}, "x", Origin{}, reversed...)
		if Decide(r) != got {
			t.Fatalf("the order of roles matters")
		}
	})
}

func TestAgentKeepsItsRoles(t *testing.T) {
	roles := []Role{FrontDesk}
	a := NewIssuer().Person(someone, ident.ID[ident.Session]{1}, "x", Origin{}, roles...)
	roles[0] = IT
	a.Roles()[0] = IT
	if !a.Has(FrontDesk) || a.Has(IT) {
		t.Error("an agent's roles can be changed from outside")
	}
}
