package ops

import (
	"context"
	"time"

	"coffer/internal/access"
)

// backupAgeMax is how old the newest verified backup may be before it is an
// alarm: a nightly one, and two hours to notice.
const backupAgeMax = 26 * time.Hour

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
	Kind    string      `json:"kind"`  // "directory", "usb" or "sftp"
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

// Backups lists targets and what is on them.
func (o *Ops) Backups(ctx context.Context, agent access.Agent) (Backups, error) {
	return Backups{}, errStarting
}

// BackUpNow makes a backup and hands it to the target of that name, or to all
// for "". That a target did not take it is part of the result.
func (o *Ops) BackUpNow(ctx context.Context, agent access.Agent, target string) (BackupMade, error) {
	return BackupMade{}, errStarting
}

// VerifyBackup reads a backup back: level 1 its signature, sums and count,
// without any key; 2 every record decrypted and the set hash compared; 3
// restored into scratch and the books folded. Name "" is the newest.
func (o *Ops) VerifyBackup(ctx context.Context, agent access.Agent, target, name string, level int) (BackupVerified, error) {
	return BackupVerified{}, errStarting
}

// DrillNow restores the newest backup into scratch and compares it with the
// running store.
func (o *Ops) DrillNow(ctx context.Context, agent access.Agent) (Drill, error) {
	return Drill{}, errStarting
}

// Begin starts a task for a page, which does not wait: Backups shows its
// progress, and its result when it has ended. A second one while one runs is
// refused.
func (o *Ops) Begin(ctx context.Context, agent access.Agent, task Task) error { return errStarting }
