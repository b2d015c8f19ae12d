package main

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"coffer/internal/fault"
	"coffer/internal/host"
)

// textOwner is the refusal of who would leave files that the daemon can't use.
const textOwner = "The state directory belongs to the user %v, and Coffer could not use what another user, root too, writes there. Nothing was changed. Do it as that user: sudo -u %v cofferctl … (or cofferd …)."

// asOwner does something with a boot file unless its state directory belongs to
// another user.
func asOwner(do func(context.Context, Config) error) func(context.Context, Config) error {
	return func(ctx context.Context, c Config) error {
		path, err := filepath.EvalSymlinks(c.State)
		if err != nil { // there is none, or it is said where it is used
			return do(ctx, c)
		}
		e, err := host.EntryAt(path)
		if err != nil {
			return err
		}
		if !e.There || int(e.Owner) == os.Geteuid() {
			return do(ctx, c)
		}
		id := strconv.Itoa(int(e.Owner))
		name := "'#" + id + "'" // as sudo takes a number from a shell
		if u, err := user.LookupId(id); err == nil {
			name = u.Username
		}
		return fault.New(fault.Denied, textOwner, fault.Code(name), fault.Code(name))
	}
}
