package seal_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

func TestAnchorCountsAndIsOurs(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{})
	a, first := seal.NewAnchor(device, k), anchorValue(t, device, k)
	for i := range uint64(3) {
		if v := anchorValue(t, device, k); v != first+i {
			t.Fatalf("%d; first %d, step %d", v, first, i)
		}
		if err := a.Advance(t.Context()); err != nil {
			t.Fatal(err, seal.Detail(err))
		}
	}
	restarted := unsealed(t, device, header, seal.Proof{}, k)
	if anchorValue(t, device, restarted) != first+3 {
		t.Fatal("another anchor")
	}
	if seal.AnchorIndex(k) == 0 {
		t.Fatal("no index")
	}
	failing := func(want *fault.Error) {
		t.Helper()
		if _, err := a.Value(t.Context()); !isFault(err, want) {
			t.Fatal(err, seal.Detail(err))
		}
		if err := a.Advance(t.Context()); !isFault(err, want) {
			t.Fatal(err, seal.Detail(err))
		}
	}
	owner(t, func(o seal.Owner) error { return o.RemoveCounter(seal.AnchorIndex(k)) })
	failing(seal.ErrCounterMissing)
	for _, sameName := range []bool{true, false} {
		owner(t, func(o seal.Owner) error { return o.MakeCounter(seal.AnchorIndex(k), sameName) })
		failing(seal.ErrCounterForged)
		owner(t, func(o seal.Owner) error { return o.RemoveCounter(seal.AnchorIndex(k)) })
	}
	owner(t, seal.Owner.Clear)
	failing(seal.ErrOtherTPM)
	a = seal.NewAnchor(filepath.Join(t.TempDir(), "none"), k)
	failing(seal.ErrNoTPM)
}

// TestAnchorBesideOtherUses: a software TPM serves one connection at a time.
func TestAnchorBesideOtherUses(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{})
	first, attestor := anchorValue(t, device, k), seal.NewAttestor(device, k)
	const users, rounds = 12, 4
	errs := make([]error, users)
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() {
			own := seal.NewAnchor(device, k)
			for range rounds {
				_, valueErr := own.Value(t.Context())
				_, _, quoteErr := attestor.Quote(t.Context(), [32]byte{byte(i)})
				_, inspectErr := seal.Inspect(t.Context(), device, header)
				errs[i] = errors.Join(errs[i], own.Advance(t.Context()), valueErr, quoteErr, inspectErr)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	if v := anchorValue(t, device, k); v != first+users*rounds {
		t.Fatalf("%d after %d", v, first)
	}
}

// TestFlippedAnswersOfAnchorAndQuote: a changed answer is an error, or tells
// the truth.
func TestFlippedAnswersOfAnchorAndQuote(t *testing.T) {
	_, k := sheeted(t, sealtest.TPM(t), seal.Setup{})
	b, device := tap(t, sealtest.TPM(t))
	a, attestor := seal.NewAnchor(device, k), seal.NewAttestor(device, k)
	for name, act := range map[string]func(truth uint64) error{
		"value": func(truth uint64) error {
			v, err := a.Value(t.Context())
			if err == nil && v != truth {
				t.Errorf("value %d; is %d", v, truth)
			}
			return err
		},
		"advance": func(truth uint64) error {
			err := a.Advance(t.Context())
			if v := anchorValue(t, sealtest.TPM(t), k); err == nil && v != truth+1 {
				t.Errorf("advanced from %d to %d", truth, v)
			}
			return err
		},
		"quote": func(uint64) error {
			attest, sig, err := attestor.Quote(t.Context(), [32]byte{1})
			if err == nil {
				verified(t, attestor.Public(), attest, sig, [32]byte{1})
			}
			return err
		},
	} {
		b.reset(nil)
		if err := act(anchorValue(t, sealtest.TPM(t), k)); err != nil {
			t.Fatal(name, err, seal.Detail(err))
		}
		refused := 0
		for n := 1; n <= b.answers(); n++ {
			for _, at := range []int{7, 9, 12, 20, -30, -20, -1} {
				b.reset(func(i int, answer []byte) []byte {
					p := at
					if p < 0 {
						p += len(answer)
					}
					if i == n && p >= 0 && p < len(answer) {
						answer[p] ^= 4
					}
					return answer
				})
				if err := act(anchorValue(t, sealtest.TPM(t), k)); err != nil {
					if refused++; fault.KindOf(err) != fault.Sealed {
						t.Fatal(name, err)
					}
				}
				b.reset(nil)
			}
			if err := act(anchorValue(t, sealtest.TPM(t), k)); err != nil { // to count the answers again
				t.Fatal(name, err, seal.Detail(err))
			}
		}
		if refused < 5 {
			t.Errorf("%s: %d changes were refused", name, refused)
		}
	}
}

// TestBusHearsNoAuthorization listens to the whole life of a store.
func TestBusHearsNoAuthorization(t *testing.T) {
	real := sealtest.TPM(t)
	b, device := tap(t, real)
	header, k := sheeted(t, device, seal.Setup{PIN: pin})
	secrets := map[string][]byte{"first root": append([]byte{}, seal.Root(k)...)}
	know := func(of string, k *seal.Key) {
		for _, auth := range seal.AuthValues(k) {
			secrets[of+auth] = []byte(auth)
		}
	}
	know("provision ", k)
	a := seal.NewAnchor(device, k)
	if _, err := a.Value(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := seal.NewAttestor(device, k).Quote(t.Context(), [32]byte{}); err != nil {
		t.Fatal(err)
	}
	next := begun(t, device, header, seal.Proof{Key: k})
	secrets["next root"] = append([]byte{}, seal.Root(next)...)
	ended(t, device, header, seal.Proof{Key: k})
	again, err := seal.Recover(t.Context(), device, header, sheet(1), seal.Setup{Now: now, PIN: pin})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	t.Cleanup(again.Wipe)
	know("recover ", again)
	if len(secrets) < 8 || !b.contains(seal.NewAttestor(device, again).Public()[27:27+32]) {
		t.Fatalf("%d secrets; heard less than there was", len(secrets))
	}
	for name, secret := range secrets {
		if len(secret) < 32 || b.contains(secret) {
			t.Errorf("%.12s: %d bytes on the bus", name, len(secret))
		}
	}
}
