package recovery_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/recovery"

	"pgregory.net/rapid"
)

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// same reports whether two seeds are one, by what they print on paper.
func same(a, b *recovery.Seed) bool { return a.Text() == b.Text() }

func TestTextOfASeed(t *testing.T) {
	s := recovery.New()
	text := s.Text()
	if len(text) != 75 || len(s.Groups()) != 10 || strings.Join(s.Groups(), "-") != text {
		t.Fatalf("%d characters, %d groups", len(text), len(s.Groups()))
	}
	for _, typed := range []string{
		text, strings.ToLower(text), strings.ReplaceAll(text, "-", " "), strings.ReplaceAll(text, "-", ""),
		"  " + strings.ReplaceAll(text, "-", "\r\n") + "\n", strings.ReplaceAll(text, "0", "O"),
		strings.ReplaceAll(text, "1", "l"), strings.ReplaceAll(text, "1", "I"), strings.ReplaceAll(text, "-", "\u2013"),
		strings.Join(strings.Split(text, ""), " "),
	} {
		got, err := recovery.Parse(typed)
		if err != nil || !same(got, s) {
			t.Fatalf("%q: %v", typed, err)
		}
	}
}

// TestVector pins the text form, the shares' arithmetic and the key pair, made
// by another program: a sheet printed today opens in ten years.
func TestVector(t *testing.T) {
	const (
		text        = "000G40R-R40M30F-E20918C-5GR38E1-1W81245-GK2GAH4-C5RR34E-D1P70X4-3RFHHAV-9KY"
		first       = "120410M-61050CQ-5H66RVF-4CNK6C1-TB8DDN3-PMVBCD6-HPQ4WVQ-KE1RQC1-XKNEHXH-QPYKSFB-1RV32HM"
		third       = "320410G-61050MW-FK2AS5Z-DXRNPH3-EFT7XZZ-BVX1QE2-2SZ2MG1-KTTANR3-7YTK54A-0KJMF9S-GDCZBJ1"
		fingerprint = "c2ab92b2aa965d69880bfb36d2ba579be714c28d28f691e39ca3c31a1a503432"
	)
	s, err := recovery.Parse(text)
	if err != nil || s.Text() != text {
		t.Fatal(err)
	}
	joined, err := recovery.Read(first, third)
	if err != nil || joined.Text() != text {
		t.Fatal(err)
	}
	if fp := s.Public().Fingerprint(); fmt.Sprintf("%x", fp) != fingerprint {
		t.Fatalf("the key pair is another: %x", fp)
	}
}

// typo changes one place of a text, in group g counted from 0.
func typo(t *rapid.T, text string) (changed string, group int) {
	groups := strings.Split(text, "-")
	g := rapid.IntRange(0, len(groups)-1).Draw(t, "group")
	b := []byte(groups[g])
	at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
	if rapid.Bool().Draw(t, "swap") && at > 0 && b[at] != b[at-1] {
		b[at], b[at-1] = b[at-1], b[at]
	} else {
		was := b[at]
		b[at] = rapid.SampledFrom([]byte(alphabet+"U*")).Filter(func(c byte) bool { return c != was }).Draw(t, "instead")
	}
	groups[g] = string(b)
	return strings.Join(groups, rapid.SampledFrom([]string{"-", " ", ""}).Draw(t, "separator")), g + 1
}

func TestEveryTypoNamesItsGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := recovery.New()
		shares, err := s.Split(2, 3)
		if err != nil {
			t.Fatal(err)
		}
		text, group := typo(t, s.Text())
		_, err = recovery.Parse(text)
		named(t, err, group, 1)
		text, group = typo(t, shares[1].Text())
		_, err = recovery.ParseShare(text)
		named(t, err, group, 1)
		_, err = recovery.Read("", shares[0].Text(), text)
		named(t, err, group, 3)
	})
}

// TestMissingAndSurplusCharacters: where the groups are separated, the group
// with a character too few or too many is named.
func TestMissingAndSurplusCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := recovery.New()
		groups := s.Groups()
		g := rapid.IntRange(0, len(groups)-1).Draw(t, "group")
		if rapid.Bool().Draw(t, "less") {
			groups[g] = groups[g][1:]
		} else {
			groups[g] += "0"
		}
		_, err := recovery.Parse(strings.Join(groups, " "))
		named(t, err, g+1, 1)
		_, err = recovery.Parse(strings.Join(s.Groups()[:g], " "))
		if g == 0 {
			is(t, err, recovery.ErrNoText)
			return
		}
		named(t, err, g+1, 1)
	})
}

