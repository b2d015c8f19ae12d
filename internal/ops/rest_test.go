package ops_test

import (
	"context"
	"testing"
	"time"

	"coffer/internal/access/accesstest"
	"coffer/internal/backup"
	"coffer/internal/books"
	"coffer/internal/ops"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// TestStopBreaksOffWhatAPageBegan: a backup that a page began, to a place that
// does not answer, keeps the daemon from stopping no longer than it takes to
// break it off.
func TestStopBreaksOffWhatAPageBegan(t *testing.T) {
	b := newBox(t)
	v := vaulttest.Open(t, nil, tables()...)
	target, err := backup.NewTarget(backup.TargetConfig{Name: "disk", Target: "dir:" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	b.opened(t, ops.Store{Vault: v, Books: books.New(v), Seal: b.seal, Backups: backup.New(backup.Options{
		Vault: v, Self: accesstest.System("backup"), Targets: []*backup.Target{target}, Scratch: t.TempDir(),
		TrialBalance: func(ctx context.Context, _ *vault.Vault) (string, error) { <-ctx.Done(); return "", ctx.Err() },
	})})
	stop := b.Keep(t.Context())
	if err := b.Begin(t.Context(), b.it, ops.TaskBackup); err != nil {
		t.Fatal(err)
	}
	stop()
	rested := make(chan struct{})
	go func() { defer close(rested); b.Rest() }()
	select {
	case <-rested:
	case <-time.After(10 * time.Second):
		t.Error("the task goes on")
	}
}
