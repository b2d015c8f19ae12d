package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ops"
	"coffer/internal/pan"
)

// Person is a member of staff who signs in at the console for one act that
// IT may not do.
type Person struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Code     string `json:"code"`
}

// None is the body of a question that has nothing to say.
type None struct{}

// SheetAsked asks for a recovery sheet: by the present one, by the owner who
// signs in, or with nothing while none is in force.
type SheetAsked struct {
	Form   ops.Form `json:"form"`
	Papers []string `json:"papers,omitempty"`
	As     *Person  `json:"as,omitempty"`
}

// SheetTyped is what was typed back of a sheet.
type SheetTyped struct {
	ID      string   `json:"id"`
	Answers []string `json:"answers"`
	PIN     string   `json:"pin,omitempty"`
}

// SheetShown is a recovery sheet that is shown as a proof.
type SheetShown struct {
	Papers []string `json:"papers"`
	PIN    string   `json:"pin,omitempty"`    // the new one
	NoPIN  bool     `json:"no_pin,omitempty"` // none, though the present seal has one
	Reason string   `json:"reason,omitempty"`
}

// ReasonGiven carries why something is done.
type ReasonGiven struct {
	Reason string `json:"reason"`
}

// PINGiven carries the present PIN, empty when there is none.
type PINGiven struct {
	PIN string `json:"pin,omitempty"`
}

// RotationAsked asks for a new root key, and for new data keys with Data.
type RotationAsked struct {
	PIN  string `json:"pin,omitempty"`
	Data bool   `json:"data,omitempty"`
}

// BackupAsked names a target, a backup and a level; each may be empty.
type BackupAsked struct {
	Target string `json:"target,omitempty"`
	Name   string `json:"name,omitempty"`
	Level  int    `json:"level,omitempty"`
}

// TailAsked narrows what IT sees of the audit trail.
type TailAsked struct {
	Limit  int    `json:"limit,omitempty"`
	Before uint64 `json:"before,omitempty"`
}

// ExportAsked asks for an export, as the privacy officer.
type ExportAsked struct {
	Openings bool   `json:"openings,omitempty"`
	Plain    bool   `json:"plain,omitempty"`
	Reason   string `json:"reason,omitempty"`
	As       Person `json:"as"`
}

// RetirementAsked asks for the end of the store on this box, as the owner.
type RetirementAsked struct {
	Clinic string `json:"clinic"`
	As     Person `json:"as"`
}

// TerminalNamed names a card terminal.
type TerminalNamed struct {
	Name string `json:"name"`
}

// Done is the answer to an act that has nothing to tell but that it was done.
type Done struct {
	Done bool `json:"done"`
}

// routes are the questions that the server answers. Each is named with the
// action under which the trail has it when it got nowhere.
func (s *Server) routes() map[string]http.HandlerFunc {
	o := s.options.Ops
	return map[string]http.HandlerFunc{
		"GET /v1/status":            question(s, access.BoxStatus, o.Status),
		"GET /v1/doctor":            question(s, access.BoxStatus, o.Doctor),
		"POST /v1/verify":           question(s, access.StoreVerify, o.Verify),
		"POST /v1/scope/prove":      question(s, access.ScopeProve, o.ProveScope),
		"GET /v1/seal":              question(s, access.SealRead, o.SealState),
		"POST /v1/seal/unlock":      answer(s, access.StoreOpen, s.unlock),
		"POST /v1/seal/reseal":      answer(s, access.SealWrite, o.Reseal),
		"POST /v1/recovery/sheet":   answer(s, access.RecoveryMake, s.newSheet),
		"POST /v1/recovery/confirm": answer(s, access.RecoveryMake, s.confirmSheet),
		"POST /v1/recovery/test":    answer(s, access.RecoveryTest, s.testSheet),
		"POST /v1/recovery/open":    answer(s, access.StoreOpen, s.openBySheet),
		"POST /v1/key/rotate":       answer(s, access.KeyRotate, s.rotate),
		"GET /v1/backups":           question(s, access.BackupRead, o.Backups),
		"POST /v1/backups/create":   answer(s, access.BackupWrite, s.backUp),
		"POST /v1/backups/verify":   answer(s, access.BackupVerify, s.verifyBackup),
		"POST /v1/backups/drill":    question(s, access.BackupDrill, o.DrillNow),
		"POST /v1/restore":          answer(s, access.StoreRestore, s.restore),
		"POST /v1/audit/tail":       answer(s, access.AuditTail, s.tail),
		"POST /v1/audit/verify":     question(s, access.AuditVerify, o.VerifyTrail),
		"POST /v1/audit/checkpoint": question(s, access.AuditCheckpoint, o.SignCheckpoint),
		"POST /v1/audit/export":     s.export,
		"POST /v1/store/compact":    question(s, access.StoreCompact, o.Compact),
		"POST /v1/store/accept":     answer(s, access.StoreAcceptLoss, s.acceptLoss),
		"POST /v1/ledger/check":     question(s, access.BooksCheck, o.CheckBooks),
		"GET /v1/terminals":         question(s, access.CustodyRead, o.TerminalList),
		"POST /v1/terminals/probe":  answer(s, access.TerminalWrite, s.probeTerminal),
		"POST /v1/terminals/test":   answer(s, access.TerminalWrite, s.testTerminal),
		"POST /v1/terminals/pair":   answer(s, access.CustodyWrite, o.TerminalPair),
		"POST /v1/retire":           answer(s, access.StoreRetire, s.retire),
	}
}

