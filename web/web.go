// Package web holds what a browser is given and what pages are made of: the
// page templates, the style sheet, the scripts, the icon, and the font of
// printed receipts. Everything is compiled in; nothing is read from disk and
// nothing is fetched from anywhere else.
//
// A static file is addressed by a name that holds a hash of its content, so a
// browser may keep it for ever and never keeps a wrong one. htmx is the
// unchanged file of the npm package htmx.org 2.0.11 (0BSD, licence beside it);
// a test compares its hash with the published one. The font is DejaVu Sans
// 2.37 (licence beside it).
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed templates
var templates embed.FS

//go:embed static/*.js static/*.css static/*.svg
var static embed.FS

// Sans and SansBold are the TrueType files of the font in which receipts are
// printed. It holds the Latin, Greek and Cyrillic letters with all diacritics.
var (
	//go:embed fonts/DejaVuSans.ttf
	Sans []byte
	//go:embed fonts/DejaVuSans-Bold.ttf
	SansBold []byte
)

// Prefix is the path under which static files are served.
const Prefix = "/static/"

// Templates returns the template files: layout.html, parts.html and one file
// for each page.
func Templates() fs.FS {
	sub, err := fs.Sub(templates, "templates")
	if err != nil {
		panic(err) // the name is a constant of this file
	}
	return sub
}

// asset is one static file.
type asset struct {
	url     string
	kind    string
	content []byte
}

// kinds maps the ending of a static file to its media type.
var kinds = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
}

// assets reads the embedded files once: by plain name and by hashed address.
var assets = sync.OnceValue(func() map[string]asset {
	all := map[string]asset{}
	entries, err := static.ReadDir("static")
	if err != nil {
		panic(err) // the directory is compiled in
	}
	for _, entry := range entries {
		content, err := static.ReadFile("static/" + entry.Name())
		if err != nil {
			panic(err) // as above
		}
		a := newAsset(entry.Name(), content)
		all[entry.Name()], all[a.url] = a, a
	}
	return all
})

func newAsset(name string, content []byte) asset {
	sum := sha256.Sum256(content)
	ending := path.Ext(name)
	hashed := strings.TrimSuffix(name, ending) + "." + hex.EncodeToString(sum[:8]) + ending
	return asset{url: Prefix + hashed, kind: kinds[ending], content: content}
}

// URL returns the address of the static file name ("coffer.css"); the empty
// text when there is no such file.
func URL(name string) string { return assets()[name].url }

// File returns the media type and the content of the static file at address,
// which must be one that URL returns.
func File(address string) (kind string, content []byte, ok bool) {
	if !strings.HasPrefix(address, Prefix) {
		return "", nil, false
	}
	a, ok := assets()[address]
	return a.kind, a.content, ok
}

// Version returns a short hash over all static files. A page carries it, so
// that a browser which still shows a page of an older program notices.
func Version() string { return version() }

var version = sync.OnceValue(func() string {
	sum := sha256.New()
	for _, name := range []string{"app.js", "witness.js", "coffer.css", "htmx.min.js"} {
		sum.Write(assets()[name].content)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
})
