package ui

import (
	"bytes"
	"io"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jba/templatecheck"
	"golang.org/x/net/html"

	"coffer/web"
)

// testServer returns a server without parts: enough to render pages.
func testServer(t *testing.T) *server {
	t.Helper()
	lib, err := parseTemplates(web.Templates())
	if err != nil {
		t.Fatal(err)
	}
	return &server{
		Options: Options{Zone: time.UTC, Now: time.Now}, clinic: "Harbor Lane", library: lib,
		log: slog.New(slog.NewTextHandler(io.Discard, nil)), throttle: newThrottle(signInRate),
	}
}

// fill sets everything that v points to: each text, each number, each flag,
// two of each list.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i))
			distinguish(v.Index(i), i)
		}
	case reflect.String:
		v.SetString("q7")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	}
}

// distinguish gives the rows of a list different identifiers.
func distinguish(v reflect.Value, i int) {
	if v.Kind() != reflect.Struct {
		return
	}
	for _, name := range []string{"ID", "Value"} {
		if id := v.FieldByName(name); id.IsValid() && id.Kind() == reflect.String {
			id.SetString("q7" + strings.Repeat("x", i+1))
		}
	}
}

// checkPage proves that a page's template fits its type, and renders it empty
// and full.
func checkPage[T any](t *testing.T, p page[T]) {
	t.Run(p.name+" "+p.entry, func(t *testing.T) {
		s := testServer(t)
		set := s.library[p.name].Lookup(p.entry)
		if set == nil {
			t.Fatal("there is no such template")
		}
		if err := templatecheck.CheckHTML(set, view[T]{}); err != nil {
			t.Fatal(err)
		}
		var full view[T]
		fill(reflect.ValueOf(&full))
		full.Title, full.Clinic = p.title, "Harbor Lane"
		for name, v := range map[string]view[T]{"empty": {}, "full": full} {
			var b bytes.Buffer
			if err := s.library[p.name].ExecuteTemplate(&b, p.entry, v); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			checkHTML(t, name, b.String(), p.entry == "layout")
		}
	})
}

// checkHTML finds what every page must have: one h1, a landmark for the main
// content, captions and scopes, unique identifiers, labels that point at
// something.
func checkHTML(t *testing.T, name, text string, whole bool) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	count, ids := map[string]int{}, map[string]bool{}
	var pointers []string
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		count[n.Data]++
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				if ids[a.Val] {
					t.Errorf("%s: two elements have the identifier %q", name, a.Val)
				}
				ids[a.Val] = true
			case "for", "aria-describedby":
				pointers = append(pointers, a.Val)
			}
		}
		checkElement(t, name, n)
	}
	for _, id := range pointers {
		if !ids[id] {
			t.Errorf("%s: nothing has the identifier %q that a label points at", name, id)
		}
	}
	if whole && (count["h1"] != 1 || count["main"] != 1 || count["header"] != 1) {
		t.Errorf("%s: %d h1, %d main, %d header; want one of each", name, count["h1"], count["main"], count["header"])
	}
	if count["table"] != count["caption"] {
		t.Errorf("%s: %d tables but %d captions", name, count["table"], count["caption"])
	}
}

func checkElement(t *testing.T, name string, n *html.Node) {
	t.Helper()
	attr := func(key string) string {
		for _, a := range n.Attr {
			if a.Key == key {
				return a.Val
			}
		}
		return ""
	}
	switch n.Data {
	case "th":
		if attr("scope") == "" {
			t.Errorf("%s: a th has no scope", name)
		}
	case "form":
		if attr("method") == "" || attr("action") == "" {
			t.Errorf("%s: a form does not work without JavaScript", name)
		}
		if attr("method") == "post" && attr("action") != "/sign-in" && attr("action") != "/unlock" && !hasField(n, "csrf") {
			t.Errorf("%s: the form to %s carries no token", name, attr("action"))
		}
	case "input":
		if attr("type") != "hidden" && attr("id") == "" && attr("type") != "checkbox" {
			t.Errorf("%s: an input has no identifier for its label", name)
		}
	}
}

