package ui_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"coffer/internal/audit"
	"coffer/internal/terminal/sim"
)

var exportAction = regexp.MustCompile(`action="(/audit/exports/[^"]+)"`)

// export prepares an export with what is typed, and fetches it.
func (b *browser) export(typed url.Values) (page, file answer) {
	b.c.t.Helper()
	form := b.get("/audit/export").fill(b.c.t, "/audit/export", typed)
	page = b.post("/audit/export", form)
	at := exportAction.FindStringSubmatch(page.body)
	if at == nil {
		b.c.t.Fatalf("nothing was prepared: %d\n%s", page.status, page.body)
	}
	return page, b.post(at[1], page.fill(b.c.t, at[1], nil))
}

// offers fails the test unless the page names the file as it is handed over.
func (a answer) offers(t *testing.T, file answer, end string) {
	t.Helper()
	name := between(a.body, "Fetch ", "<")
	if !strings.HasPrefix(name, "coffer-audit-20261125-1") || !strings.HasSuffix(name, end) {
		t.Errorf("the page offers %q", name)
	}
	if got := file.header.Get("Content-Disposition"); got != `attachment; filename="`+name+`"` {
		t.Errorf("the page offers %q, the file comes as %q", name, got)
	}
}

// TestExportVerifies: what the officer fetches is what cofferverify accepts,
// with the private parts or without, as was chosen.
func TestExportVerifies(t *testing.T) {
	c := newClinic(t, sim.Options{})
	officer := c.signIn("privacy")
	plain := url.Values{"plain": {"yes"}, "reason": {"the auditor has no program for encrypted files"}}
	withParts := url.Values{"plain": plain["plain"], "reason": plain["reason"], "openings": {"yes"}}
	officer.get("/audit/export").says(t, http.StatusOK, "who was looked at, amounts of money, and reasons")
	for name, typed := range map[string]url.Values{"without private parts": plain, "with them": withParts} {
		page, file := officer.export(typed)
		page.offers(t, file, ".ndjson")
		if file.status != http.StatusOK || file.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d, %q", name, file.status, file.header.Get("Cache-Control"))
		}
		report, err := audit.VerifyExport(strings.NewReader(file.body), audit.Trust{})
		if err != nil || len(report.Findings) > 0 || report.Events == 0 || report.Checkpoints == 0 {
			t.Fatalf("%s: %+v, %v", name, report, err)
		}
		if opened := typed.Has("openings"); opened != (report.Opened > 0) {
			t.Errorf("%s: the private parts of %d events", name, report.Opened)
		}
	}
}

// TestExportIsEncryptedUnlessSomebodySaysWhy: the passphrase is shown once, and
// the file can be fetched once.
func TestExportIsEncryptedUnlessSomebodySaysWhy(t *testing.T) {
	c := newClinic(t, sim.Options{})
	officer := c.signIn("privacy")
	page, file := officer.export(nil)
	if !strings.HasPrefix(file.body, "age-encryption.org/") || strings.Contains(file.body, `"act"`) {
		t.Error("the export is not encrypted")
	}
	page.offers(t, file, ".ndjson.age")
	if !strings.Contains(page.body, `class="secret num"`) {
		t.Error("no passphrase is shown")
	}
	at := exportAction.FindStringSubmatch(page.body)[1]
	if again := officer.post(at, page.fill(t, at, nil)); again.status == http.StatusOK {
		t.Error("the export could be fetched twice")
	}
	form := officer.get("/audit/export").fill(t, "/audit/export", url.Values{"plain": {"yes"}})
	if refused := officer.post("/audit/export", form); refused.status != http.StatusUnprocessableEntity && refused.status != http.StatusBadRequest {
		t.Errorf("a plain export without a reason: %d", refused.status)
	}
}
