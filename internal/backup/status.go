package backup

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/vault"
)

// AgeMax is how old the newest verified backup may be before it is an alarm:
// a nightly one, and two hours to notice (45 CFR 164.308(a)(7)(ii)(A)).
const AgeMax = 26 * time.Hour

// Status is what there is to restore from, and whether it was proven.
type Status struct {
	Now      time.Time
	Alarm    bool      // the newest verified backup is too old, or the last drill failed
	Newest   time.Time // when the newest full backup was made; zero: there is none
	Verified time.Time // when the newest one that was decrypted and found whole was made; zero: there is none
	Drill    *Outcome  // the last restore drill; nil: there was none
	Targets  []TargetStatus
}

// TargetStatus is one target and what is on it.
type TargetStatus struct {
	Target     *Target
	Err        error // why it can't be looked at
	Unfinished int   // files that were begun and never finished
	Copies     []Copy
	Last       *Outcome // of the last backup or increment there; nil: there was none
}

// Copy is one backup on a target, with the best and the last that is known of it.
type Copy struct {
	Entry
	Level    int       // highest level that was verified; 0: none
	Verified time.Time // when it was
	Failed   *Outcome  // the last verification that failed, unless a later one went well
}

// Status lists the targets and what is known of what they hold (action
// access.BackupRead). It asks each target, so it may take as long as a server
// takes to answer.
func (k *Keeper) Status(ctx context.Context, agent access.Agent) (Status, error) {
	past, err := k.past(ctx, request(agent, access.BackupRead))
	if err != nil {
		return Status{}, err
	}
	s := Status{Now: k.clock(), Drill: past.drill, Newest: past.newest, Verified: past.verified}
	s.Alarm = past.alarm(s.Now)
	for _, t := range k.options.Targets {
		ts := TargetStatus{Target: t, Last: past.last[t.Name]}
		var list []Entry
		list, ts.Unfinished, ts.Err = t.List(ctx)
		for _, e := range list {
			if e.StoreID == k.key().StoreID() {
				ts.Copies = append(ts.Copies, past.copyOf(t.Name, e))
			}
		}
		s.Targets = append(s.Targets, ts)
	}
	return s, nil
}

// past is what the store remembers of backups.
type past struct {
	newest, verified time.Time
	sequence         uint64 // of the backup that was verified
	drill            *Outcome
	last             map[string]*Outcome // by target: the last backup or increment
	full             map[string]*Outcome // by target: the last full backup that went well
	shipped          map[string]*Outcome // by target: the last of either that went well
	good             map[string]Outcome  // by target and name: the best verification
	bad              map[string]Outcome  // by target and name: the last, if it failed
}

func newPast() *past {
	return &past{
		last: map[string]*Outcome{}, full: map[string]*Outcome{}, shipped: map[string]*Outcome{},
		good: map[string]Outcome{}, bad: map[string]Outcome{},
	}
}

// past reads what the store remembers, the oldest first.
func (k *Keeper) past(ctx context.Context, r access.Request) (*past, error) {
	p := newPast()
	err := k.options.Vault.View(ctx, r, func(tx *vault.Tx) error {
		for r, err := range results.All(tx) {
			if err != nil {
				return err
			}
			p.add(r.Shared.outcome())
		}
		return nil
	})
	return p, err
}

// add takes in the next outcome.
func (p *past) add(o Outcome) {
	switch o.Task {
	case TaskBackup:
		p.last[o.Target] = &o
		if o.OK {
			p.full[o.Target], p.shipped[o.Target] = &o, &o
			p.newest = o.Made
		}
	case TaskIncrement:
		p.last[o.Target] = &o
		if o.OK {
			p.shipped[o.Target] = &o
		}
	case TaskDrill:
		p.drill = &o
	}
	if o.OK && o.Level >= 2 && o.Sequence >= p.sequence {
		p.verified, p.sequence = o.Made, o.Sequence
	}
	p.judge(o)
}

// judge keeps what an outcome says of one backup.
func (p *past) judge(o Outcome) {
	if o.Name == "" {
		return
	}
	at := o.Target + "/" + o.Name
	if !o.OK {
		p.bad[at] = o
		return
	}
	delete(p.bad, at)
	if o.Level >= p.good[at].Level {
		p.good[at] = o
	}
}

// alarm reports whether people must act. A backup that is dated far ahead was
// made by a clock that was wrong: how old it is nobody knows.
func (p *past) alarm(now time.Time) bool {
	return now.Sub(p.verified).Abs() > AgeMax || p.drill != nil && !p.drill.OK
}

func (p *past) copyOf(target string, e Entry) Copy {
	at := target + "/" + e.Name.String()
	c := Copy{Entry: e, Level: p.good[at].Level}
	if c.Level > 0 {
		c.Verified = p.good[at].At
	}
	if bad, ok := p.bad[at]; ok {
		c.Failed = &bad
	}
	return c
}
