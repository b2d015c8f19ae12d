package identity

import (
	"net/url"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// rfcSecret is the key of the test values of RFC 6238, appendix B.
var rfcSecret = []byte("12345678901234567890")

func TestCodesOfTheStandard(t *testing.T) {
	text := secretEncoding.EncodeToString(rfcSecret)
	for unix, want := range map[int64]string{ // the last six of the eight digits there
		59: "287082", 1111111109: "081804", 1111111111: "050471",
		1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		got, err := Code(text, time.Unix(unix, 0))
		if err != nil || got != want {
			t.Errorf("at %d: %q, %v, want %q", unix, got, err, want)
		}
		if step, ok := codeStep(rfcSecret, want, time.Unix(unix, 0), -1); !ok || step != unix/30 {
			t.Errorf("at %d the code is taken for step %d, %v", unix, step, ok)
		}
	}
}

func TestCodeWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), secretBytes, secretBytes).Draw(t, "secret")
		now := time.Unix(rapid.Int64Range(1_700_000_000, 2_000_000_000).Draw(t, "now"), 0)
		off := rapid.IntRange(-4, 4).Draw(t, "steps off")
		last := now.Unix()/stepSeconds + rapid.Int64Range(-3, 3).Draw(t, "last used")
		code, err := Code(secretEncoding.EncodeToString(secret), now.Add(time.Duration(off)*stepSeconds*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		step, ok := codeStep(secret, code, now, last)
		want := now.Unix()/stepSeconds + int64(off)
		near := off >= -stepsOff && off <= stepsOff
		if near && want > last && (!ok || step > want) {
			t.Fatalf("a good code %d steps off is refused", off)
		}
		if ok && step <= last {
			t.Fatalf("step %d is accepted after step %d", step, last)
		}
		if ok {
			if _, again := codeStep(secret, code, now, want); again && near {
				t.Fatalf("the same code is accepted twice")
			}
		}
	})
}

func TestCodeRefuses(t *testing.T) {
	now := time.Unix(59, 0)
	for _, code := range []string{"", "28708", "2870822", "28708２", "abcdef", "-87082", "287083"} {
		if _, ok := codeStep(rfcSecret, code, now, -1); ok {
			t.Errorf("code %q is accepted", code)
		}
	}
	if _, ok := codeStep(rfcSecret, "287 082", now, -1); !ok {
		t.Error("a code with a space in it is refused")
	}
	if _, err := Code("not base32!", now); err == nil {
		t.Error("a secret that is not base32 gives a code")
	}
}

func TestEnrolment(t *testing.T) {
	e := enrolment("maya.okafor", rfcSecret)
	u, err := url.Parse(e.URL)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Coffer:maya.okafor" {
		t.Errorf("URL %q: %v", e.URL, err)
	}
	if u.Query().Get("secret") != e.Secret || u.Query().Get("issuer") != "Coffer" {
		t.Errorf("URL %q does not hold secret %q", e.URL, e.Secret)
	}
}
