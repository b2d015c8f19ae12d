package ui

import (
	"crypto/hmac"
	"net/http"
	"net/url"
	"strings"

	"coffer/internal/ident"
	"coffer/internal/pan"
)

// judge reads the form of a request and refuses what holds a card number in any
// field or its name, in the address or in the name of a file. It is called once
// for each request, before a page reads anything of it. A file's content is not
// judged: a photo is no text. Keeps PCI DSS 3.2.
func (c *call) judge() error {
	r := c.Request()
	if err := judgeAddress(r); err != nil {
		return err
	}
	err := parseForm(r)
	for name, values := range r.Form {
		if pan.In(name) {
			return pan.Err
		}
		for _, value := range values {
			if !c.made(name, value) && pan.In(value) {
				return pan.Err
			}
		}
	}
	if err != nil {
		return asForm(err)
	}
	return judgeFiles(r)
}

// judgeAddress refuses an address, of the request or of the page that sent it,
// with a card number in it.
func judgeAddress(r *http.Request) error {
	if from, err := url.Parse(r.Header.Get(hxCurrentURL)); err == nil && holdsCard(from) {
		return pan.Err
	}
	if holdsCard(r.URL) {
		return pan.Err
	}
	return nil
}

// holdsCard reports whether a card number stands in an address, identifiers
// apart.
func holdsCard(u *url.URL) bool {
	parts := strings.Split(u.Path, "/")
	for i, part := range parts {
		if isID(part) {
			parts[i] = "id"
		}
	}
	if pan.In(strings.Join(parts, "/")) {
		return true
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil && pan.In(u.RawQuery) {
		return true // what can't be taken apart is judged whole
	}
	for name, values := range u.Query() {
		for _, value := range values {
			if pan.In(name) || !isID(value) && pan.In(value) {
				return true
			}
		}
	}
	return false
}

func judgeFiles(r *http.Request) error {
	if r.MultipartForm == nil {
		return nil
	}
	for name, files := range r.MultipartForm.File {
		for _, file := range files {
			if pan.In(name) || pan.In(file.Filename) {
				return pan.Err
			}
		}
	}
	return nil
}

// made reports whether Coffer itself made the value of a field: an identifier,
// or the token of this very session. Among random characters digits stand as
// they fall, and must alarm nobody.
func (c *call) made(name, value string) bool {
	return isID(value) || name == "csrf" && hmac.Equal([]byte(value), []byte(csrfToken(c.cookie)))
}

// isID reports whether s has the form of an identifier, version and variant
// included (ident).
func isID(s string) bool {
	id, err := ident.Parse[ident.Command](s)
	return err == nil && id[6]>>4 == 7 && id[8]>>6 == 2
}
