package vault_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/phi"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// note and person are the rows of the tests.
type note struct {
	Tag   string    `cbor:"1,keyasint"`
	Count int64     `cbor:"2,keyasint"`
	At    time.Time `cbor:"3,keyasint"`
}

type person struct {
	Name phi.Text `cbor:"1,keyasint"`
}

var (
	clients = vault.NewTable(vault.BucketClients,
		vault.NewIndex("tag", func(r vault.Row[note, person]) []string { return []string{r.Shared.Tag} }),
		vault.NewIndex("count", func(r vault.Row[note, person]) []string {
			return []string{vault.Uint64Key(uint64(r.Shared.Count))}
		}))
	entries = vault.NewJournal(vault.BucketEntries,
		vault.NewIndex("tag", func(r vault.Row[note, vault.None]) []string { return []string{r.Shared.Tag} }))
)

func request(role access.Role, a access.Action, e access.Entity) access.Request {
	return access.Request{Agent: accesstest.Agent(role), Action: a, Entity: e, Purpose: access.Operations}
}

var (
	writing = request(access.FrontDesk, access.ClientWrite, access.None)
	reading = request(access.FrontDesk, access.FeeRead, access.None)
	verify  = request(access.IT, access.StoreVerify, access.Entity{Kind: access.KindStore})
)

func client(t testing.TB) ident.ID[ident.Client] {
	t.Helper()
	return ident.New[ident.Client](time.Now())
}

func update(t testing.TB, v *vault.Vault, fn func(tx *vault.Tx) error) {
	t.Helper()
	if err := v.Update(t.Context(), writing, fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func view(t testing.TB, v *vault.Vault, fn func(tx *vault.Tx) error) {
	t.Helper()
	if err := v.View(t.Context(), reading, fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

func TestRowsSurviveReopening(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	id := client(t)
	var key uint64
	update(t, v, func(tx *vault.Tx) (err error) {
		key, err = clients.Insert(tx, vault.Row[note, person]{Client: id, Shared: note{Tag: "a", Count: 7, At: tx.Now()},
			Private: person{phi.NewText("Ada Example")}})
		if err != nil {
			return err
		}
		_, err = entries.Insert(tx, vault.Row[note, vault.None]{Shared: note{Tag: "x"}})
		return err
	})
	for range 2 {
		view(t, v, func(tx *vault.Tx) error {
			row, err := clients.At(tx, key)
			if err != nil {
				return err
			}
			if row.Client != id || row.Private.Name.Reveal() != "Ada Example" || row.Shared.Count != 7 || !row.Shared.At.Before(tx.Now().Add(1)) {
				t.Errorf("row = %+v", row)
			}
			found, ok, err := entries.First(tx, "tag", "x")
			if !ok || err != nil || found.Shared.Tag != "x" {
				t.Errorf("First = %v, %v, %v", found, ok, err)
			}
			return nil
		})
		v = vaulttest.Reopen(t, v)
	}
}

func TestReplaceAndDelete(t *testing.T) {
	v := vaulttest.Open(t, nil, clients)
	row := vault.Row[note, person]{Client: client(t), Shared: note{Tag: "a"}}
	update(t, v, func(tx *vault.Tx) (err error) { row.Key, err = clients.Insert(tx, row); return err })
	update(t, v, func(tx *vault.Tx) error { row.Shared.Tag = "b"; return clients.Replace(tx, row) })
	view(t, v, func(tx *vault.Tx) error {
		if _, ok, _ := clients.First(tx, "tag", "a"); ok {
			t.Error("the old value is still in the index")
		}
		if got, ok, err := clients.First(tx, "tag", "b"); !ok || got.Key != row.Key {
			t.Errorf("First(b) = %v %v %v", got, ok, err)
		}
		return nil
	})
	update(t, v, func(tx *vault.Tx) error { return clients.Delete(tx, row.Key) })
	v = vaulttest.Reopen(t, v)
	update(t, v, func(tx *vault.Tx) error {
		if n := clients.Count(tx); n != 0 {
			t.Errorf("Count = %d", n)
		}
		if _, err := clients.At(tx, row.Key); !errors.Is(err, vault.ErrNoRow) {
			t.Errorf("At = %v", err)
		}
		next, err := clients.Insert(tx, row)
		if next <= row.Key {
			t.Errorf("key %d was used again", next)
		}
		return err
	})
}

func TestRefusedRequestLeavesNothing(t *testing.T) {
	v := vaulttest.Open(t, nil, clients)
	no := fault.New(fault.Invalid, "No.")
	before := v.Status()
	err := v.Update(t.Context(), writing, func(tx *vault.Tx) error {
		if _, err := clients.Insert(tx, vault.Row[note, person]{Client: client(t), Shared: note{Tag: "a"}}); err != nil {
			return err
		}
		return no
	})
	if !errors.Is(err, no) {
		t.Fatalf("Update = %v", err)
	}
	after := v.Status()
	if after.Records != before.Records || after.Keys != before.Keys || after.Events != before.Events+1 {
		t.Errorf("status before %+v, after %+v", before, after)
	}
}

func TestPanicReachesTheCallerAndSpoilsNothing(t *testing.T) {
	v := vaulttest.Open(t, nil, entries)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = v.Update(t.Context(), writing, func(*vault.Tx) error { panic("broken") }) // it panics
	}()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic of a view was swallowed")
			}
		}()
		_ = v.View(t.Context(), reading, func(*vault.Tx) error { panic("broken") }) // it panics
	}()
	update(t, v, func(tx *vault.Tx) error {
		_, err := entries.Insert(tx, vault.Row[note, vault.None]{})
		return err
	})
}

