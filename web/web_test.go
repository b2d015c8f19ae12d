package web

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// The published hash of htmx.org 2.0.11, dist/htmx.min.js.
const htmxHash = "2OatzQy1H+Zd/IIrjr1TcuDGqLXeHhbooAyJY1KdQMKnr4LZ22k31GBLdYKHmVjg"

func TestHtmxIsThePublishedFile(t *testing.T) {
	_, content, ok := File(URL("htmx.min.js"))
	if !ok {
		t.Fatal("htmx.min.js is not served")
	}
	sum := sha512.Sum384(content)
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != htmxHash {
		t.Errorf("htmx.min.js has sha384 %s, want %s", got, htmxHash)
	}
}

func TestAddressesHoldTheHashOfTheContent(t *testing.T) {
	for _, name := range []string{"app.js", "witness.js", "coffer.css", "favicon.svg", "htmx.min.js"} {
		url := URL(name)
		if !regexp.MustCompile(`^/static/[a-z.]+\.[0-9a-f]{16}\.(js|css|svg)$`).MatchString(url) {
			t.Errorf("URL(%q) = %q", name, url)
		}
		kind, content, ok := File(url)
		if !ok || kind == "" || len(content) == 0 {
			t.Errorf("File(%q) = %q, %d bytes, %v", url, kind, len(content), ok)
		}
	}
	a, b := newAsset("a.js", []byte("one")), newAsset("a.js", []byte("two"))
	if a.url == b.url {
		t.Error("two contents share one address")
	}
	for _, address := range []string{"app.js", "/static/app.js", "/static/../web.go", ""} {
		if _, _, ok := File(address); ok {
			t.Errorf("File(%q) found something", address)
		}
	}
}

func TestTemplatesHoldNoInlineScriptOrStyle(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|<script>`)
	err := fs.WalkDir(Templates(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(Templates(), name)
		if err != nil {
			return err
		}
		if found := inline.Find(content); found != nil {
			t.Errorf("%s holds %q, which the content security policy refuses", name, found)
		}
		if bytes.Contains(content, []byte("://")) {
			t.Errorf("%s names another host", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !inline.MatchString(`<p style="x">`) || !inline.MatchString(`<b onclick="x">`) {
		t.Error("the pattern finds nothing")
	}
}

func TestStyleSheetFetchesNothing(t *testing.T) {
	_, css, _ := File(URL("coffer.css"))
	for _, word := range []string{"@import", "url(", "://"} {
		if strings.Contains(string(css), word) {
			t.Errorf("coffer.css holds %s", word)
		}
	}
}

func TestFontsAreThere(t *testing.T) {
	for name, font := range map[string][]byte{"Sans": Sans, "SansBold": SansBold} {
		if !bytes.HasPrefix(font, []byte{0, 1, 0, 0}) {
			t.Errorf("%s is no TrueType font", name)
		}
	}
	if Version() == "" {
		t.Error("no version")
	}
}
