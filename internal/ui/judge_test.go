package ui

import (
	"bytes"
	"errors"
	"flag"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"pgregory.net/rapid"

	"coffer/internal/ident"
	"coffer/internal/pan"
)

var identifiers = flag.Int("identifiers", 20_000, "how many identifiers and tokens to make for the tripwire")

// cards are card numbers of test hosts, dressed in the ways of people.
var cards = []string{"4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "3782 822463 10005", "card 6011.1111.1111.1117, exp 12/27", "４１１１１１１１１１１１１１１１", ";4111111111111112=25121010?"}

func judgeForm(target, kind, body, cookie string) error {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	k := &call{Context: echo.New().NewContext(r, httptest.NewRecorder()), cookie: cookie}
	return k.judge()
}

const formKind = "application/x-www-form-urlencoded"

// No identifier that Coffer makes, and no token of a session, is taken for a
// card number. -identifiers 1000000 says so of a million each.
func TestOwnValuesAlarmNobody(t *testing.T) {
	t.Parallel()
	for range *identifiers {
		id, cookie := ident.New[ident.Command](time.Now()).String(), ident.New[ident.Session](time.Now()).String()
		form := url.Values{"command": {id}, "client": {id}, "csrf": {csrfToken(cookie)}, "code": {"271828"}}
		if err := judgeForm("/clients/"+id+"/pay?client="+id, formKind, form.Encode(), cookie); err != nil {
			t.Fatalf("%v: %v", form, err)
		}
	}
	unlucky := ident.ID[ident.Command]{}
	for i := range unlucky { // one whose text is full of digits that make a good number
		unlucky[i] = 0x21
	}
	unlucky[6], unlucky[8] = 0x71, 0x84
	if !isID(unlucky.String()) {
		t.Errorf("%v is no identifier", unlucky)
	}
	unlucky[6] = 0x41
	if isID(unlucky.String()) {
		t.Error("a text that merely looks like an identifier is exempt")
	}
}

// Wherever a browser puts a card number, the request is refused before a page
// reads it; nothing else of ordinary fields is.
func TestJudgeAnyField(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form := url.Values{}
		for range rapid.IntRange(1, 6).Draw(t, "fields") {
			name := rapid.SampledFrom([]string{"note", "memo", "reason", "amount", "next", "password", "answer", "csrf"}).Draw(t, "name")
			form.Add(name, rapid.SampledFrom([]string{"", "50.00", "(207) 555-0104", "2026-11-25", "NPI 1234567893", "member XYZ123456789", "/clients/x?due=yes", "blue heron at low tide"}).Draw(t, "value"))
		}
		card := rapid.SampledFrom(cards).Draw(t, "card")
		target, clean := "/adjust", form.Encode()
		if err := judgeForm(target, formKind, clean, "cookie"); err != nil {
			t.Fatalf("%q: %v", clean, err)
		}
		switch name := rapid.SampledFrom([]string{"note", "csrf", "command", "password"}).Draw(t, "planted in"); rapid.IntRange(0, 4).Draw(t, "where") {
		case 0:
			form.Add(name, card)
		case 1:
			form.Add(card, "")
		case 2:
			target += "?" + url.Values{name: {card}}.Encode()
		case 3:
			target += "/" + url.PathEscape(card)
		case 4:
			target += "?" + rapid.SampledFrom([]string{"x=;", "x=%zz"}).Draw(t, "broken") + strings.Join(strings.Fields(card), "-")
		}
		if err := judgeForm(target, formKind, form.Encode(), "cookie"); !errors.Is(err, pan.Err) {
			t.Fatalf("%s %v: %v", target, form, err)
		}
	})
}

// A form with a file is judged like any other; the file's content is not, since
// it is no text.
func TestJudgeFormWithFile(t *testing.T) {
	t.Parallel()
	send := func(note, file, content string) error {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		f, err := w.CreateFormFile("photo", file)
		if err == nil {
			_, err = f.Write([]byte(content))
		}
		if err := errors.Join(err, w.WriteField("note", note), w.Close()); err != nil {
			t.Fatal(err)
		}
		return judgeForm("/devices/x/inspect", w.FormDataContentType(), body.String(), "")
	}
	if err := send("all well", "desk.jpg", cards[0]); err != nil {
		t.Errorf("a photo: %v", err)
	}
	for _, card := range cards[:4] {
		if err := send(card, "desk.jpg", ""); !errors.Is(err, pan.Err) {
			t.Errorf("note %q: %v", card, err)
		}
		if err := send("", card+".jpg", ""); !errors.Is(err, pan.Err) {
			t.Errorf("file %q: %v", card, err)
		}
	}
	if err := judgeForm("/x", "multipart/form-data; boundary=x", "--x\r\nbroken", ""); err == nil || errors.Is(err, pan.Err) {
		t.Errorf("a broken form: %v", err)
	}
}
