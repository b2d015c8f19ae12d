package main

import (
	"context"
	"crypto/tls"

	"coffer/internal/ui"
)

// firstRun serves the ceremony that makes the first recovery sheet, and
// nothing else, until the sheet is in force or ctx is done: no client's data
// can be stored before somebody holds what brings it back.
func (d *daemon) firstRun(ctx context.Context, box *clinic, leaf func() tls.Certificate) error {
	if !d.ops.SetUp() {
		return nil
	}
	handler, err := ui.FirstRun(ui.FirstRunOptions{
		Clinic: d.config.Clinic, Demo: d.config.Demo, Names: d.config.Names, Zone: d.config.zone(), Now: d.now,
		Ops: d.ops, Log: d.log,
	})
	if err != nil {
		return err
	}
	d.log.Warn("there is no recovery sheet yet: make it in a browser with the set-up code, or with cofferctl recovery print", "setup_code", d.ops.SetUpCode())
	d.front.show(ctx, scene{handler, leaf, box.vault.Alive})
	d.opening.serve()
	select {
	case <-d.ops.SetUpDone():
		d.log.Info("the recovery sheet is in force")
		return nil
	case err := <-d.front.ended:
		return err
	case <-ctx.Done():
		return nil
	}
}
