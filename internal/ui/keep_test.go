package ui_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/backup"
	"coffer/internal/ops"
	"coffer/internal/terminal/sim"
)

// keepBackups gives the box a recovery sheet and a directory for backups, and
// returns the directory.
func (c *clinic) keepBackups() (media string) {
	c.t.Helper()
	ctx, owner := c.t.Context(), accesstest.Agent(access.Owner)
	sheet, err := c.ops.NewSheet(ctx, owner, ops.OneSheet)
	c.must(err)
	var answers []string
	for _, a := range sheet.Ask {
		answers = append(answers, sheet.Papers[a.Paper-1].Groups[a.Group-1])
	}
	c.must(c.ops.ConfirmSheet(ctx, owner, sheet.ID, answers, ""))
	media = c.t.TempDir()
	target, err := backup.NewTarget(backup.TargetConfig{Name: "Disk in the safe", Target: "dir:" + media})
	c.must(err)
	store := c.store
	store.Seal = c.key.Status()
	store.Backups = backup.New(backup.Options{
		Vault: c.vault, Self: accesstest.System("backup"), Key: c.ops.RootKey, Targets: []*backup.Target{target},
		Scratch: filepath.Join(c.t.TempDir(), "scratch"), TrialBalance: c.ops.TrialBalance,
	})
	c.must(c.ops.Opened(ctx, store))
	c.t.Cleanup(c.ops.Rest)
	return media
}

// begins presses a button of the page of backups and reads it until it says
// how that ended.
func (b *browser) begins(task, words string) answer {
	b.c.t.Helper()
	path := "/backups/" + task
	a := b.post(path, b.until("/backups", `<button class="first">Back up now`).fill(b.c.t, path, nil)) // nothing is under way
	a.says(b.c.t, http.StatusOK)
	b.c.ops.Rest()
	a = b.get("/backups")
	a.says(b.c.t, http.StatusOK, words)
	return a
}

// damage turns a bit of the newest backup on a medium.
func (c *clinic) damage(media string) {
	c.t.Helper()
	files, err := filepath.Glob(filepath.Join(media, "*"))
	c.must(err)
	newest := files[len(files)-1] // names begin with the time
	content, err := os.ReadFile(newest)
	c.must(err)
	content[len(content)/2] ^= 1
	c.must(os.WriteFile(newest, content, 0o600))
}

// IT makes a backup on a real directory, reads it back and rehearses a restore,
// all from the page. It alarms when the newest that was verified is older than
// 26 hours, and when a drill finds one that was changed on its medium; IT reads
// of no client.
func TestBackupsFromTheirPage(t *testing.T) {
	c := busyClinic(t)
	it := c.signIn("boxes")
	it.get("/backups").says(t, http.StatusOK, "No place to back up to", "names no place for backups")
	media := c.keepBackups()
	it.get("/backups").says(t, http.StatusOK, "Disk in the safe", "Directory · "+media, "There is no backup yet", ">Never<")
	it.get("/appliance").says(t, http.StatusOK, "Backup: there is none")

	it.begins("now", ">Opens here<").says(t, http.StatusOK, ">Look at it<") // not rehearsed yet
	it.begins("verify", "checked just now")
	page := it.begins("drill", "everything was equal")
	page.says(t, http.StatusOK, ">Fresh<", ">Restored<", ">Fine<")
	page.namesNobody(t)
	if strings.Contains(page.body, "Look at this now") {
		t.Error("an alarm though everything is fresh")
	}

	c.clock.advance(26*time.Hour + time.Minute)
	for _, who := range []string{"boxes", "owner"} {
		c.signIn(who).get("/backups").says(t, http.StatusOK, "Look at this now", "older than 26 hours", ">Failed<")
	}
	it = c.signIn("boxes")
	it.get("/appliance").says(t, http.StatusOK, "Backup: the newest verified one is 1 day old")

	it.begins("now", ">Opens here<")
	c.damage(media)
	page = it.begins("drill", "Look at this now")
	page.says(t, http.StatusOK, ">Failed<", ">Bad<", "BACKUP-")
	it.get("/appliance").says(t, http.StatusOK, "Restore drill: failed")
	it.begins("now", ">Opens here<")
	if page = it.begins("drill", "everything was equal"); strings.Contains(page.body, "Look at this now") {
		t.Error("the alarm stays after a drill that held")
	}
}

