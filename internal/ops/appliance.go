package ops

import (
	"cmp"
	"context"
	"slices"

	"coffer/internal/access"
)

// Appliance is the one page on which the person who looks after the box sees
// how it is: Status, and the doctor's lines with the worst first.
type Appliance struct {
	Status  Status  `json:"status"`
	Verdict Verdict `json:"verdict"`
	Lines   []Line  `json:"lines"`
}

// Appliance returns the box's page. It is never refused for being sealed.
func (o *Ops) Appliance(ctx context.Context, agent access.Agent) (Appliance, error) {
	status, err := o.Status(ctx, agent)
	if err != nil {
		return Appliance{}, err
	}
	d, err := o.Doctor(ctx, agent)
	if err != nil {
		return Appliance{}, err
	}
	slices.SortStableFunc(d.Lines, func(a, b Line) int { return cmp.Compare(urgency[b.Verdict], urgency[a.Verdict]) })
	return Appliance{Status: status, Verdict: d.Verdict, Lines: d.Lines}, nil
}

// urgency orders verdicts.
var urgency = map[Verdict]int{OK: 0, Warn: 1, Fail: 2}
