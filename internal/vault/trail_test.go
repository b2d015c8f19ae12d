package vault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/phi"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

var (
	tilesName = []byte{2, 0, 0xA1}
	headsName = []byte{2, 0, 0xA2}

	auditRead  = request(access.Officer, access.AuditRead, access.None)
	exporting  = request(access.Officer, access.AuditExport, access.None)
	witness    = request(access.Therapist, access.AuditWitness, access.None)
	checkpoint = request(access.Officer, access.AuditCheckpoint, access.Entity{Kind: access.KindStore})
	restoring  = access.Request{Agent: accesstest.System("test"), Action: access.StoreRestore, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
)

func trailOf(t testing.TB, v *vault.Vault, q vault.TrailQuery) vault.TrailPage {
	t.Helper()
	page, err := v.Trail(t.Context(), auditRead, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// happen makes n events.
func happen(t testing.TB, v *vault.Vault, n int) {
	t.Helper()
	done := make(chan error)
	for range n {
		go func() { done <- v.Record(t.Context(), reading, audit.OK) }()
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func addClient(t testing.TB, v *vault.Vault, id ident.ID[ident.Client]) (key uint64) {
	t.Helper()
	update(t, v, func(tx *vault.Tx) (err error) {
		key, err = clients.Insert(tx, vault.Row[note, person]{Client: id, Private: person{phi.NewText("Ada Example")}})
		return err
	})
	return key
}

func TestTrailIsPagedFromTheNewest(t *testing.T) {
	v := vaulttest.Open(t, nil, clients)
	happen(t, v, 600)
	var seqs []uint64
	q := vault.TrailQuery{Limit: 250, Act: string(access.FeeRead)}
	for {
		page := trailOf(t, v, q)
		for _, e := range page.Events {
			seqs = append(seqs, e.Seq)
		}
		if page.Next == 0 {
			break
		}
		q.Before = page.Next
	}
	if len(seqs) != 600 || !slices.IsSortedFunc(seqs, func(a, b uint64) int { return int(b) - int(a) }) {
		t.Errorf("%d events, newest first %v", len(seqs), seqs[:5])
	}
	page := trailOf(t, v, vault.TrailQuery{})
	if len(page.Events) != 100 || page.Events[0].Act != string(access.AuditRead) {
		t.Errorf("the page has %d events; to have looked is not the newest: %s", len(page.Events), page.Events[0].Act)
	}
}

// TestTrailFinds asks for events in each way, among and behind full tiles.
func TestTrailFinds(t *testing.T) {
	v := vaulttest.Open(t, nil, clients)
	ada, ben := client(t), client(t)
	keyOf := map[ident.ID[ident.Client]]uint64{ada: addClient(t, v, ada), ben: addClient(t, v, ben)}
	happen(t, v, 300)
	desk := request(access.FrontDesk, access.ClientRead, access.Client(ada))
	look := func(r access.Request, id ident.ID[ident.Client]) {
		t.Helper()
		if err := v.View(t.Context(), r, func(tx *vault.Tx) error { _, err := clients.At(tx, keyOf[id]); return err }); err != nil {
			t.Fatal(err)
		}
	}
	look(desk, ada)
	look(request(access.FrontDesk, access.DayRead, access.None), ada) // the request does not name her
	look(request(access.FrontDesk, access.DayRead, access.None), ben)
	if err := v.View(t.Context(), request(access.IT, access.DayRead, access.None), func(*vault.Tx) error { return nil }); fault.KindOf(err) != fault.Denied {
		t.Fatal(err)
	}
	happen(t, v, 300)
	for name, c := range map[string]struct {
		q    vault.TrailQuery
		want int
	}{
		"who looked at Ada": {vault.TrailQuery{Client: ada}, 3}, // and who wrote her
		"who looked at Ben": {vault.TrailQuery{Client: ben}, 2},
		"nobody's client":   {vault.TrailQuery{Client: client(t)}, 0},
		"actor":             {vault.TrailQuery{Actor: desk.Agent.Name()}, 1},
		"action":            {vault.TrailQuery{Act: "day.read"}, 3},
		"actions":           {vault.TrailQuery{Act: "day"}, 3},
		"object":            {vault.TrailQuery{Object: "client:" + ada.String()}, 1},
		"kind of object":    {vault.TrailQuery{Object: "client"}, 1},
		"outcome":           {vault.TrailQuery{Outcome: audit.Denied}, 1},
		"all at once":       {vault.TrailQuery{Client: ada, Act: "day.read", Outcome: audit.OK}, 1},
		"from a number":     {vault.TrailQuery{Client: ada, From: 100}, 2},
		"before a number":   {vault.TrailQuery{Client: ada, Before: 100}, 1},
		"future":            {vault.TrailQuery{Since: time.Now().Add(time.Hour)}, 0},
		"past":              {vault.TrailQuery{Until: time.Now().Add(-time.Hour)}, 0},
		"since and until":   {vault.TrailQuery{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour), Act: "day"}, 3},
		"more conditions":   {vault.TrailQuery{Act: "day", Also: func(e vault.TrailEvent) bool { return e.Outcome == audit.Denied }}, 1},
	} {
		if page := trailOf(t, v, c.q); len(page.Events) != c.want {
			t.Errorf("%s: %d events, want %d", name, len(page.Events), c.want)
		}
	}
	page := trailOf(t, v, vault.TrailQuery{Act: "day", Outcome: audit.OK, Limit: 1})
	if want := (audit.Detail{Key: "clients", Value: ben.String()}); !slices.Contains(page.Events[0].Details, want) {
		t.Errorf("details %v", page.Events[0].Details)
	}
}

func TestTrailIsForTheOfficer(t *testing.T) {
	v := vaulttest.Open(t, nil, clients)
	for _, role := range []access.Role{access.FrontDesk, access.Therapist, access.Accountant, access.Owner, access.IT} {
		before := v.Status().Events
		r := request(role, access.AuditRead, access.None)
		if _, err := v.Trail(t.Context(), r, vault.TrailQuery{}); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s reads the trail: %v", role, err)
		}
		if _, err := v.ExportTrail(t.Context(), request(role, access.AuditExport, access.None), new(bytes.Buffer), vault.TrailQuery{}, true); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s exports the trail: %v", role, err)
		}
		if v.Status().Events != before+2 {
			t.Errorf("the denials of %s are not on record", role)
		}
	}
	if _, err := v.Checkpoint(t.Context(), request(access.FrontDesk, access.AuditCheckpoint, access.None)); fault.KindOf(err) != fault.Denied {
		t.Errorf("the desk signs checkpoints: %v", err)
	}
	for name, err := range map[string]error{ // a right to something else opens nothing
		"Trail":       second(v.Trail(t.Context(), reading, vault.TrailQuery{})),
		"Checkpoint":  second(v.Checkpoint(t.Context(), reading)),
		"Consistency": second(v.Consistency(t.Context(), reading, 0, 0)),
		"ExportTrail": second(v.ExportTrail(t.Context(), reading, new(bytes.Buffer), vault.TrailQuery{}, true)),
		"NoteRestore": v.NoteRestore(t.Context(), reading, audit.Head{}, audit.Head{}),
	} {
		if fault.KindOf(err) != fault.Internal {
			t.Errorf("%s in the name of another act: %v", name, err)
		}
	}
}

func second[A any](_ A, err error) error { return err }

// TestProofsOfCheckpoints: every checkpoint is the beginning of each later
// one, across tiles and restarts.
func TestProofsOfCheckpoints(t *testing.T) {
	v := vaulttest.Open(t, nil, clients)
	var heads []audit.Signed
	for _, n := range []int{1, 3, 250, 2, 260, 600} {
		happen(t, v, n)
		s, err := v.Checkpoint(t.Context(), checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, s)
		if n == 2 {
			v = vaulttest.Reopen(t, v)
		}
	}
	last := heads[len(heads)-1]
	for i, old := range heads {
		for _, new := range heads[i:] {
			proof, err := v.Consistency(t.Context(), witness, old.Size, new.Size)
			if err != nil || audit.CheckConsistency(proof, old.Head, new.Head) != nil {
				t.Errorf("from %d to %d: %v", old.Size, new.Size, err)
			}
		}
		forged := old.Head
		forged.Root[0]++
		proof, err := v.Consistency(t.Context(), witness, old.Size, last.Size)
		if err != nil || audit.CheckConsistency(proof, forged, last.Head) == nil {
			t.Errorf("another trail of %d events was proven: %v", old.Size, err)
		}
	}
	if _, err := v.Consistency(t.Context(), witness, 5, v.Status().Events+100); !errors.Is(err, audit.ErrNoProof) {
		t.Errorf("a proof for the future: %v", err)
	}
	if got, at := v.LatestCheckpoint(); got.Head != last.Head || time.Since(at) > time.Minute {
		t.Errorf("the last checkpoint is %v of %v", got, at)
	}
	if _, err := audit.OpenCheckpoint(last.Note, v.AuditKeys()); err != nil {
		t.Errorf("under the keys of the store: %v", err)
	}
}

// TestKeeperSigns: a checkpoint each quarter of an hour if there is something
// new, and one at the stop.
func TestKeeperSigns(t *testing.T) {
	key := sealtest.Key(t)
	dir := t.TempDir() + "/store"
	synctest.Test(t, func(t *testing.T) {
		o := vault.Options{Dir: dir, Key: key, MapBytes: 1 << 30}
		v, err := vault.Create(t.Context(), accesstest.System("test"), o)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(16 * time.Minute)
		first, _ := v.LatestCheckpoint()
		if first.Size == 0 {
			t.Error("nothing was signed in a quarter of an hour")
		}
		<-time.After(16 * time.Minute)
		if again, _ := v.LatestCheckpoint(); again.Head != first.Head {
			t.Error("the trail was signed again without anything new")
		}
		happen(t, v, 3)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if v, err = vault.Open(t.Context(), accesstest.System("test"), o); err != nil {
			t.Fatal(err)
		}
		if last, _ := v.LatestCheckpoint(); last.Size != first.Size+4 {
			t.Errorf("the stop signed %d events, after a checkpoint of %d", last.Size, first.Size)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTilesAreACache: they are made again at the next start, whatever became
// of them, and a check sees that they are wrong.
func TestTilesAreACache(t *testing.T) {
	for name, attack := range map[string]func(tx *bolt.Tx) error{
		"dropped":     func(tx *bolt.Tx) error { return tx.DeleteBucket(tilesName) },
		"one missing": func(tx *bolt.Tx) error { return tx.Bucket(tilesName).Delete(rowKey(1)) },
		"flipped":     func(tx *bolt.Tx) error { return flip(tx, tilesName, 0, 400) },
		"swapped":     func(tx *bolt.Tx) error { return swap(tx, tilesName, 0, 1) },
		"one more": func(tx *bolt.Tx) error {
			return tx.Bucket(tilesName).Put(rowKey(2), bytes.Clone(tx.Bucket(tilesName).Get(rowKey(0))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &specimen{options: vault.Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), MapBytes: 1 << 30}}
			s.file = s.options.Dir + "/coffer.db"
			v, err := vault.Create(t.Context(), accesstest.System("test"), s.options)
			if err != nil {
				t.Fatal(err)
			}
			happen(t, v, 600)
			s.close(t, v)
			s.raw(t, attack)
			v = s.open(t)
			defer s.close(t, v)
			if _, err := v.Check(t.Context(), verify); err != nil {
				t.Errorf("check after the tiles were made again: %v", err)
			}
			if page := trailOf(t, v, vault.TrailQuery{Actor: reading.Agent.Name(), Limit: 1000}); len(page.Events) != 600 {
				t.Errorf("found %d events", len(page.Events))
			}
		})
	}
}

func TestCheckpointsAreWatched(t *testing.T) {
	s := newSpecimen(t)
	for name, attack := range map[string]func(tx *bolt.Tx) error{
		"flipped":      func(tx *bolt.Tx) error { return flip(tx, headsName, lastKey(tx, headsName), 60) },
		"last deleted": func(tx *bolt.Tx) error { return tx.Bucket(headsName).Delete(rowKey(lastKey(tx, headsName))) },
		"dropped":      func(tx *bolt.Tx) error { return tx.DeleteBucket(headsName) },
		"added":        func(tx *bolt.Tx) error { return move(tx, headsName, headsName, 0) },
	} {
		s.restore(t)
		s.raw(t, attack)
		if name == "added" {
			s.raw(t, func(tx *bolt.Tx) error {
				return tx.Bucket(headsName).Put(rowKey(lastKey(tx, headsName)+1), bytes.Clone(tx.Bucket(headsName).Get(rowKey(0))))
			})
		}
		if err := s.verdict(t); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("%s: verdict = %v", name, err)
		}
	}
}

// TestClockSteps sets the wall clock by an hour, forward and back: the order
// of events stays, and each step is one event, before what was seen after it.
// (PCI DSS 10.6.)
func TestClockSteps(t *testing.T) {
	wall, elapsed := time.Date(2026, 3, 31, 9, 0, 0, 0, time.UTC), time.Duration(0)
	v := vaulttest.OpenWith(t, vault.Options{Now: func() time.Time { return wall }, Elapsed: func() time.Duration { return elapsed }})
	tick := func(d time.Duration) { wall, elapsed = wall.Add(d), elapsed+d }
	for _, step := range []time.Duration{0, time.Hour, 0, -time.Hour, time.Second, time.Second, time.Second, -3 * time.Hour} {
		tick(10 * time.Minute)
		wall = wall.Add(step)
		happen(t, v, 1)
	}
	page := trailOf(t, v, vault.TrailQuery{})
	slices.Reverse(page.Events)
	var steps []string
	for i, e := range page.Events {
		if e.Seq != uint64(i) {
			t.Errorf("event %d stands at place %d", e.Seq, i)
		}
		if e.Act == string(access.StoreClock) {
			steps = append(steps, e.Details[2].Value)
			if next := page.Events[i+1]; next.Act != string(access.FeeRead) {
				t.Errorf("behind the step is %s", next.Act)
			}
		}
	}
	if want := []string{"+1h0m0s", "-1h0m0s", "+3s", "-3h0m0s"}; !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	if open := page.Events[0]; !slices.ContainsFunc(open.Details, func(d audit.Detail) bool { return d.Key == "sync" && d.Value != "" }) {
		t.Errorf("the opening does not say whether the clock is synchronized: %v", open.Details)
	}
}

// TestEventsHaveWhatPCIAsks names the field for each element of PCI DSS
// 10.2.2.
func TestEventsHaveWhatPCIAsks(t *testing.T) {
	v := vaulttest.Open(t, nil, clients)
	id := client(t)
	key := addClient(t, v, id)
	r := access.Request{Agent: accesstest.Agent(access.FrontDesk, access.Accountant), Action: access.ClientWrite, Entity: access.Client(id), Purpose: access.Payment}
	err := v.Update(t.Context(), r, func(tx *vault.Tx) error {
		row, err := clients.At(tx, key)
		if err != nil {
			return err
		}
		row.Shared.Count++
		return clients.Replace(tx, row)
	})
	if err != nil {
		t.Fatal(err)
	}
	e := trailOf(t, v, vault.TrailQuery{Object: "client", Limit: 1}).Events[0]
	detail := map[string]string{}
	for _, d := range e.Details {
		if _, ok := detail[d.Key]; ok {
			t.Errorf("the detail %s stands twice", d.Key)
		}
		detail[d.Key] = d.Value
	}
	edit, _, _ := strings.Cut(detail["edits"], ":")
	for element, ok := range map[string]bool{
		"user identification":                    e.Actor == r.Agent.Name() && e.Session == r.Agent.SessionID().String(),
		"type of event":                          e.Act == "client.write",
		"date and time":                          time.Since(e.Time) < time.Minute,
		"success and failure":                    e.Outcome == audit.OK,
		"origination of event":                   e.Via == "lan:192.0.2.7",
		"identity of affected data or component": e.Object == "client:"+id.String() && detail["clients"] == id.String(),
		"role (beyond PCI)":                      detail["role"] == "frontdesk,accountant",
		"purpose (beyond PCI)":                   detail["purpose"] == "payment",
		"record before and after (beyond PCI)":   edit == "12/"+fmt.Sprint(key) && len(detail["edits"]) == len("12/1:")+16+1+16,
	} {
		if !ok {
			t.Errorf("%s is not in the event: %+v", element, e)
		}
	}
	leaf := map[string]any{}
	if err := json.Unmarshal(e.AppendLeaf(nil), &leaf); err != nil || len(leaf) != 11 {
		t.Errorf("the leaf is %v, %v", leaf, err)
	}
}

// TestNobodyDeletesEvents: no table can be made over the vault's own buckets,
// and no method takes events away. The events of six years and more stay
// (45 CFR 164.316(b)(2)(i)); PCI DSS 10.5.1 asks for one.
func TestNobodyDeletesEvents(t *testing.T) {
	for _, id := range []uint16{0x01, 0x02, 0xA0, 0xA1, 0xA2} {
		table := vault.NewTable[note, vault.None](vault.Bucket{ID: id, Name: "mine", Scope: vault.Audit, Schema: 1})
		o := vault.Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), Tables: []vault.AnyTable{table}, MapBytes: 1 << 30}
		if v, err := vault.Create(t.Context(), accesstest.System("test"), o); fault.KindOf(err) != fault.Internal {
			t.Errorf("bucket %#x was given to a table: %v", id, errors.Join(err, v.Close()))
		}
	}
	may := []string{"Trail", "ExportTrail", "Checkpoint", "LatestCheckpoint", "Consistency", "AuditKeys", "NoteRestore", "Record"}
	for m := range reflect.TypeFor[*vault.Vault]().Methods() {
		for _, word := range []string{"Audit", "Trail", "Event", "Purge", "Prune", "Delete", "Truncate", "Expire"} {
			if strings.Contains(m.Name, word) && !slices.Contains(may, m.Name) {
				t.Errorf("the vault has the method %s", m.Name)
			}
		}
	}
}

// TestExportVerifies: what leaves the box is verified by what auditors use.
func TestExportVerifies(t *testing.T) {
	v := vaulttest.Open(t, nil, clients)
	if _, err := v.ExportTrail(t.Context(), exporting, new(bytes.Buffer), vault.TrailQuery{}, true); !errors.Is(err, vault.ErrNoCheckpoint) {
		t.Errorf("an export before the first checkpoint: %v", err)
	}
	ada := client(t)
	addClient(t, v, ada)
	happen(t, v, 300)
	first, err := v.Checkpoint(t.Context(), checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	v = vaulttest.Reopen(t, v)
	happen(t, v, 300)
	if _, err = v.Checkpoint(t.Context(), checkpoint); err != nil {
		t.Fatal(err)
	}
	signing, _ := v.AuditKeys().Fingerprints()
	trust := audit.Trust{Keys: []string{signing}, Against: first.Note}
	for _, c := range []struct {
		name                  string
		q                     vault.TrailQuery
		openings              bool
		wantShown, wantOpened uint64
	}{
		{name: "all", openings: true, wantShown: 605, wantOpened: 605},
		{name: "redacted", wantShown: 605},
		{name: "one client", q: vault.TrailQuery{Client: ada}, openings: true, wantShown: 1, wantOpened: 1},
	} {
		var b bytes.Buffer
		head, err := v.ExportTrail(t.Context(), exporting, &b, c.q, c.openings)
		if err != nil {
			t.Fatal(err)
		}
		text := b.String()
		r, err := audit.VerifyExport(&b, trust)
		if err != nil || len(r.Findings) != 0 || !r.Against || r.Last.Head != head {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
		if r.Events-r.Withheld != c.wantShown || r.Opened != c.wantOpened {
			t.Errorf("%s: %d of %d events shown, %d opened", c.name, r.Events-r.Withheld, r.Events, r.Opened)
		}
		if strings.Contains(text, "Ada Example") || !c.openings && strings.Contains(text, ada.String()) {
			t.Errorf("%s: the export names the client", c.name)
		}
	}
}

// TestRestoreIsOnRecord: a store that was put back says so, with both heads,
// and the old head is the beginning of the new trail.
func TestRestoreIsOnRecord(t *testing.T) {
	v := vaulttest.Open(t, nil, clients)
	happen(t, v, 300)
	status := v.Status()
	backup := audit.Head{Size: status.Events, Root: status.Root}
	v = vaulttest.Reopen(t, v) // stands for the restored one
	last := audit.Head{Size: 1000, Root: audit.LeafHash(nil)}
	if err := v.NoteRestore(t.Context(), restoring, audit.Head{Size: backup.Size, Root: last.Root}, last); !errors.Is(err, vault.ErrAuditFork) {
		t.Errorf("the backup of another trail: %v", err)
	}
	if err := v.NoteRestore(t.Context(), restoring, audit.Head{Size: 1 << 40, Root: last.Root}, last); !errors.Is(err, vault.ErrAuditTruncated) {
		t.Errorf("the backup of a longer trail: %v", err)
	}
	if err := v.NoteRestore(t.Context(), restoring, backup, last); err != nil {
		t.Fatal(err)
	}
	page := trailOf(t, v, vault.TrailQuery{Act: "store.restore", Outcome: audit.OK})
	if len(page.Events) != 1 {
		t.Fatalf("%d events", len(page.Events))
	}
	for _, want := range []audit.Detail{{Key: "backup.size", Value: fmt.Sprint(backup.Size)}, {Key: "backup.root", Value: backup.Root.SafeString()},
		{Key: "last.size", Value: "1000"}, {Key: "last.root", Value: last.Root.SafeString()}} {
		if !slices.Contains(page.Events[0].Details, want) {
			t.Errorf("the event has not %v: %v", want, page.Events[0].Details)
		}
	}
	proof, err := v.Consistency(t.Context(), witness, backup.Size, page.Head.Size)
	if err != nil || audit.CheckConsistency(proof, backup, page.Head) != nil {
		t.Errorf("the backup's head is not the beginning: %v", err)
	}
}
