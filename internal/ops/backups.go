package ops

import (
	"cmp"
	"context"
	"errors"
	"time"

	"coffer/internal/access"
	"coffer/internal/backup"
	"coffer/internal/books"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// Backups is what there is to restore from, and whether it was proven.
type Backups struct {
	At       time.Time   `json:"at"`
	Verdict  Verdict     `json:"verdict"`
	Alarm    *Reason     `json:"alarm,omitempty"`   // when the newest verified backup is too old, or the last drill failed
	Newest   time.Time   `json:"newest,omitzero"`   // when the newest backup was made; zero: there is none
	Verified time.Time   `json:"verified,omitzero"` // when the newest one that was read back and found whole was made
	Drill    *Drill      `json:"drill,omitempty"`   // the last restore drill
	Running  *Progress   `json:"running,omitempty"` // what is under way
	Targets  []TargetRow `json:"targets"`           // in the order of the boot file
}

// TargetRow is one place to which backups go.
type TargetRow struct {
	Name    string      `json:"name"`
	Kind    string      `json:"kind"`  // "dir", "usb" or "sftp"
	Place   string      `json:"place"` // path, label or host, as the boot file says
	Verdict Verdict     `json:"verdict"`
	Reason  *Reason     `json:"reason,omitempty"` // why it cannot be used, or what is late
	Copies  []BackupRow `json:"copies"`           // the newest first
}

// BackupRow is one backup on a target.
type BackupRow struct {
	Name     string    `json:"name"`
	Made     time.Time `json:"made"`
	Sequence uint64    `json:"sequence"` // number of the last commit in it
	Bytes    int64     `json:"bytes"`
	Level    int       `json:"level"`             // highest level that was verified, 1 to 3; 0: none
	Verified time.Time `json:"verified,omitzero"` // when
	Reason   *Reason   `json:"reason,omitempty"`  // what is wrong with it
}

// Progress is a backup, verification or drill under way.
type Progress struct {
	Task  Task      `json:"task"`
	Since time.Time `json:"since"`
	Done  uint64    `json:"done"`  // records
	Total uint64    `json:"total"` // records; 0: not known
}

// Task is what can be under way.
type Task string

// The tasks.
const (
	TaskBackup Task = "backup"
	TaskVerify Task = "verify"
	TaskDrill  Task = "drill"
)

// BackupMade is the result of BackUpNow.
type BackupMade struct {
	At      time.Time     `json:"at"`
	OK      bool          `json:"ok"` // every target took it
	Targets []BackupTaken `json:"targets"`
}

// BackupTaken is what one target took.
type BackupTaken struct {
	Target string  `json:"target"`
	Name   string  `json:"name,omitempty"`
	Bytes  int64   `json:"bytes"`
	Reason *Reason `json:"reason,omitempty"` // why it took nothing
}

// BackupVerified is the result of VerifyBackup.
type BackupVerified struct {
	At       time.Time `json:"at"`
	OK       bool      `json:"ok"`
	Target   string    `json:"target"`
	Name     string    `json:"name"`
	Level    int       `json:"level"`
	Made     time.Time `json:"made"`
	Sequence uint64    `json:"sequence"`
	Records  uint64    `json:"records"`
	Reason   *Reason   `json:"reason,omitempty"` // what is wrong
}

// Drill is the result of a restore into scratch: what was compared, and
// whether it was equal.
type Drill struct {
	At       time.Time `json:"at"`
	OK       bool      `json:"ok"`
	Target   string    `json:"target"`
	Name     string    `json:"name"`
	Made     time.Time `json:"made"` // the backup
	Sequence uint64    `json:"sequence"`
	Records  uint64    `json:"records"`
	Events   uint64    `json:"events"`
	Seconds  float64   `json:"seconds"`
	Reason   *Reason   `json:"reason,omitempty"` // what was not equal
}

// errNoTargets is given while the boot file names no target.
var errNoTargets = fault.New(fault.NotFound, "The boot file names no place for backups. Add a [[backup]] to it and start Coffer again (BACKUP-036).")

// keeper returns the store's keeper of backups.
func (o *Ops) keeper(ctx context.Context, agent access.Agent, action access.Action) (*backup.Keeper, error) {
	store, err := o.open(ctx, agent, action)
	if err != nil {
		return nil, err
	}
	if store.Backups == nil {
		return nil, errNoTargets
	}
	return store.Backups, nil
}

// Backups lists targets and what is on them.
func (o *Ops) Backups(ctx context.Context, agent access.Agent) (Backups, error) {
	k, err := o.keeper(ctx, agent, access.BackupRead)
	if errors.Is(err, errNoTargets) {
		return o.noBackups(ctx, agent)
	}
	if err != nil {
		return Backups{}, err
	}
	s, err := k.Status(ctx, agent)
	if err != nil {
		return Backups{}, err
	}
	b := Backups{At: s.Now, Verdict: OK, Newest: s.Newest, Verified: s.Verified, Running: progressOf(k), Targets: []TargetRow{}}
	if s.Drill != nil {
		d := drillOf(*s.Drill)
		b.Drill = &d
	}
	for _, t := range s.Targets {
		row := targetRow(t)
		if row.Verdict != OK {
			b.Verdict = Warn
		}
		b.Targets = append(b.Targets, row)
	}
	if s.Alarm {
		b.Verdict, b.Alarm = Fail, alarmOf(s)
	}
	return b, nil
}

// noBackups is Backups of a box whose boot file names no target.
func (o *Ops) noBackups(ctx context.Context, agent access.Agent) (Backups, error) {
	store, err := o.open(ctx, agent, access.BackupRead)
	if err != nil {
		return Backups{}, err
	}
	err = store.Vault.View(ctx, request(agent, access.BackupRead), func(*vault.Tx) error { return nil })
	return Backups{At: o.machine.Now(), Verdict: Fail, Alarm: reasonOf(errNoTargets), Targets: []TargetRow{}}, err
}

// alarmOf says why people must act.
func alarmOf(s backup.Status) *Reason {
	switch {
	case s.Drill != nil && !s.Drill.OK:
		return &Reason{Code: s.Drill.Code, Words: s.Drill.What}
	case s.Newest.IsZero():
		return &Reason{Code: "BACKUP-037", Words: "There is no backup yet. Make one now, and look why the nightly one was not made."}
	}
	return &Reason{Code: "BACKUP-038", Words: "The newest backup that was read back and found whole is older than 26 hours, or dated ahead of the clock. Look at the targets below, make a backup now and verify it."}
}

// How long somebody who asks for a task waits for the one under way, such as
// that of the schedule, and how often it is looked at.
const (
	busyPatience = 2 * time.Minute
	busyLook     = 200 * time.Millisecond
)

// inTurn does a task when the one under way has ended.
func inTurn(ctx context.Context, do func() error) error {
	wait, cancel := context.WithTimeout(ctx, busyPatience)
	defer cancel()
	look := time.NewTicker(busyLook)
	defer look.Stop()
	for {
		err := do()
		if !errors.Is(err, backup.ErrBusy) {
			return err
		}
		select {
		case <-look.C:
		case <-wait.Done():
			return err
		}
	}
}

func progressOf(k *backup.Keeper) *Progress {
	p, busy := k.Underway()
	if !busy {
		return nil
	}
	return &Progress{Task: Task(p.Task), Since: p.Since, Done: p.Records, Total: p.Total}
}

func targetRow(t backup.TargetStatus) TargetRow {
	row := TargetRow{Name: t.Target.Name, Kind: t.Target.Kind, Place: t.Target.Place, Verdict: OK, Copies: []BackupRow{}}
	switch {
	case t.Err != nil:
		row.Verdict, row.Reason = Fail, reasonOf(t.Err)
	case t.Last != nil && !t.Last.OK:
		row.Verdict, row.Reason = Warn, &Reason{Code: t.Last.Code, Words: t.Last.What}
	}
	for _, c := range t.Copies {
		b := BackupRow{Name: c.Name.String(), Made: c.Time, Sequence: c.Sequence, Bytes: c.Bytes, Level: c.Level, Verified: c.Verified}
		if c.Failed != nil {
			b.Reason = &Reason{Code: c.Failed.Code, Words: c.Failed.What}
		}
		row.Copies = append(row.Copies, b)
	}
	return row
}

// outcomeReason says why a task did not go well, nil if it did.
func outcomeReason(u backup.Outcome) *Reason {
	if u.OK {
		return nil
	}
	return &Reason{Code: cmp.Or(u.Code, "internal"), Words: u.What}
}

func drillOf(u backup.Outcome) Drill {
	return Drill{
		At: u.At, OK: u.OK, Target: u.Target, Name: u.Name, Made: u.Made, Sequence: u.Sequence,
		Records: u.Records, Events: u.Events, Seconds: u.Took.Seconds(), Reason: outcomeReason(u),
	}
}

// BackUpNow makes a backup and hands it to the target of that name, or to all
// for "". That a target did not take it is part of the result.
func (o *Ops) BackUpNow(ctx context.Context, agent access.Agent, target string) (BackupMade, error) {
	k, err := o.keeper(ctx, agent, access.BackupWrite)
	if err != nil {
		return BackupMade{}, err
	}
	var outcomes []backup.Outcome
	err = inTurn(ctx, func() error {
		var err error
		outcomes, err = k.BackUp(ctx, agent, target)
		return err
	})
	if err != nil {
		return BackupMade{}, err
	}
	m := BackupMade{At: o.machine.Now(), OK: true, Targets: []BackupTaken{}}
	for _, u := range outcomes {
		m.OK = m.OK && u.OK
		m.Targets = append(m.Targets, BackupTaken{Target: u.Target, Name: u.Name, Bytes: int64(u.Bytes), Reason: outcomeReason(u)})
	}
	return m, nil
}

// VerifyBackup reads a backup back: level 1 its signature, sums and count,
// without any key; 2 every record decrypted and the set hash compared; 3
// restored into scratch and the books folded. Name "" is the newest.
func (o *Ops) VerifyBackup(ctx context.Context, agent access.Agent, target, name string, level int) (BackupVerified, error) {
	k, err := o.keeper(ctx, agent, access.BackupVerify)
	if err != nil {
		return BackupVerified{}, err
	}
	var u backup.Outcome
	err = inTurn(ctx, func() error {
		var err error
		u, err = k.Verify(ctx, agent, target, name, level)
		return err
	})
	if err != nil {
		return BackupVerified{}, err
	}
	return BackupVerified{
		At: u.At, OK: u.OK, Target: u.Target, Name: u.Name, Level: u.Level, Made: u.Made,
		Sequence: u.Sequence, Records: u.Records, Reason: outcomeReason(u),
	}, nil
}

// DrillNow restores the newest backup into scratch and compares it with the
// running store.
func (o *Ops) DrillNow(ctx context.Context, agent access.Agent) (Drill, error) {
	k, err := o.keeper(ctx, agent, access.BackupDrill)
	if err != nil {
		return Drill{}, err
	}
	var u backup.Outcome
	err = inTurn(ctx, func() error {
		var err error
		u, err = k.Drill(ctx, agent, "", "")
		return err
	})
	if err != nil {
		return Drill{}, err
	}
	return drillOf(u), nil
}

// Begin starts a task for a page, which does not wait: Backups shows its
// progress, and its result when it has ended. A second one while one runs is
// refused.
func (o *Ops) Begin(ctx context.Context, agent access.Agent, task Task) error {
	action, do := access.BackupWrite, func(ctx context.Context) error {
		_, err := o.BackUpNow(ctx, agent, "")
		return err
	}
	switch task {
	case TaskVerify:
		action, do = access.BackupVerify, func(ctx context.Context) error {
			_, err := o.VerifyBackup(ctx, agent, "", "", 2)
			return err
		}
	case TaskDrill:
		action, do = access.BackupDrill, func(ctx context.Context) error {
			_, err := o.DrillNow(ctx, agent)
			return err
		}
	}
	k, err := o.keeper(ctx, agent, action)
	if err != nil {
		return err
	}
	if progressOf(k) != nil {
		return backup.ErrBusy
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(o.ending, cancel)
	o.begun.Go(func() {
		defer cancel()
		defer stop()
		o.keepOne(string(task), func() error { return do(ctx) })
	})
	return nil
}

// TrialBalance folds the books of a store for a drill.
func (o *Ops) TrialBalance(ctx context.Context, v *vault.Vault) (string, error) {
	var text string
	err := v.View(ctx, request(o.machine.Daemon, access.BooksCheck), func(tx *vault.Tx) error {
		var err error
		text, err = books.Digest(tx)
		return err
	})
	return text, err
}
