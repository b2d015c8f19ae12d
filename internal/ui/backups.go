package ui

import (
	"net/http"
	"strconv"
	"time"

	"coffer/internal/access"
	"coffer/internal/ops"
)

// drillFresh is how long a restore drill counts as fresh: the box makes one
// every night, and may miss one.
const drillFresh = 50 * time.Hour

// backupsView is the page of the backups, for IT and the owner. It tells of
// sizes, ages and results, never of what is inside.
type backupsView struct {
	Overall    pill
	Alarm      string
	Newest     string
	Verified   string
	Drill      pill
	DrillWords string
	DrillFacts []fact
	Running    progressBar
	Targets    []targetRow
	MayRun     bool
}

// progressBar is a task under way; empty when there is none.
type progressBar struct {
	Task, Since string
	Done, Total string
	Percent     int // 0 while the total is not known
}

type targetRow struct {
	ID, Name, Kind, Place string
	State                 pill
	Words                 string
	Copies                []copyRow
}

type copyRow struct {
	Made, Ago, Size, Sequence string
	Checked                   string // when it was last verified; empty: never
	Proof                     pill
	Words                     string
}

// taskWords say what is under way.
var taskWords = map[ops.Task]string{
	ops.TaskBackup: "A backup is being made", ops.TaskVerify: "The newest backup is being read back", ops.TaskDrill: "The newest backup is being restored into scratch",
}

// proofs say how far a backup was verified.
var proofs = [...]pill{{"Not verified", "warm"}, {"Whole", ""}, {"Opens here", "good"}, {"Restored", "good"}}

// targetKinds name the kinds of target.
var targetKinds = map[string]string{"dir": "Directory", "usb": "USB disk", "sftp": "SFTP server"}

// GET /backups
func (s *server) backups(c *call) error { return s.showBackups(c, backupsPage) }

// GET /backups/progress is what an open page reads again while a task runs.
func (s *server) backupsAgain(c *call) error { return s.showBackups(c, backupsPart) }

func (s *server) showBackups(c *call, p page[backupsView]) error {
	b, err := s.Ops.Backups(c.Request().Context(), c.agent)
	if err != nil {
		return err
	}
	v := backupsView{
		Overall: verdictPills[b.Verdict], Newest: s.ago(b.Newest), Verified: s.ago(b.Verified),
		MayRun: c.agent.May(access.BackupWrite),
	}
	if b.Alarm != nil {
		v.Alarm = b.Alarm.Words
	}
	v.Drill, v.DrillWords, v.DrillFacts = s.drillState(b.Drill)
	if b.Verdict == ops.OK && v.Drill.Tone != "good" { // nobody knows yet
		v.Overall = verdictPills[ops.Warn]
	}
	if b.Running != nil {
		v.Running = s.barOf(*b.Running)
	}
	for i, t := range b.Targets {
		v.Targets = append(v.Targets, s.targetOf(i, t))
	}
	f := c.frame(p.title)
	if v.Running.Task != "" {
		f.Refresh = "3;url=/backups/progress"
	}
	return write(c, p, http.StatusOK, view[backupsView]{frame: f, Body: v})
}

// drillState says when a restore was last rehearsed, in one of three states.
func (s *server) drillState(d *ops.Drill) (pill, string, []fact) {
	if d == nil {
		return pill{"Never", "bad"}, "No backup was ever restored here as a trial. Until one was, nobody knows that it would work.", nil
	}
	facts := []fact{
		{Name: "When", Value: s.moment(d.At)}, {Name: "From", Value: d.Target}, {Name: "Backup made", Value: s.moment(d.Made)},
		{Name: "Records", Value: group(d.Records)}, {Name: "Events", Value: group(d.Events)},
		{Name: "Took", Value: strconv.FormatFloat(d.Seconds, 'f', 1, 64) + " s"},
	}
	switch {
	case !d.OK && d.Reason != nil:
		return pill{"Failed", "bad"}, d.Reason.Words, facts
	case !d.OK:
		return pill{"Failed", "bad"}, "The restored copy was not equal to the books.", facts
	case s.Now().Sub(d.At) > drillFresh:
		return pill{"Stale", "warm"}, "The last trial restore held, " + s.ago(d.At) + ". It should be made every night: see why it was not.", facts
	}
	return pill{"Fresh", "good"}, "The newest backup was restored into scratch " + s.ago(d.At) + ", and everything was equal.", facts
}

func (s *server) barOf(p ops.Progress) progressBar {
	bar := progressBar{Task: taskWords[p.Task], Since: s.moment(p.Since), Done: group(p.Done)}
	if p.Total > 0 {
		bar.Total, bar.Percent = group(p.Total), int(min(100*p.Done/p.Total, 100))
	}
	return bar
}

func (s *server) targetOf(n int, t ops.TargetRow) targetRow {
	row := targetRow{
		ID: strconv.Itoa(n + 1), Name: t.Name, Kind: targetKinds[t.Kind], Place: t.Place, State: verdictPills[t.Verdict],
	}
	if t.Reason != nil {
		row.Words = t.Reason.Words
	}
	for _, b := range t.Copies {
		row.Copies = append(row.Copies, s.copyOf(b))
	}
	return row
}

func (s *server) copyOf(b ops.BackupRow) copyRow {
	row := copyRow{
		Made: s.moment(b.Made), Ago: s.ago(b.Made), Size: size(b.Bytes), Sequence: group(b.Sequence),
		Proof: proofs[max(0, min(b.Level, len(proofs)-1))],
	}
	if !b.Verified.IsZero() {
		row.Checked = "checked " + s.ago(b.Verified)
	}
	if b.Reason != nil {
		row.Proof, row.Words = pill{"Bad", "bad"}, b.Reason.Words
	}
	return row
}

// POST /backups/now, /backups/verify, /backups/drill begin a task; the page
// shows how it goes on.
func begin(task ops.Task) func(*server, *call) error {
	return func(s *server, c *call) error {
		if err := s.Ops.Begin(c.Request().Context(), c.agent, task); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/backups")
	}
}
