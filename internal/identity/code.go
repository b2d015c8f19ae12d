package identity

import (
	"encoding/base32"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"coffer/internal/fault"
)

// The second factor: RFC 6238 with the parameters that every authenticator
// knows (SHA-1, six digits, steps of 30 seconds).
const (
	secretBytes = 20
	stepSeconds = 30
	stepsOff    = 1 // how far the person's clock may be away
)

var codeForm = hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

var secretEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Enrolment is what goes into a person's authenticator, once.
type Enrolment struct {
	Secret string // base32, to type
	URL    string // otpauth://, to scan
}

func enrolment(name string, secret []byte) Enrolment {
	s := secretEncoding.EncodeToString(secret)
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/Coffer:" + name,
		RawQuery: url.Values{"secret": {s}, "issuer": {"Coffer"}}.Encode()}
	return Enrolment{Secret: s, URL: u.String()}
}

// Code returns the six digits that an authenticator shows at an instant.
func Code(secret string, at time.Time) (string, error) {
	code, err := hotp.GenerateCodeCustom(secret, uint64(at.Unix()/stepSeconds), codeForm)
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "The secret of the second factor is not base32. Enrol it again.")
	}
	return code, nil
}

// codeStep returns the step whose code this is, if it is one near now and
// after the step last used. A code that was used, or one before it, is wrong.
func codeStep(secret []byte, code string, now time.Time, last int64) (int64, bool) {
	code = strings.Map(func(r rune) rune {
		if r == ' ' {
			return -1
		}
		return r
	}, code)
	current, found := now.Unix()/stepSeconds, int64(-1)
	text := secretEncoding.EncodeToString(secret)
	for step := current - stepsOff; step <= current+stepsOff; step++ {
		ok, err := hotp.ValidateCustom(code, uint64(step), text, codeForm)
		if err == nil && ok && step > last && found < 0 {
			found = step
		}
	}
	return found, found >= 0
}
