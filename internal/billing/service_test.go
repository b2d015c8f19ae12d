package billing

import (
	"errors"
	"testing"
)

func (c *clinic) put(s Service) {
	c.Helper()
	if err := c.b.Put(c.Context(), c.system, s); err != nil {
		c.Fatal(err)
	}
}

// A session is closed with a service that is offered and that is one.
func TestFeesAndRetiredServicesCloseNoSession(t *testing.T) {
	c := open(t)
	retired := Service{Code: "90899", Label: "Long gone", Group: Individual, Fee: 100_00, Income: "4000", Retired: true}
	c.put(retired)
	a := c.book()
	for _, code := range []string{NoShow, retired.Code} {
		if _, err := c.b.Close(t.Context(), c.therapist, a.ID, code, 45, command()); !errors.Is(err, ErrNoSession) {
			t.Errorf("closed with %s: %v", code, err)
		}
	}
	if due := c.due().Net(); due != 0 {
		t.Errorf("%v is due", due)
	}
	held := c.close(a, "90834", 45)
	for _, s := range Template() {
		s.Retired = s.Code == "90834"
		c.put(s)
	}
	again, err := c.b.Close(t.Context(), c.therapist, a.ID, "90834", 45, held.Command)
	if err != nil || again.ID != held.ID {
		t.Errorf("the same form after the service was retired: %v, %v", again.ID, err)
	}
}