func TestGroupsInAnotherOrderAreTypos(t *testing.T) {
	groups := recovery.New().Groups()
	groups[2], groups[5] = groups[5], groups[2]
	_, err := recovery.Parse(strings.Join(groups, "-"))
	named(t, err, 3, 1)
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// named fails unless err names the group and the sheet.
func named(t failer, err error, group, sheet int) {
	t.Helper()
	var typo *recovery.TypoError
	if !errors.As(err, &typo) || typo.Group != group || typo.Sheet != sheet {
		t.Fatalf("%v; want group %d of sheet %d", err, group, sheet)
	}
	is(t, err, recovery.ErrTypo)
	if want := fmt.Sprintf("Group %d of sheet %d ", group, sheet); !strings.HasPrefix(err.Error(), want) || fault.Message(err) != err.Error() {
		t.Fatalf("%q", err)
	}
}

// is fails unless err is want, of want's kind.
func is(t failer, err error, want *fault.Error) {
	t.Helper()
	if !errors.Is(err, want) || fault.KindOf(err) != fault.Invalid {
		t.Fatalf("%v; want %v", err, want)
	}
}

func TestSharesGiveTheSeedBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := recovery.New()
		of := rapid.IntRange(2, 16).Draw(t, "of")
		need := rapid.IntRange(2, of).Draw(t, "need")
		shares, err := s.Split(need, of)
		if err != nil || len(shares) != of {
			t.Fatalf("%d shares, %v", len(shares), err)
		}
		var texts []string
		for i, x := range shares {
			if x.Number() != i+1 || len(x.Text()) != 87 || x.Text()[0] != alphabet[i+1] {
				t.Fatalf("share %d: %d", i, x.Number())
			}
			texts = append(texts, x.Text())
		}
		texts = rapid.Permutation(texts).Draw(t, "order")
		got, err := recovery.Read(texts[:rapid.IntRange(need, of).Draw(t, "given")]...)
		if err != nil || !same(got, s) {
			t.Fatalf("%v", err)
		}
		few := texts[:need-1]
		_, err = recovery.Read(append(few, few[0])...)
		is(t, err, recovery.ErrFewShares)
		if want := fmt.Sprintf("needs %d different shares and %d were given", need, need-1); !strings.Contains(err.Error(), want) {
			t.Fatalf("%q", err)
		}
	})
}

// TestOneShareTellsNothing: for each value of a share of two, some other share
// makes it any seed; seen from outside, a share of one seed and a share of
// another are drawn alike. Here: the first byte's share takes all values.
func TestOneShareTellsNothing(t *testing.T) {
	s, seen := recovery.New(), map[string]bool{}
	for range 4000 {
		shares, err := s.Split(2, 2)
		if err != nil {
			t.Fatal(err)
		}
		seen[shares[0].Groups()[1][4:6]] = true // within the first bytes of the share
	}
	if len(seen) < 900 {
		t.Fatalf("%d of 1024 values", len(seen))
	}
}

