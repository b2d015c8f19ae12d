package vault

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/ident"
)

func shredding(id ident.ID[ident.Client]) access.Request {
	return access.Request{Agent: accesstest.Agent(access.Officer), Action: access.ClientShred, Entity: access.Client(id), Purpose: access.Operations}
}

// TestShreddedStaysShredded destroys a client's keys and looks for what they
// sealed everywhere: in rows, in indexes, and with every key that is left.
func TestShreddedStaysShredded(t *testing.T) {
	v, ids := canaries(t, 3)
	gone := ids[1]
	before := storedOf(t, v)
	for range 2 { // a second time changes nothing
		if err := v.Shred(t.Context(), shredding(gone), gone); err != nil {
			t.Fatal(err)
		}
	}
	stranger := ident.ID[ident.Client]{9}
	if err := v.Shred(t.Context(), shredding(stranger), stranger); !errors.Is(err, ErrNoRow) {
		t.Fatalf("somebody unknown: %v", err)
	}
	if err := v.Shred(t.Context(), shredding(ids[0]), gone); fault.KindOf(err) != fault.Internal {
		t.Fatalf("in another's name: %v", err)
	}
	for range 2 {
		erasedReads(t, v, ids, 1)
		all := storedOf(t, v)
		everything := steal(v.state.root, all, Identity, Service, Tokens, Ledger, Audit, Box, Chart)
		loot := everything.loot(all)
		if bytes.Contains(loot, []byte("-private-"+gone.String())) {
			t.Fatal("a private part of the client still opens")
		}
		if !bytes.Contains(loot, []byte("-private-"+ids[0].String())) || !bytes.Contains(loot, []byte("-shared-"+gone.String())) {
			t.Fatal("more than the private parts of the client is gone")
		}
		if bytes.Contains(everything.loot(before), []byte("-private-"+gone.String())) {
			t.Fatal("the keys that are left open an older copy")
		}
		o := v.Options()
		if _, err := v.Check(t.Context(), checking); err != nil {
			t.Fatal(err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if v, err = Open(t.Context(), accesstest.System("test"), o); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

var checking = access.Request{Agent: accesstest.Agent(access.IT), Action: access.StoreVerify, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}

// erasedReads looks at the rows of all clients, of which one is shredded.
func erasedReads(t *testing.T, v *Vault, ids []ident.ID[ident.Client], gone int) {
	t.Helper()
	err := v.Update(t.Context(), canaryWriting, func(tx *Tx) error {
		for i, id := range ids {
			row, err := canaryClients.At(tx, uint64(i+1))
			if err != nil {
				return err
			}
			if row.Client != id || !strings.HasPrefix(row.Shared.Text, "identity-shared-") {
				t.Errorf("row %d is %+v", i, row)
			}
			if erased := !row.Erased.IsZero(); erased != (i == gone) || erased != (row.Private.Text == "") {
				t.Errorf("row %d: erased %v, private %q", i, row.Erased, row.Private.Text)
			}
			_, found, err := canaryClients.First(tx, "word", "identity-private-"+id.String())
			if err != nil || found != (i != gone) {
				t.Errorf("row %d found by its private part: %v %v", i, found, err)
			}
		}
		row, _, err := canaryClients.First(tx, "word", "")
		if err != nil || row.Client != ids[gone] {
			t.Errorf("the erased row's index: %v %v", row.Client, err)
		}
		row.Private = canary{"again"}
		if err := canaryClients.Replace(tx, row); !errors.Is(err, ErrShredded) || fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), row.Erased.Format("2006-01-02")) {
			t.Errorf("written again: %v", err)
		}
		_, err = canarySlips.Insert(tx, Row[canary, canary]{Client: ids[gone]})
		if !errors.Is(err, ErrShredded) {
			t.Errorf("a new row: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestShredCoversCompartmentsWithoutAKey: a client who never had a key in a
// compartment gets none there after.
func TestShredCoversCompartmentsWithoutAKey(t *testing.T) {
	v, _ := canaries(t, 0)
	defer v.Close()
	id := ident.ID[ident.Client]{7}
	put := func() error {
		return v.Update(context.Background(), canaryWriting, func(tx *Tx) error {
			_, err := canaryNotes.Insert(tx, Row[canary, canary]{Client: id})
			return err
		})
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	if err := v.Shred(t.Context(), shredding(id), id); err != nil {
		t.Fatal(err)
	}
	if err := put(); !errors.Is(err, ErrShredded) {
		t.Fatal(err)
	}
	err := v.Update(t.Context(), canaryWriting, func(tx *Tx) error {
		_, err := canaryClients.Insert(tx, Row[canary, canary]{Client: id})
		return err
	})
	if !errors.Is(err, ErrShredded) {
		t.Fatalf("another compartment: %v", err)
	}
}
