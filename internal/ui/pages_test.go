package ui_test

import (
	"crypto/tls"
	"testing"

	"coffer/internal/terminal/sim"
)

var insecure = &tls.Config{InsecureSkipVerify: true} // httptest's own certificate

func TestTodayListsTheDay(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	a := desk.get("/today")
	t.Log(a.status, a.body)
}
