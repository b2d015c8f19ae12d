package ui

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var boxNames = []string{"coffer.home.arpa", "192.0.2.7"}

func newAuthority(t *testing.T, now time.Time, names []string) Authority {
	t.Helper()
	a, err := NewCA(now, names)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func verify(a Authority, leaf tls.Certificate, name string, at time.Time) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.Certificate())
	_, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: at})
	return err
}

func TestLeafIsTrustedForTheBoxAlone(t *testing.T) {
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	a := newAuthority(t, now, boxNames)
	leaf, err := a.Leaf(now, boxNames)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"coffer.home.arpa", "[192.0.2.7]"} {
		if err := verify(a, leaf, name, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verify(a, leaf, "coffer.home.arpa", now.AddDate(0, 0, 91)); err == nil {
		t.Error("a leaf is good after 90 days")
	}
	for _, foreign := range [][]string{{"bank.example"}, {"coffer.home.arpa", "bank.example"}, {"192.0.2.8"}} {
		forged, err := a.Leaf(now, foreign)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(a, forged, "", now); err == nil {
			t.Errorf("the authority can vouch for %v", foreign)
		}
	}
	if other := newAuthority(t, now, boxNames); verify(other, leaf, "coffer.home.arpa", now) == nil {
		t.Error("another authority vouches for the leaf")
	}
}

func TestAuthorityWithoutAddressesVouchesForNone(t *testing.T) {
	now := time.Now()
	a := newAuthority(t, now, []string{"coffer.home.arpa"})
	leaf, err := a.Leaf(now, []string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if verify(a, leaf, "", now) == nil {
		t.Error("an authority for a name vouches for an address")
	}
}

func TestAuthoritySurvivesStorage(t *testing.T) {
	now := time.Now()
	a := newAuthority(t, now, boxNames)
	text, err := a.PEM()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseAuthority(text)
	if err != nil {
		t.Fatal(err)
	}
	if a.Fingerprint() != b.Fingerprint() || len(a.Fingerprint()) != 32*3-1 {
		t.Errorf("fingerprints %s and %s", a.Fingerprint(), b.Fingerprint())
	}
	leaf, err := b.Leaf(now, boxNames)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(a, leaf, "coffer.home.arpa", now); err != nil {
		t.Error(err)
	}
	if Renew(leaf, now) || !Renew(leaf, now.AddDate(0, 0, 61)) || !Renew(tls.Certificate{}, now) {
		t.Error("a leaf is renewed at the wrong time")
	}
	for _, bad := range []string{"", string(a.Certificate()), strings.ReplaceAll(string(text), "PRIVATE KEY", "RSA KEY")} {
		if _, err := ParseAuthority([]byte(bad)); err == nil {
			t.Errorf("%d bytes that are no authority were read", len(bad))
		}
	}
	other, err := newAuthority(t, now, boxNames).PEM()
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(string(other), "-----END CERTIFICATE-----\n")
	if _, err := ParseAuthority(append(a.Certificate(), key...)); err == nil {
		t.Error("a certificate with another's key was read")
	}
}

func TestServerSpeaksTLS13Alone(t *testing.T) {
	now := time.Now()
	names := []string{"coffer.home.arpa", "127.0.0.1"}
	a := newAuthority(t, now, names)
	leaf, err := a.Leaf(now, names)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = TLS(func() tls.Certificate { return leaf })
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.Certificate())
	address := srv.Listener.Addr().(*net.TCPAddr).String()
	for version, good := range map[uint16]bool{tls.VersionTLS13: true, tls.VersionTLS12: false} {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, ServerName: names[0], MinVersion: version, MaxVersion: version, NextProtos: []string{"h2"}})
		if (err == nil) != good {
			t.Errorf("TLS version %x: %v", version, err)
		}
		if err == nil {
			if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
				t.Errorf("protocol %q, want h2", got)
			}
			conn.Close()
		}
	}
}
