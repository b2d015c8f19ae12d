package main

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/identity"
)

// consoleOrigin is where cofferctl acts from.
var consoleOrigin = access.Origin{Via: "console", Address: "control"}

// serveControl answers cofferctl until stop is called.
func (d *daemon) serveControl() (stop func(), err error) {
	l, err := control.Listen(d.config.Control)
	if err != nil {
		return nil, err
	}
	console := d.issuer.Person(ident.ID[ident.Staff]{}, ident.ID[ident.Session]{}, "console", consoleOrigin, access.IT)
	server := control.NewServer(control.Options{
		Ops: d.ops, Agent: func() access.Agent { return console }, SignIn: d.signIn, Log: d.log,
		Nobody: d.issuer.Person(ident.ID[ident.Staff]{}, ident.ID[ident.Session]{}, "", consoleOrigin),
	})
	go func() {
		if err := server.Serve(l); err != nil {
			d.log.Error("the control socket ended")
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			d.log.Warn("the control socket did not close in time")
		}
	}, nil
}

var errShut = fault.New(fault.Unavailable, "Nobody can sign in before the books are open. Open them first, then do it again.")

// signIn signs a member of staff in at the console, for one act.
func (d *daemon) signIn(ctx context.Context, p control.Person) (access.Agent, func(), error) {
	box := d.box.Load()
	if box == nil {
		return access.Agent{}, nil, errShut
	}
	form := identity.SignInForm{Name: p.Name, Password: p.Password, Code: p.Code}
	cookie, err := box.identity.SignIn(ctx, form, consoleOrigin)
	if err != nil {
		return access.Agent{}, nil, err
	}
	agent, _, err := box.identity.Agent(ctx, cookie, consoleOrigin, false)
	if err != nil {
		return access.Agent{}, nil, err
	}
	return agent, func() {
		if err := box.identity.SignOut(context.WithoutCancel(ctx), agent); err != nil {
			d.log.Warn("the sign-out at the console failed")
		}
	}, nil
}