var (
	paperGroup = regexp.MustCompile(`<b>([0-9A-Z]+)</b>`)
	paperAsk   = regexp.MustCompile(`name="ask" value="(\d)\.(\d+)"`)
)

// printed reads a page of papers: their groups, the form that goes on to the
// typing back, and what is to be typed there.
func (a answer) printed(t *testing.T, base string) (papers [][]string, form url.Values, answers []string) {
	t.Helper()
	for _, article := range strings.Split(a.body, "<article")[1:] {
		var groups []string
		for _, g := range paperGroup.FindAllStringSubmatch(article, -1) {
			groups = append(groups, g[1])
		}
		papers = append(papers, groups)
	}
	form = a.fill(t, base+"/type-back", nil)
	form.Del("ask")
	for _, ask := range paperAsk.FindAllStringSubmatch(a.body, -1) {
		var paper, group int
		fmt.Sscan(ask[1]+" "+ask[2], &paper, &group)
		form.Add("ask", ask[1]+"."+ask[2])
		answers = append(answers, papers[paper-1][group-1])
	}
	return papers, form, answers
}

// confirm types answers back, all the way from the form of the papers' page.
func (b *browser) confirm(base string, form url.Values, answers ...string) answer {
	b.c.t.Helper()
	back := b.post(base+"/type-back", form)
	return b.post(base+"/confirm", back.fill(b.c.t, base+"/confirm", url.Values{"ask": form["ask"], "answer": answers}))
}

// askLabel is how a page names the group that is asked for.
func askLabel(ask string, shares bool) string {
	paper, group, _ := strings.Cut(ask, ".")
	if shares {
		return "Group " + group + " of share " + paper
	}
	return "Group " + group
}

// The owner makes a sheet in three shares, types two groups back, and rehearses
// it: one share tells nothing, two open. A sheet that was made before it is
// void. What was typed wrong is named as the paper names it.
func TestOwnerMakesThreeShares(t *testing.T) {
	c := newClinic(t, sim.Options{})
	owner := c.signIn("owner")
	fresh := func(form string) answer {
		return owner.post("/recovery/sheet", owner.get("/recovery").fill(t, "/recovery/sheet", url.Values{"form": {form}}))
	}
	_, one, oneAnswers := fresh("one").printed(t, "/recovery")
	owner.confirm("/recovery", one, "00000", "00000").says(t, http.StatusUnprocessableEntity, askLabel(one["ask"][0], false)+" that you typed")
	owner.confirm("/recovery", one, oneAnswers[0], "00000").says(t, http.StatusUnprocessableEntity, askLabel(one["ask"][1], false)+" that you typed")
	page := fresh("shares")
	page.says(t, http.StatusOK, "Recovery share 3 of 3", "Any two of the three shares open")
	papers, form, answers := page.printed(t, "/recovery")
	owner.confirm("/recovery", one, oneAnswers...).says(t, http.StatusNotFound, "another one was made after it")
	back := owner.post("/recovery/type-back", form)
	back.says(t, http.StatusOK, askLabel(form["ask"][0], true), askLabel(form["ask"][1], true))
	if strings.Contains(back.body, papers[0][3]) {
		t.Error("the form that asks shows the paper")
	}
	owner.confirm("/recovery", form, answers[0], "00000").says(t, http.StatusUnprocessableEntity, askLabel(form["ask"][1], true)+" that you typed")
	owner.confirm("/recovery", form, answers...).says(t, http.StatusOK, "The new sheet is in force", "Nobody has rehearsed yet")

	rehearse := func(papers ...[]string) answer {
		values := url.Values{}
		for _, p := range papers {
			values.Add("paper", strings.Join(p, " "))
		}
		return owner.post("/recovery/test", owner.get("/recovery").fill(t, "/recovery/test", values))
	}
	from := c.vault.Status().Events
	rehearse(papers[1]).says(t, http.StatusUnprocessableEntity, "share")
	held := rehearse(papers[2], papers[0])
	held.says(t, http.StatusOK, "The rehearsal held", "The next rehearsal is due by")
	if acts := c.actsFrom(from); !slices.Equal(acts, []string{"recovery.read ok", "recovery.test refused", "recovery.read ok", "recovery.test ok"}) {
		t.Errorf("two looks and two rehearsals are the events %v", acts)
	}
	if strings.Contains(held.body, papers[2][0]) {
		t.Error("what was typed is shown again")
	}
}

