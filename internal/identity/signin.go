package identity

import (
	"context"
	"errors"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// SignInForm is what somebody typed to sign in.
type SignInForm struct {
	Name     string // in any case, spaces around it ignored
	Password string
	Code     string // six digits, spaces ignored
}

// credential is how a member of staff proves to be that person.
type credential struct {
	Staff    ident.ID[ident.Staff] `cbor:"1,keyasint"`
	Password string                `cbor:"2,keyasint"` // PHC string
	Secret   []byte                `cbor:"3,keyasint"` // of the second factor
	LastStep int64                 `cbor:"4,keyasint"` // whose code was used last
	Throttle throttle              `cbor:"5,keyasint"`
}

type credentialRow = vault.Row[credential, vault.None]

var credentials = vault.NewTable(vault.BucketCredentials,
	vault.NewIndex("staff", func(r credentialRow) []string { return []string{string(r.Shared.Staff[:])} }))

// formMax is the greatest length in bytes of a form's field that is looked at.
const formMax = 4 * PasswordMax

// attempt is one try to sign in.
type attempt struct {
	form   SignInForm // name folded
	origin access.Origin
	staff  ident.ID[ident.Staff] // zero if nobody has the name
	right  bool                  // the password is
	old    bool                  // the stored hash was made with other costs than new ones are
}

// entity returns whom the attempt is about.
func (a attempt) entity() access.Entity {
	if a.staff.IsZero() {
		return access.None
	}
	return access.Staff(a.staff)
}

// outcome says, in the audit trail, how an attempt ended.
type outcome string

// SafeString returns the outcome's word.
func (o outcome) SafeString() string { return string(o) }

const (
	outcomeOK       outcome = "ok"
	outcomeName     outcome = "unknown_name"
	outcomePassword outcome = "wrong_password"
	outcomeCode     outcome = "wrong_code"
	outcomeSlow     outcome = "delayed"
	outcomeLocked   outcome = "locked"
	outcomeDefect   outcome = "defect"
)

// counts reports whether an attempt that ended so makes the next one wait.
func (o outcome) counts() bool {
	switch o {
	case outcomeName, outcomePassword, outcomeCode:
		return true
	}
	return false
}

// SignIn opens a session for the person whose name, password and code these
// are, ends the session that the person had, and returns the value of the
// cookie: 32 random bytes in base64url. Every attempt is an event. Whoever
// hangs up once the password was compared has made the attempt all the same.
// It returns ErrWrong, ErrSlow or ErrLocked.
func (i *Identity) SignIn(ctx context.Context, form SignInForm, origin access.Origin) (cookie string, err error) {
	if err := i.load(ctx); err != nil {
		return "", err
	}
	form.Name = strings.ToLower(strings.TrimSpace(form.Name))
	if len(form.Name) > formMax || len(form.Password) > formMax || len(form.Code) > formMax {
		form = SignInForm{}
	}
	a := attempt{form: form, origin: origin}
	if err := i.prove(ctx, &a); err != nil {
		return "", err
	}
	if cookie, err = i.conclude(ctx, a); err == nil && a.old {
		i.rehash(ctx, a)
	}
	return cookie, err
}

// rehash stores a hash of today's costs for somebody who has just signed in:
// not before, since the time it takes would tell that the password was right.
// If it cannot, the next sign-in tries again.
func (i *Identity) rehash(ctx context.Context, a attempt) {
	fresh, err := i.newHash(ctx, a.form.Password)
	if err == nil {
		err = i.vault.Update(ctx, i.request(access.CredentialWrite, a.entity()), func(tx *vault.Tx) error {
			row, err := credentialOf(tx, a.staff)
			if err != nil {
				return err
			}
			row.Shared.Password = fresh
			return credentials.Replace(tx, row)
		})
	}
	if err != nil {
		i.log.WarnContext(ctx, "a password hash could not be made anew", "staff", a.staff.String(), "kind", fault.KindOf(err).String())
	}
}

// prove looks the name up and compares the password, outside of any
// transaction that others would wait for. For a name that nobody has it does
// the same work.
func (i *Identity) prove(ctx context.Context, a *attempt) error {
	var stored credential
	var now time.Time
	err := i.vault.View(ctx, i.request(access.CredentialRead, access.None), func(tx *vault.Tx) error {
		now = tx.Now()
		row, ok, err := people.First(tx, "name", a.form.Name)
		if err != nil || !ok {
			return err
		}
		a.staff = row.Shared.ID
		c, err := credentialOf(tx, a.staff)
		stored = c.Shared
		return err
	})
	if err != nil {
		return err
	}
	waiting := stored.Throttle
	if a.staff.IsZero() {
		waiting = i.stranger(a.form.Name)
	}
	if waiting.refusal(now) != nil {
		return nil // conclude says so, and costs nothing
	}
	a.old = i.outdated(stored.Password)
	a.right, err = i.matches(ctx, stored.Password, a.form.Password)
	return err
}

// conclude decides the attempt in one commit with its event and, if all is
// right, the new session. A failure is an event that changes nothing, and then
// counts in a commit of its own; changing keeps any other attempt from being
// decided in between.
func (i *Identity) conclude(ctx context.Context, a attempt) (string, error) {
	ctx = context.WithoutCancel(ctx) // nobody guesses for free by hanging up
	i.changing.Lock()
	defer i.changing.Unlock()
	var opened opening
	var how outcome
	err := i.vault.Update(ctx, i.request(access.SignIn, a.entity()), func(tx *vault.Tx) error {
		var err error
		how, err = i.decide(tx, a)
		tx.Detail("result", how)
		tx.Detail("from", fault.Code(a.origin.Via+":"+a.origin.Address))
		if err != nil {
			return err
		}
		opened, err = open(tx, a.staff)
		return err
	})
	if err != nil {
		if how.counts() {
			err = errors.Join(err, i.countFailure(ctx, a))
		}
		return "", err
	}
	i.forget(opened.ended...)
	i.remember(opened.session)
	return opened.cookie, i.recordEnded(ctx, opened.endedIDs)
}

// recordEnded gives each session that the new one ended an event of its own.
// The event of the sign-in names them already, in the same commit.
func (i *Identity) recordEnded(ctx context.Context, ended []ident.ID[ident.Session]) error {
	for _, id := range ended {
		r := i.request(access.SessionClose, access.Of(access.KindSession, id))
		why := audit.Detail{Key: "why", Value: endedSuperseded.SafeString()}
		if err := i.vault.Record(ctx, r, audit.OK, why); err != nil {
			return err
		}
	}
	return nil
}

// decide looks at an attempt inside the transaction, so that of two attempts
// with one code only one can succeed, and none slips past the count.
func (i *Identity) decide(tx *vault.Tx, a attempt) (outcome, error) {
	if a.staff.IsZero() {
		if no := i.stranger(a.form.Name).refusal(tx.Now()); no != nil {
			return waitOutcome(no), no
		}
		return outcomeName, ErrWrong
	}
	row, err := credentialOf(tx, a.staff)
	if err != nil {
		return outcomeDefect, err
	}
	c := &row.Shared
	if no := c.Throttle.refusal(tx.Now()); no != nil {
		return waitOutcome(no), no
	}
	step, codeRight := codeStep(c.Secret, a.form.Code, tx.Now(), c.LastStep)
	switch {
	case !a.right:
		return outcomePassword, ErrWrong
	case !codeRight:
		return outcomeCode, ErrWrong
	}
	c.Throttle, c.LastStep = throttle{}, step
	return outcomeOK, credentials.Replace(tx, row)
}

// countFailure makes the next attempt with the name wait. A name that nobody
// has costs a commit as well.
func (i *Identity) countFailure(ctx context.Context, a attempt) error {
	return i.vault.Update(ctx, i.request(access.CredentialWrite, a.entity()), func(tx *vault.Tx) error {
		if a.staff.IsZero() {
			i.strangerFailed(a.form.Name, tx.Now())
			return nil
		}
		row, err := credentialOf(tx, a.staff)
		if err != nil {
			return err
		}
		row.Shared.Throttle = row.Shared.Throttle.failed(tx.Now())
		tx.Detail("failures", fault.Int(row.Shared.Throttle.Failures))
		return credentials.Replace(tx, row)
	})
}

func waitOutcome(no *fault.Error) outcome {
	if no == ErrLocked {
		return outcomeLocked
	}
	return outcomeSlow
}

func credentialOf(tx *vault.Tx, staff ident.ID[ident.Staff]) (credentialRow, error) {
	row, ok, err := credentials.First(tx, "staff", string(staff[:]))
	if err == nil && !ok {
		err = ErrNoStaff
	}
	return row, err
}