// bodyMax bounds what a question may say: a few recovery shares.
const bodyMax = 16 << 10

var errBody = fault.New(fault.Invalid, "The daemon does not understand this question. Use the cofferctl that came with it.")

// question serves one that says nothing beyond its name.
func question[T any](s *Server, action access.Action, ask func(context.Context, access.Agent) (T, error)) http.HandlerFunc {
	return answer(s, action, func(ctx context.Context, agent access.Agent, _ None) (T, error) { return ask(ctx, agent) })
}

// answer serves one question of package ops. It leaves an event, of whatever
// became of it.
func answer[Q, T any](s *Server, action access.Action, ask func(context.Context, access.Agent, Q) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		agent := s.options.Agent()
		ctx, recorded := watched(r.Context())
		var q Q
		err := decode(r, &q)
		var result T
		if err == nil {
			result, err = ask(ctx, agent, q)
		}
		if !recorded() {
			s.attempted(ctx, agent, action, r.Pattern, err)
		}
		if err != nil {
			s.failed(ctx, w, err)
			return
		}
		write(w, http.StatusOK, result)
	}
}

// watched returns a context that knows whether an event of what is done in it
// has become durable.
func watched(ctx context.Context) (under context.Context, recorded func() bool) {
	var durable atomic.Bool
	return context.WithValue(ctx, audit.DurableKey{}, func() { durable.Store(true) }), durable.Load
}

// attempted puts on record what left no event of its own. That it cannot must
// keep nobody from asking how the box is: it may be the trail's disk that is
// full.
func (s *Server) attempted(ctx context.Context, agent access.Agent, action access.Action, asked string, why error) {
	if err := s.options.Ops.Attempted(ctx, agent, action, asked, why); err != nil {
		s.options.Log.ErrorContext(ctx, "a question is not on record", "kind", fault.KindOf(err).String())
	}
}

// unknown answers what is no question of the protocol.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	s.attempted(r.Context(), s.options.Agent(), access.BoxStatus, "unknown", errBody)
	s.failed(r.Context(), w, errBody)
}

func (s *Server) failed(ctx context.Context, w http.ResponseWriter, err error) {
	s.options.Log.WarnContext(ctx, "control failed", "kind", fault.KindOf(err).String())
	refuse(w, err)
}

// decode reads the body of a question; an empty one is the zero value. It
// refuses one with a card number in it.
func decode(r *http.Request, q any) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, bodyMax+1))
	if err != nil || len(b) > bodyMax {
		return errBody
	}
	if len(b) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // else a long number is not what was written
	var all any
	if d.Decode(&all) != nil {
		return errBody
	}
	if err := judge(all); err != nil {
		return err
	}
	if json.Unmarshal(b, q) != nil {
		return errBody
	}
	return nil
}

