package till

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/books"
	"coffer/internal/duty"
	"coffer/internal/roster"
	"coffer/internal/seal/sealtest"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// TestCreatedMayHaveBeenSentAfterALoss damages the newest head page of a store
// whose last words of an attempt are "created": the commit that is gone may
// have been "sent", so the attempt must be asked about, and its reference must
// not come again.
func TestCreatedMayHaveBeenSentAfterALoss(t *testing.T) {
	o := vault.Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), MapBytes: 1 << 30,
		Tables: slices.Concat(duty.Tables(), books.Tables(), roster.Tables(), Tables())}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	cfg := terminal.Config{Address: "tcp:127.0.0.1:1", Profile: protocol.Profile{Protocol: "pax", Timers: protocol.Timers{RetryMin: 1000, RetryMax: 1000}}}
	b := &bench{t: t, agent: accesstest.System("till")}
	b.Till = New(Options{Vault: v, Agent: b.agent, Terminals: []*terminal.Terminal{terminal.Start(cfg)}})
	b.lane = b.order[0]
	if err := books.New(v).Setup(t.Context(), b.agent); err != nil {
		t.Fatal(err)
	}
	sale := b.sale()
	if err := b.mark(sale.ID, Sent); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(o.Dir, "coffer.db")
	killed, err := os.ReadFile(file) // an orderly stop commits once more
	if err := errors.Join(err, b.Close(t.Context()), v.Close(), os.WriteFile(file, killed, 0o600),
		os.Remove(filepath.Join(o.Dir, "coffer.clean")), os.Remove(filepath.Join(o.Dir, "coffer.journal"))); err != nil {
		t.Fatal(err)
	}
	damageNewestHead(t, file)

	if v, err = vault.Open(t.Context(), accesstest.System("test"), o); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	b.Till = New(Options{Vault: v, Agent: b.agent, Terminals: []*terminal.Terminal{terminal.Start(cfg)}})
	b.lane = b.order[0]
	defer b.Close(t.Context())
	if now, _ := b.now(sale); now.State != Created {
		t.Fatalf("the damage took something else: the attempt is %s", now.State)
	}
	if err := b.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, _ := b.now(sale); now.State != Sent && now.State != InDoubt {
		t.Errorf("the attempt is %s: somebody believes that it was not sent", now.State)
	}
	err = v.Update(t.Context(), access.Request{Agent: b.agent, Action: access.PaymentStep, Entity: access.None}, func(tx *vault.Tx) error {
		ref, err := nextRef(tx)
		if ref[:2] == sale.Ref[:2] {
			t.Errorf("reference %s is of the same epoch as %s", ref, sale.Ref)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// damageNewestHead flips a bit in the head page of bbolt with the higher
// transaction number.
func damageNewestHead(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const page, txid = 4096, 16 + 48 // the page's header, then the field txid of bbolt's meta
	newest := 0
	if binary.NativeEndian.Uint64(text[page+txid:]) > binary.NativeEndian.Uint64(text[txid:]) {
		newest = page
	}
	text[newest+50] ^= 1
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