func TestFunctionThatEndsItsGoroutine(t *testing.T) {
	v := vaulttest.Open(t, nil, entries)
	for range 3 {
		ended := make(chan error, 1)
		go func() {
			ended <- v.Update(context.Background(), writing, func(*vault.Tx) error {
				runtime.Goexit() // as testing.FailNow does
				return nil
			})
		}()
		if err := <-ended; fault.KindOf(err) != fault.Internal {
			t.Fatalf("Update = %v", err)
		}
	}
	update(t, v, func(tx *vault.Tx) error {
		_, err := entries.Insert(tx, vault.Row[note, vault.None]{})
		return err
	})
}

func TestDenials(t *testing.T) {
	assigned := client(t)
	v := vaulttest.Open(t, func(tx *vault.Tx, staff ident.ID[ident.Staff], e access.Entity) (bool, error) {
		return e.ID == assigned, nil
	}, clients)
	therapist := accesstest.Agent(access.Therapist)
	for _, c := range []struct {
		name  string
		agent access.Agent
		of    ident.ID[ident.Client]
		want  fault.Kind
	}{
		{"nobody", access.Agent{}, assigned, fault.Denied},
		{"it", accesstest.Agent(access.IT), assigned, fault.Denied},
		{"other client", therapist, client(t), fault.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := access.Request{Agent: c.agent, Action: access.ClientRead, Entity: access.Client(c.of), Purpose: access.Treatment}
			never := func(*vault.Tx) error { t.Error("the function ran"); return nil }
			before := v.Status().Events
			if err := v.View(t.Context(), r, never); fault.KindOf(err) != c.want {
				t.Errorf("View = %v", err)
			}
			if err := v.Update(t.Context(), r, never); fault.KindOf(err) != c.want {
				t.Errorf("Update = %v", err)
			}
			if n := v.Status().Events - before; n != 2 {
				t.Errorf("%d events recorded", n)
			}
		})
	}
	r := access.Request{Agent: therapist, Action: access.ClientRead, Entity: access.Client(assigned), Purpose: access.Treatment}
	ran := false
	if err := v.View(t.Context(), r, func(*vault.Tx) error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("View of an assigned client = %v", err)
	}
}

func TestOneWriterPerDirectory(t *testing.T) {
	v := vaulttest.Open(t, nil, entries)
	if _, err := vault.Open(t.Context(), accesstest.System("test"), v.Options()); !errors.Is(err, vault.ErrInUse) {
		t.Errorf("second Open = %v", err)
	}
	o := v.Options()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Create(t.Context(), accesstest.System("test"), o); !errors.Is(err, vault.ErrExists) {
		t.Errorf("Create over a store = %v", err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "/coffer.db": 0o600, "/coffer.lock": 0o600} {
		info, err := os.Stat(o.Dir + name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %q = %v, %v", name, info.Mode(), err)
		}
	}
	if err := v.Update(t.Context(), writing, nil); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Update after Close = %v", err)
	}
	if err := v.View(t.Context(), reading, nil); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("View after Close = %v", err)
	}
	if _, err := vault.Open(t.Context(), access.Agent{}, o); fault.KindOf(err) != fault.Denied {
		t.Errorf("Open by nobody = %v", err)
	}
}

func TestRecordAndDetail(t *testing.T) {
	v := vaulttest.Open(t, nil, entries)
	before := v.Status().Events
	r := access.Request{Action: access.SignIn, Entity: access.None, Purpose: access.Operations}
	if err := v.Record(t.Context(), r, audit.Denied, audit.Detail{Key: "name", Value: `a"b`}); err != nil {
		t.Fatal(err)
	}
	view(t, v, func(tx *vault.Tx) error { tx.Detail("rows", fault.Int(3)); return nil })
	if n := v.Status().Events - before; n != 2 {
		t.Errorf("%d events", n)
	}
	if c, err := v.Check(t.Context(), verify); err != nil || c.Events != v.Status().Events-1 {
		t.Errorf("Check = %+v, %v", c, err)
	}
}
