package identity

import (
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
)

func TestCreateStaffRefuses(t *testing.T) {
	w := newWorld(t)
	good := NewStaff{Name: "leo.brandt", DisplayName: "Leo Brandt", Roles: []access.Role{access.FrontDesk}, Password: "two crows on the fence"}
	for name, change := range map[string]func(*NewStaff){
		"short name":       func(n *NewStaff) { n.Name = "le" },
		"long name":        func(n *NewStaff) { n.Name = "leo.brandt.of.the.long.name.that.ne" },
		"name with space":  func(n *NewStaff) { n.Name = "leo brandt" },
		"name with digit":  func(n *NewStaff) { n.Name = "1leo" },
		"name with accent": func(n *NewStaff) { n.Name = "léo.brandt" },
		"taken name":       func(n *NewStaff) { n.Name = "MAYA.OKAFOR" },
		"no display name":  func(n *NewStaff) { n.DisplayName = "  " },
		"no role":          func(n *NewStaff) { n.Roles = nil },
		"system role":      func(n *NewStaff) { n.Roles = []access.Role{access.System} },
		"unknown role":     func(n *NewStaff) { n.Roles = []access.Role{"chef"} },
		"IT with trail":    func(n *NewStaff) { n.Roles = []access.Role{access.Officer, access.IT} },
		"IT with money":    func(n *NewStaff) { n.Roles = []access.Role{access.Accountant, access.IT} },
		"weak password":    func(n *NewStaff) { n.Password = "password1234567" },
		"own name in it":   func(n *NewStaff) { n.Password = "leo.brandt at the fence" },
	} {
		n := good
		change(&n)
		if _, _, err := w.CreateStaff(t.Context(), w.System("test"), n); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, agent := range []access.Agent{
		{}, accesstest.Agent(access.FrontDesk), accesstest.Agent(access.IT),
		accesstest.Agent(access.Accountant), accesstest.Agent(access.Therapist),
	} {
		if _, _, err := w.CreateStaff(t.Context(), agent, good); fault.KindOf(err) != fault.Denied {
			t.Errorf("%v takes somebody in: %v", agent.Roles(), err)
		}
	}
	if _, _, err := w.CreateStaff(t.Context(), w.System("test"), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}