// judge refuses a question with a card number in any part, or in its name.
func judge(part any) error {
	switch v := part.(type) {
	case string:
		if pan.In(v) {
			return pan.Err
		}
	case json.Number:
		return judge(v.String())
	case []any:
		for _, one := range v {
			if err := judge(one); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, one := range v {
			if err := cmp.Or(judge(name), judge(one)); err != nil {
				return err
			}
		}
	}
	return nil
}

func done(err error) (Done, error) { return Done{err == nil}, err }

var errNoSignIn = fault.New(fault.Unavailable, "Nobody can sign in before the books are open. Open them first, then do it again.")

// as signs the person in, does something as that person, and signs out. What
// the person was refused is an event of the person, beside the sign-in.
func as[T any](ctx context.Context, s *Server, p Person, action access.Action, do func(context.Context, access.Agent) (T, error)) (T, error) {
	var none T
	agent, end, err := s.options.SignIn(ctx, p)
	if err != nil {
		return none, err
	}
	defer end()
	under, recorded := watched(ctx)
	result, err := do(under, agent)
	if !recorded() {
		s.attempted(ctx, agent, action, "as a person", err)
	}
	return result, err
}

func (s *Server) unlock(ctx context.Context, agent access.Agent, q PINGiven) (Done, error) {
	return done(s.options.Ops.Unlock(ctx, agent.Origin(), q.PIN))
}

func (s *Server) newSheet(ctx context.Context, agent access.Agent, q SheetAsked) (ops.Sheet, error) {
	if q.As != nil {
		return as(ctx, s, *q.As, access.RecoveryMake, func(ctx context.Context, owner access.Agent) (ops.Sheet, error) {
			return s.options.Ops.NewSheet(ctx, owner, q.Form)
		})
	}
	return s.options.Ops.NewSheetByProof(ctx, agent, q.Form, q.Papers...)
}

func (s *Server) confirmSheet(ctx context.Context, agent access.Agent, q SheetTyped) (Done, error) {
	return done(s.options.Ops.ConfirmSheetByProof(ctx, agent, q.ID, q.Answers, q.PIN))
}

func (s *Server) testSheet(ctx context.Context, agent access.Agent, q SheetShown) (ops.SheetTested, error) {
	return s.options.Ops.TestSheet(ctx, agent, q.Papers...)
}

func (s *Server) openBySheet(ctx context.Context, agent access.Agent, q SheetShown) (Done, error) {
	return done(s.options.Ops.OpenBySheet(ctx, agent.Origin(), ops.BySheet(q)))
}

func (s *Server) rotate(ctx context.Context, agent access.Agent, q RotationAsked) (ops.Rotated, error) {
	if q.Data {
		return s.options.Ops.RekeyAll(ctx, agent, q.PIN)
	}
	return s.options.Ops.RotateRoot(ctx, agent, q.PIN)
}

func (s *Server) backUp(ctx context.Context, agent access.Agent, q BackupAsked) (ops.BackupMade, error) {
	return s.options.Ops.BackUpNow(ctx, agent, q.Target)
}

func (s *Server) verifyBackup(ctx context.Context, agent access.Agent, q BackupAsked) (ops.BackupVerified, error) {
	return s.options.Ops.VerifyBackup(ctx, agent, q.Target, q.Name, q.Level)
}

func (s *Server) restore(ctx context.Context, agent access.Agent, q ops.Restoring) (ops.Restored, error) {
	return s.options.Ops.Restore(ctx, agent.Origin(), q)
}

func (s *Server) tail(ctx context.Context, agent access.Agent, q TailAsked) (ops.Tail, error) {
	return s.options.Ops.Tail(ctx, agent, q.Before, q.Limit)
}

func (s *Server) probeTerminal(ctx context.Context, agent access.Agent, q TerminalNamed) (ops.TerminalProbed, error) {
	return s.options.Ops.TerminalProbe(ctx, agent, q.Name)
}

func (s *Server) testTerminal(ctx context.Context, agent access.Agent, q TerminalNamed) (ops.TerminalProbed, error) {
	return s.options.Ops.TerminalTest(ctx, agent, q.Name)
}

func (s *Server) acceptLoss(ctx context.Context, agent access.Agent, q ReasonGiven) (Done, error) {
	return done(s.options.Ops.AcceptLoss(ctx, agent, q.Reason))
}

func (s *Server) retire(ctx context.Context, _ access.Agent, q RetirementAsked) (ops.Certificate, error) {
	return as(ctx, s, q.As, access.StoreRetire, func(ctx context.Context, owner access.Agent) (ops.Certificate, error) {
		return s.options.Ops.Retire(ctx, owner, q.Clinic)
	})
}

// The headers of an export that is being sent. The body is the file; its
// trailer says whether it is whole.
const (
	headerName       = "Coffer-Export"
	headerPassphrase = "Coffer-Passphrase"
	trailerWhole     = "Coffer-Whole"
)

// export sends an export of the trail to the privacy officer who signs in.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	ctx, recorded := watched(r.Context())
	var q ExportAsked
	err := decode(r, &q)
	if err == nil {
		_, err = as(ctx, s, q.As, access.AuditExport, func(ctx context.Context, officer access.Agent) (None, error) {
			return None{}, s.sendExport(ctx, w, officer, q)
		})
	}
	if !recorded() {
		s.attempted(ctx, s.options.Agent(), access.AuditExport, r.Pattern, err)
	}
	if err != nil {
		s.failed(ctx, w, err)
	}
}

// sendExport prepares an export and sends it. Once it is being sent, only the
// trailer can say that it failed.
func (s *Server) sendExport(ctx context.Context, w http.ResponseWriter, officer access.Agent, q ExportAsked) error {
	ready, err := s.options.Ops.PrepareExport(ctx, officer, ops.Export{Openings: q.Openings, Plain: q.Plain, Reason: q.Reason})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Trailer", trailerWhole)
	h.Set(headerName, ready.Name)
	h.Set(headerPassphrase, ready.Passphrase)
	w.WriteHeader(http.StatusOK)
	whole := "yes"
	if err := s.options.Ops.WriteExport(ctx, officer, ready.ID, w); err != nil {
		s.options.Log.WarnContext(ctx, "export failed", "kind", fault.KindOf(err).String())
		whole = "no"
	}
	h.Set(trailerWhole, whole)
	return nil
}
