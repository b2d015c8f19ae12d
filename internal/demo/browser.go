package demo

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"coffer/internal/identity"
)

// browser walks the pages as a browser without JavaScript does: it follows
// links, fills forms, keeps its cookie, and trusts the box's authority only.
type browser struct {
	base   string
	client *http.Client
}

// newBrowser returns a browser for the box at address, whose authority's
// certificate stands in the state directory. Before that is written, it
// trusts nobody.
func newBrowser(address, state string) (*browser, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if text, err := os.ReadFile(filepath.Join(state, "box-authority.pem")); err == nil {
		roots.AppendCertsFromPEM(text)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &browser{base: "https://localhost:" + port, client: &http.Client{
		Jar: jar, Timeout: 20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
	}}, nil
}

// open returns the page at path, after redirections.
func (b *browser) open(path string) (string, error) {
	r, err := b.client.Get(b.base + path)
	return read(r, err)
}

// submit posts a form and returns the page it leads to.
func (b *browser) submit(path string, form url.Values) (string, error) {
	r, err := b.client.PostForm(b.base+path, form)
	return read(r, err)
}

func read(r *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("the page answered %s", r.Status)
	}
	return string(text), err
}

// signIn signs a sample person in.
func (b *browser) signIn(s SignIn) error {
	code, err := identity.Code(s.Secret, time.Now())
	if err != nil {
		return err
	}
	page, err := b.submit("/sign-in", url.Values{"name": {s.Name}, "password": {s.Password}, "code": {code}})
	if err != nil {
		return err
	}
	if hidden(page, "csrf") == "" {
		return fmt.Errorf("%s could not sign in", s.Name)
	}
	return nil
}

// hidden returns the value of a page's hidden field, or nothing.
func hidden(page, name string) string {
	return first(page, `name="`+regexp.QuoteMeta(name)+`" value="([^"]*)"`)
}

// first returns what the first group of pattern matches in page, or nothing.
func first(page, pattern string) string {
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}