// actsFrom returns what was done from an event on, and how each ended.
func (c *clinic) actsFrom(from uint64) (acts []string) {
	c.t.Helper()
	events := c.actorsFrom(from)
	for _, seq := range slices.Sorted(maps.Keys(events)) {
		if e := events[seq]; e.Act != string(access.AuditRead) {
			acts = append(acts, e.Act+" "+string(e.Outcome))
		}
	}
	return acts
}

// The privacy officer erases a client: twice asked, with a reason that goes on
// record. The name is gone for everybody, the amounts stay under the number.
func TestOfficerErasesAClient(t *testing.T) {
	c := busyClinic(t)
	officer, desk := c.signIn("privacy"), c.signIn("desk")
	ask := func(client, reason string) answer {
		return officer.post("/audit/shred", officer.get("/audit/shred").fill(t, "/audit/shred", url.Values{"client": {client}, "reason": {reason}}))
	}
	const reason = "Retention of seven years has ended."
	ask("P-000001", "old").says(t, http.StatusUnprocessableEntity, "Say why", `value="P-000001"`)
	unknown := officer.get("/audit?client=P-999999")
	unknown.says(t, http.StatusUnprocessableEntity, "There is no client with this account number", `value="P-999999"`, "No event fits")
	if strings.Contains(unknown.body, "/audit/events/") || strings.Contains(unknown.body, "shred?client=") {
		t.Error("events are shown of a client that is not")
	}
	ask("P-009999", reason).says(t, http.StatusUnprocessableEntity, "There is no client with this account number.")
	page := ask("p-000001", reason)
	page.says(t, http.StatusOK, "This cannot be undone", "P-000001", reason)
	confirm := func(typed string) answer {
		return officer.post("/audit/shred/confirm", page.fill(t, "/audit/shred/confirm", url.Values{"typed": {typed}}))
	}
	confirm("P-000002").says(t, http.StatusUnprocessableEntity, "Nothing was erased")
	desk.get("/clients/"+c.clients[0].ID.String()).says(t, http.StatusOK, clientNames[0])
	from := c.vault.Status().Events
	confirm("P-000001").says(t, http.StatusOK, "P-000001 is erased.")
	c.awaitEvent(from, access.ClientShred, "reason", reason)

	for _, path := range []string{"/today", "/clients/" + c.clients[0].ID.String(), "/payments/open"} {
		if a := desk.get(path); strings.Contains(a.body, "Quintanar") || a.status >= 500 {
			t.Errorf("%s after the erasing: %d\n%s", path, a.status, a.body)
		}
	}
	desk.get("/clients/"+c.clients[1].ID.String()).says(t, http.StatusOK, clientNames[1])
	c.signIn("ledgers").get("/books/accounts/1100?sub=P-000001").says(t, http.StatusOK, "150.00")
	officer.get("/audit?client="+c.clients[0].ID.String()).says(t, http.StatusOK, "erased a client for ever")
}
