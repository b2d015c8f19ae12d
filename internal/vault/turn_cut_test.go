package vault_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// rotationSteps are where an exchange of the root can be cut short: Rotate
// makes two commits.
var rotationSteps = []string{"begun", "first commit", "second commit", "ended"}

// rotateAndStay exchanges the root up to a step, and stays there.
func rotateAndStay(j job) error {
	v, err := j.open()
	if err != nil {
		return err
	}
	tag := fmt.Sprint("before ", v.Status().Sequence)
	if err := v.Update(context.Background(), writing, func(tx *vault.Tx) error { return insertTwice(tx, tag) }); err != nil {
		return err
	}
	fmt.Println(tag)
	at := 0
	reached := func() {
		if rotationSteps[at] == j.Stay {
			fmt.Println("stays")
			select {}
		}
		at++
	}
	next, err := seal.BeginRotation(context.Background(), j.Device, j.Header, seal.Proof{})
	if err != nil {
		return err
	}
	reached()
	if err := v.Rotate(context.WithValue(context.Background(), audit.DurableKey{}, reached), rotating, next); err != nil {
		return err
	}
	if err := seal.EndRotation(context.Background(), j.Device, j.Header, seal.Proof{}); err != nil {
		return err
	}
	reached()
	return errors.New("nothing stopped it")
}

// TestKilledBetweenTheStepsOfARotation kills a process at each step of an
// exchange of the root. Seal and store fit together after each, and the
// exchange goes on.
func TestKilledBetweenTheStepsOfARotation(t *testing.T) {
	j := job{Dir: t.TempDir() + "/store", Device: sealtest.TPM(t), Header: t.TempDir() + "/coffer.seal"}
	key, err := seal.Provision(t.Context(), j.Device, j.Header, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	o := vault.Options{Dir: j.Dir, Key: key, Tables: []vault.AnyTable{clients, entries}, MapBytes: 1 << 30}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	acked := map[string]bool{}
	generation := uint32(1)
	for _, j.Stay = range rotationSteps {
		told := runAndKill(t, j, 2)
		if len(told) != 2 || told[1] != "stays" {
			t.Fatalf("%s: the process said %q", j.Stay, told)
		}
		acked[told[0]] = true
		if o.Key, err = seal.Unseal(t.Context(), j.Device, j.Header, seal.Proof{}); err != nil {
			t.Fatalf("%s: %v", j.Stay, err)
		}
		if rotating := o.Key.Status().Rotating; rotating != (j.Stay != "ended") {
			t.Errorf("%s: the seal says that a rotation is under way: %v", j.Stay, rotating)
		}
		survive(t, o, j.Stay, acked)
		v, err := vault.Open(t.Context(), accesstest.System("test"), o)
		if err != nil {
			t.Fatal(err)
		}
		if j.Stay != "ended" { // what was cut short goes on
			if err := turn(t.Context(), v, j); err != nil {
				t.Errorf("%s: %v", j.Stay, err)
			}
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		o.Key.Wipe()
		if o.Key, err = seal.Unseal(t.Context(), j.Device, j.Header, seal.Proof{}); err != nil {
			t.Fatalf("%s: %v", j.Stay, err)
		}
		if generation++; o.Key.Generation() != generation || o.Key.Status().Rotating {
			t.Errorf("%s: generation %d at the end, want %d", j.Stay, o.Key.Generation(), generation)
		}
		survive(t, o, j.Stay+", at the end", acked)
		o.Key.Wipe()
	}
}

// TestPowerCutsInARotation opens what a power cut can leave in each phase of
// the two commits that exchange the root, while the seal holds both
// generations, and after it holds the last alone.
func TestPowerCutsInARotation(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 3))
	device, header := sealtest.TPM(t), t.TempDir()+"/coffer.seal"
	key, err := seal.Provision(t.Context(), device, header, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	o := vault.Options{Dir: t.TempDir() + "/store", Key: key, Tables: []vault.AnyTable{clients, entries}, MapBytes: 1 << 30}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	update(t, v, func(tx *vault.Tx) error { return insertTwice(tx, "a") })
	acked := map[string]bool{"a": true}
	moments := []files{readAll(t, o.Dir)}
	next, err := seal.BeginRotation(t.Context(), device, header, seal.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	durable := func() { moments = append(moments, readAll(t, o.Dir)) }
	if err := v.Rotate(context.WithValue(t.Context(), audit.DurableKey{}, durable), rotating, next); err != nil {
		t.Fatal(err)
	}
	if len(moments) != 3 {
		t.Fatalf("the exchange took %d commits", len(moments)-1)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	for _, m := range moments {
		m["coffer.db"] = used(m["coffer.db"])
	}
	o.Key = next
	for n, state := range rotationCuts(t, moments, random) {
		state.write(t, o.Dir)
		survive(t, o, fmt.Sprint("both generations, state ", n), acked)
	}
	if err := seal.EndRotation(t.Context(), device, header, seal.Proof{}); err != nil {
		t.Fatal(err)
	}
	if o.Key, err = seal.Unseal(t.Context(), device, header, seal.Proof{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Key.Wipe)
	moments[2].write(t, o.Dir)
	survive(t, o, "the last generation alone", acked)
	torn := moments[2].with(files{"coffer.journal": nil})
	torn["coffer.db"] = bytes.Clone(torn["coffer.db"])
	clear(torn["coffer.db"][newerHead(torn["coffer.db"])*4096:][:4096])
	torn.write(t, o.Dir)
	v, err = vault.Open(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatalf("the last head torn, and no journal: %v", err)
	}
	view(t, v, func(tx *vault.Tx) error { return whole(tx, acked) })
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	moments[0].write(t, o.Dir)
	if _, err := vault.Open(t.Context(), accesstest.System("test"), o); fault.KindOf(err) != fault.Corrupt || !errors.Is(err, vault.ErrMeta) {
		t.Errorf("a store of before, under the last generation: %v", err)
	}
}

// newerHead returns which head page of a file is the newer one.
func newerHead(b []byte) int {
	if txid := func(page int) uint64 { return binary.LittleEndian.Uint64(b[page*4096+16+48:]) }; txid(1) > txid(0) {
		return 1
	}
	return 0
}

// rotationCuts are the states of both commits. The first ends the segment of
// the journal and begins the next; coffer.last follows, and is then synced.
func rotationCuts(t *testing.T, moments []files, random *rand.Rand) (all []files) {
	t.Helper()
	const journal, fresh = "coffer.journal", "coffer.journal.new"
	var segment string
	for name := range moments[1] {
		if ok, err := filepath.Match(journal+".*", name); err == nil && ok {
			segment = name
		}
	}
	if segment == "" {
		t.Fatal("the first commit left no segment")
	}
	first := &cut{moments[0], moments[1].with(files{journal: moments[1][segment]}), random}
	states, _ := first.states()
	whole, begun := first.after, moments[1][journal][:37]
	for _, last := range [][]byte{moments[0]["coffer.last"], moments[1]["coffer.last"]} {
		told := whole.with(files{"coffer.last": last, segment: nil})
		states = append(states,
			told.with(files{fresh: {}}), told.with(files{fresh: begun[:20]}), told.with(files{fresh: begun}), // the next segment is being made
			told.with(files{journal: nil, segment: whole[journal], fresh: begun}), // the old one has its name
			told.with(files{journal: begun, segment: whole[journal]}))             // and so has the next
	}
	second := &cut{moments[1], moments[2], random}
	more, _ := second.states()
	for _, s := range more {
		states = append(states, s.with(files{segment: moments[1][segment]}))
	}
	return states
}
