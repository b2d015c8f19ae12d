package ui_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
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

// The owner makes a sheet in three shares, types two groups back, and rehearses
// it: one share tells nothing, two open.
func TestOwnerMakesThreeShares(t *testing.T) {
	c := newClinic(t, sim.Options{})
	owner := c.signIn("owner")
	page := owner.post("/recovery/sheet", owner.get("/recovery").fill(t, "/recovery/sheet", url.Values{"form": {"shares"}}))
	page.says(t, http.StatusOK, "Recovery share 3 of 3", "Any two of the three shares open")
	var papers [][]string
	for _, article := range strings.Split(page.body, "<article")[1:] {
		var groups []string
		for _, g := range paperGroup.FindAllStringSubmatch(article, -1) {
			groups = append(groups, g[1])
		}
		papers = append(papers, groups)
	}
	form := page.fill(t, "/recovery/type-back", nil)
	form.Del("ask")
	answers := url.Values{}
	for _, ask := range paperAsk.FindAllStringSubmatch(page.body, -1) {
		var paper, group int
		fmt.Sscan(ask[1]+" "+ask[2], &paper, &group)
		form.Add("ask", ask[1]+"."+ask[2])
		answers.Add("answer", papers[paper-1][group-1])
	}
	back := owner.post("/recovery/type-back", form)
	back.says(t, http.StatusOK, "of share ")
	if strings.Contains(back.body, papers[0][3]) {
		t.Error("the form that asks shows the paper")
	}
	confirm := back.fill(t, "/recovery/confirm", url.Values{"ask": form["ask"], "answer": {"00000", "00000"}})
	owner.post("/recovery/confirm", confirm).says(t, http.StatusUnprocessableEntity, "is not what the sheet says")
	confirm["answer"] = answers["answer"]
	owner.post("/recovery/confirm", confirm).says(t, http.StatusOK, "The new sheet is in force", "Nobody has rehearsed yet")

	rehearse := func(papers ...[]string) answer {
		values := url.Values{}
		for _, p := range papers {
			values.Add("paper", strings.Join(p, " "))
		}
		return owner.post("/recovery/test", owner.get("/recovery").fill(t, "/recovery/test", values))
	}
	rehearse(papers[1]).says(t, http.StatusUnprocessableEntity, "share")
	held := rehearse(papers[2], papers[0])
	held.says(t, http.StatusOK, "The rehearsal held")
	if strings.Contains(held.body, papers[2][0]) {
		t.Error("what was typed is shown again")
	}
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