func TestSharesThatDoNotBelongTogether(t *testing.T) {
	s := recovery.New()
	a, err := s.Split(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Split(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	_, err = recovery.Read(a[0].Text(), b[1].Text())
	is(t, err, recovery.ErrMixedShares)
	_, err = recovery.Read(a[0].Text(), s.Text())
	is(t, err, recovery.ErrIsSeed)
	_, err = recovery.Read(s.Text(), s.Text())
	is(t, err, recovery.ErrIsSeed)
	_, err = recovery.Parse(a[0].Text())
	is(t, err, recovery.ErrIsShare)
	_, err = recovery.ParseShare(s.Text())
	is(t, err, recovery.ErrIsSeed)
	for _, none := range [][]string{nil, {""}, {" - ", "\n"}} {
		_, err = recovery.Read(none...)
		is(t, err, recovery.ErrNoText)
	}
	_, err = recovery.ParseShare(" ")
	is(t, err, recovery.ErrNoText)
}

func TestFalseShareIsSeenByOneMore(t *testing.T) {
	s := recovery.New()
	shares, err := s.Split(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, given := range [][]recovery.Share{
		{shares[0], shares[1], recovery.Forged(shares[2])},
		{recovery.Forged(shares[0]), shares[1], shares[2]},
		{shares[0], recovery.Forged(shares[0]), shares[1]}, // one number, two shares
	} {
		_, err := recovery.Join(given...)
		is(t, err, recovery.ErrFalseShare)
	}
	got, err := recovery.Join(shares[0], recovery.Forged(shares[1]))
	if err != nil || same(got, s) {
		t.Fatal("a forged share gives the seed", err)
	}
}

func TestSplittingsThatCannotBe(t *testing.T) {
	for _, n := range [][2]int{{1, 3}, {0, 0}, {3, 2}, {2, 17}, {-1, 5}} {
		_, err := recovery.New().Split(n[0], n[1])
		is(t, err, recovery.ErrSplit)
	}
}

// TestWrongAsAWhole: each group is right, the check bytes are not.
func TestWrongAsAWhole(t *testing.T) {
	a, b := recovery.New().Groups(), recovery.New().Groups()
	mixed := append(append([]string{}, a[:5]...), b[5:]...)
	_, err := recovery.Parse(strings.Join(mixed, "-"))
	is(t, err, recovery.ErrText)
	shares, err := recovery.New().Split(2, 2)
	if err != nil {
		t.Fatal(err)
	}
	mixed = append(append([]string{}, shares[0].Groups()[:5]...), shares[1].Groups()[5:]...)
	_, err = recovery.ParseShare(strings.Join(mixed, "-"))
	is(t, err, recovery.ErrText)
}

func TestSealedForOneUseOnly(t *testing.T) {
	s, plain := recovery.New(), []byte("thirty-two bytes of a root key..")
	p, err := recovery.ParsePublic(s.Public().Bytes())
	if err != nil || p != s.Public() || p.Fingerprint() != s.Public().Fingerprint() || p.IsZero() {
		t.Fatal(err)
	}
	sealed, err := p.Seal("info", []byte("aad"), plain)
	if err != nil || len(sealed) != len(plain)+1169 {
		t.Fatal(len(sealed), err)
	}
	got, err := s.Open("info", []byte("aad"), sealed)
	if err != nil || string(got) != string(plain) {
		t.Fatal(err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"other seed": func() ([]byte, error) { return recovery.New().Open("info", []byte("aad"), sealed) },
		"other info": func() ([]byte, error) { return s.Open("infO", []byte("aad"), sealed) },
		"other aad":  func() ([]byte, error) { return s.Open("info", nil, sealed) },
		"truncated":  func() ([]byte, error) { return s.Open("info", []byte("aad"), sealed[:len(sealed)-1]) },
		"no text":    func() ([]byte, error) { return s.Open("info", []byte("aad"), sealed[:1153]) },
		"empty":      func() ([]byte, error) { return s.Open("info", []byte("aad"), nil) },
	} {
		if _, err := open(); !errors.Is(err, recovery.ErrWrongSeed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range sealed {
		changed := append([]byte{}, sealed...)
		changed[i] ^= 1 << (i % 8)
		if _, err := s.Open("info", []byte("aad"), changed); !errors.Is(err, recovery.ErrWrongSeed) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

func TestPublicHalvesThatAreNone(t *testing.T) {
	var zero recovery.Public
	if !zero.IsZero() || len(zero.Bytes()) != 0 {
		t.Fatal("the zero value is something")
	}
	_, err := zero.Seal("", nil, nil)
	is(t, err, recovery.ErrPublic)
	b := recovery.New().Public().Bytes()
	b[len(b)-1] ^= 1 // no point of the curve
	for _, b := range [][]byte{nil, b, b[:len(b)-1], append(b, 0)} {
		_, err := recovery.ParsePublic(b)
		is(t, err, recovery.ErrPublic)
	}
}

func TestSecretsPrintAsConstants(t *testing.T) {
	s := recovery.New()
	shares, err := s.Split(2, 2)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "seed", s, "share", shares[0])
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%+v %#v %s", s, s, s), fmt.Sprint(shares[0]), fmt.Sprintf("%+v %#v", shares[0], shares), log.String(),
	} {
		if !strings.Contains(text, "recovery.S") || strings.Contains(text, "0x") || strings.Contains(text, "[") && !strings.Contains(text, "Share{") {
			t.Errorf("%q", text)
		}
	}
	s.Wipe()
	if s.Text() != new(recovery.Seed).Text() {
		t.Fatal("not wiped")
	}
}

// fipsEnv tells this test binary that it is the child in FIPS mode.
const fipsEnv = "COFFER_RECOVERY_FIPS"

// TestInFIPSMode runs the whole of it where Go refuses every algorithm that
// FIPS 140-3 does not approve.
func TestInFIPSMode(t *testing.T) {
	if os.Getenv(fipsEnv) != "" {
		t.Log("this is the child")
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=Seal|Share|Text|Wrong", "-rapid.checks=5")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", fipsEnv+"=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Fatalf("%v\n%s", err, out)
	}
}
