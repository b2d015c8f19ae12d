package ui_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"coffer/internal/custody"
	"coffer/internal/terminal/sim"
)

// inspection returns a form with the answers of an inspection, as a browser
// sends it with a photo.
func inspection(t *testing.T, token, serial string, photo []byte) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for name, value := range map[string]string{"csrf": token, "text-label-serial": serial, "text-screen-serial": serial, "step-overlay": "yes"} {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	f, err := w.CreateFormFile("photo", "desk.jpg")
	if err == nil {
		_, err = f.Write(photo)
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

// IT inspects a device with a photo, sends it away, and swaps; the desk reads
// what to do, and the officer takes the evidence along.
func TestTerminalsPage(t *testing.T) {
	c := newClinic(t, sim.Options{})
	it := c.signIn("boxes")
	page := it.get("/terminals").body
	serial := c.terminals[0].Status().Device.Serial
	device := "/devices/" + between(page, `href="/devices/`, `"`)
	token := between(page, `name="csrf" value="`, `"`)
	var photo bytes.Buffer
	c.must(jpeg.Encode(&photo, image.NewRGBA(image.Rect(0, 0, 300, 200)), nil))
	inspect := func(serial string, photo []byte, want int, words string) {
		t.Helper()
		body, kind := inspection(t, token, serial, photo)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+device+"/inspect", body)
		c.must(err)
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if a := it.send(r); a.status != want || !strings.Contains(a.body, words) {
			t.Errorf("an inspection with serial number %s: %d\n%s", serial, a.status, a.body)
		}
	}
	inspect(serial, photo.Bytes(), http.StatusOK, "the device has passed")
	inspect(serial, []byte("GIF89a"), http.StatusUnprocessableEntity, "This is no photo")
	address := "/devices/" + between(it.get(device).body, `href="/devices/`, `"`)
	if a := it.get(address); a.status != http.StatusOK || a.header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("the photo at %s: %d", address, a.status)
	}
	inspect("99999999", nil, http.StatusOK, "the device has failed")
	if today := c.signIn("desk").get("/today").body; !strings.Contains(today, "has failed its inspection") {
		t.Errorf("the desk is not told:\n%s", today)
	}
	act := func(form url.Values, want int, words string) {
		t.Helper()
		form.Set("csrf", token)
		if a := it.post(device+"/act", form); a.status != want || !strings.Contains(a.body, words) {
			t.Errorf("%v: %d\n%s", form, a.status, a.body)
		}
	}
	act(url.Values{"act": {"repair"}}, http.StatusUnprocessableEntity, custody.ErrReason.Message())
	act(url.Values{"act": {"repair"}, "why": {"a key sticks"}}, http.StatusOK, "In repair")
	pair := url.Values{"csrf": {token}, "terminal": {c.terminals[0].Name()}, "label": {"99999999"}, "location": {"=1+1"}}
	if a := it.post("/terminals/pair", pair); a.status != http.StatusConflict || !strings.Contains(a.body, "is not the one that the terminal states") {
		t.Errorf("another label: %d\n%s", a.status, a.body)
	}
	act(url.Values{"act": {"return"}, "location": {"safe"}, "tracking": {"1Z9"}, "bag": {"B7"}, "intact": {"yes"}}, http.StatusOK, "Awaiting deployment")
	pair.Set("label", serial)
	if a := it.post("/terminals/pair", pair); a.status != http.StatusOK || !strings.Contains(a.body, "registered and deployed") {
		t.Errorf("pairing: %d\n%s", a.status, a.body)
	}
	act(url.Values{"act": {"retire"}, "why": {"=cmd"}}, http.StatusOK, "Retired")
	if a := it.post("/terminals/pair", pair); a.status != http.StatusConflict || !strings.Contains(a.body, "retired for ever") {
		t.Errorf("pairing what was retired: %d\n%s", a.status, a.body)
	}
	csv := c.signIn("privacy").get("/terminals/evidence.csv")
	for _, want := range []string{"device,", "custody,", "inspection,", "Passed", "Failed", "'=1+1", "· =cmd"} {
		if !strings.Contains(csv.body, want) {
			t.Errorf("the evidence has no %q:\n%s", want, csv.body)
		}
	}
	if a := c.signIn("owner").get("/terminals/evidence"); !strings.Contains(a.body, "a key sticks") {
		t.Errorf("the owner's evidence: %d\n%s", a.status, a.body)
	}
	if a := c.signIn("ledgers").get("/terminals"); a.status != http.StatusForbidden {
		t.Errorf("the accountant reads the register: %d", a.status)
	}
}