func hasField(form *html.Node, field string) bool {
	for n := range form.Descendants() {
		for _, a := range n.Attr {
			if n.Data == "input" && a.Key == "name" && a.Val == field {
				return true
			}
		}
	}
	return false
}

func TestEachPageRendersEmptyAndFull(t *testing.T) {
	checkPage(t, signInPage)
	checkPage(t, todayPage)
	checkPage(t, todayRows)
	checkPage(t, terminalsPage)
	checkPage(t, devicePage)
	checkPage(t, evidencePage)
	checkPage(t, findPage)
	checkPage(t, findHits)
	checkPage(t, clientPage)
	checkPage(t, payPage)
	checkPage(t, payPanel)
	checkPage(t, progressPage)
	checkPage(t, progressPane)
	checkPage(t, progressPart)
	checkPage(t, openPage)
	checkPage(t, giveBackPage)
	checkPage(t, approvalsPage)
	checkPage(t, adjustPage)
	checkPage(t, receiptsPage)
	checkPage(t, statePage)
	checkPage(t, receiptPage)
	checkPage(t, closePage)
	checkPage(t, drawerPage)
	checkPage(t, checksPage)
	checkPage(t, daysPage)
	checkPage(t, daySheetPage)
	checkPage(t, myDayPage)
	checkPage(t, myClientPage)
	checkPage(t, trialPage)
	checkPage(t, journalPage)
	checkPage(t, accountPage)
	checkPage(t, entryPage)
	checkPage(t, appliancePage)
	checkPage(t, backupsPage)
	checkPage(t, backupsPart)
	checkPage(t, trailPage)
	checkPage(t, eventPage)
	checkPage(t, exportPage)
	checkPage(t, shredPage)
	checkPage(t, recoveryPage)
	checkPage(t, sheetPage)
	checkPage(t, typeBackPage)
	checkPage(t, setUpPage)
	checkPage(t, helpPage)
	checkPage(t, helpPanel)
	checkPage(t, problemPage)
	checkPage(t, problemPanel)
	checkPage(t, sealedPage)
}

func TestTitlesCarryNoData(t *testing.T) {
	s := testServer(t)
	for _, name := range pageFiles {
		if s.library[name].Lookup("main") == nil {
			t.Errorf("%s has no main part", name)
		}
	}
	layout := web.Templates()
	file, err := layout.Open("layout.html")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "<title>{{.Title}} – {{.Clinic}}</title>") {
		t.Error("the title of a page is not made of its constant title and the clinic's name alone")
	}
}

// Every page of a sample clinic says that it is one, and no other page does.
func TestSampleClinicSaysSo(t *testing.T) {
	for _, demo := range []bool{true, false} {
		s := testServer(t)
		s.Demo = demo
		w := httptest.NewRecorder()
		c := s.callOf(s.echo().NewContext(httptest.NewRequest("GET", "/sign-in", nil), w))
		if err := render(c, signInPage, 200, signInView{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(w.Body.String(), "Sample clinic") != demo {
			t.Errorf("demo %v:\n%s", demo, w.Body)
		}
	}
}

func TestNothingIsWrittenWhenAPageBreaks(t *testing.T) {
	s := testServer(t)
	broken := page[struct{}]{"receipt.html", "Receipt", "main"} // wants a receipt
	w := httptest.NewRecorder()
	c := s.callOf(s.echo().NewContext(httptest.NewRequest("GET", "/", nil), w))
	if err := render(c, broken, 200, struct{}{}); err == nil {
		t.Fatal("a template without its content rendered")
	}
	if w.Body.Len() != 0 {
		t.Errorf("%d bytes of a broken page were written", w.Body.Len())
	}
}
