package ui

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"time"

	"coffer/internal/fault"
)

// How long certificates live. A leaf is renewed by making a new one at start
// and whenever Renew says so.
const (
	authorityDays = 3650
	leafDays      = 90
	renewDays     = 30
)

// errPEM is returned by ParseAuthority.
var errPEM = fault.New(fault.Corrupt, "The stored certificate authority of the box cannot be read. Run cofferctl verify, then make a new one.")

// Authority is the box's own certificate authority. It can vouch only for the
// names and addresses it was made for: they are critical name constraints
// (RFC 5280, section 4.2.1.10), so a stolen authority cannot speak for any
// other site. Workstations of the clinic trust its certificate once.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority (ECDSA P-256, valid for ten years from now) for the
// names, each a DNS name or an IP address.
func NewCA(now time.Time, names []string) (Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Authority{}, fault.Wrap(err, fault.Internal, "Cannot make a key for the box's certificate authority.")
	}
	hosts, addresses := splitNames(names)
	template := &x509.Certificate{
		SerialNumber:                serial(),
		Subject:                     pkix.Name{CommonName: "Coffer box authority"},
		NotBefore:                   now.Add(-time.Hour),
		NotAfter:                    now.AddDate(0, 0, authorityDays),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         orNone(hosts),
		PermittedIPRanges:           singleAddresses(addresses),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return Authority{}, fault.Wrap(err, fault.Internal, "Cannot make the box's certificate authority.")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Authority{}, fault.Wrap(err, fault.Internal, "Cannot read the box's new certificate authority.")
	}
	return Authority{cert: cert, key: key}, nil
}

// Leaf makes a server certificate for the names, valid for 90 days from now.
// Its key exists in memory only.
func (a Authority) Leaf(now time.Time, names []string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fault.Wrap(err, fault.Internal, "Cannot make a key for the box's certificate.")
	}
	hosts, addresses := splitNames(names)
	template := &x509.Certificate{
		SerialNumber: serial(),
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(0, 0, leafDays),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     hosts,
		IPAddresses:  addresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return tls.Certificate{}, fault.Wrap(err, fault.Internal, "Cannot make the box's certificate.")
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fault.Wrap(err, fault.Internal, "Cannot read the box's new certificate.")
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// Renew reports whether the leaf should be replaced at now: less than 30 days
// are left of it.
func Renew(leaf tls.Certificate, now time.Time) bool {
	return leaf.Leaf == nil || now.AddDate(0, 0, renewDays).After(leaf.Leaf.NotAfter)
}

// Certificate returns the authority's certificate as PEM, for workstations.
func (a Authority) Certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// PEM returns the authority as PEM, certificate and private key, for the vault.
// It is a secret.
func (a Authority) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "Cannot encode the key of the box's certificate authority.")
	}
	return append(a.Certificate(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...), nil
}

// ParseAuthority reads what PEM returned.
func ParseAuthority(text []byte) (Authority, error) {
	certBlock, rest := pem.Decode(text)
	keyBlock, _ := pem.Decode(rest)
	if certBlock == nil || keyBlock == nil || certBlock.Type != "CERTIFICATE" || keyBlock.Type != "PRIVATE KEY" {
		return Authority{}, errPEM
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return Authority{}, fault.Wrap(err, fault.Corrupt, "The stored certificate of the box's authority cannot be read.")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return Authority{}, fault.Wrap(err, fault.Corrupt, "The stored key of the box's authority cannot be read.")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !cert.IsCA || !key.PublicKey.Equal(cert.PublicKey) {
		return Authority{}, errPEM
	}
	return Authority{cert: cert, key: key}, nil
}

// Fingerprint returns the SHA-256 of the authority's certificate as pairs of
// hex digits, which a person compares before trusting it.
func (a Authority) Fingerprint() string {
	const digits = "0123456789ABCDEF"
	sum := sha256.Sum256(a.cert.Raw)
	var b strings.Builder
	for i, octet := range sum {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteByte(digits[octet>>4])
		b.WriteByte(digits[octet&15])
	}
	return b.String()
}

// TLS returns the server's TLS settings: version 1.3 alone, HTTP/2 offered.
func TLS(leaf func() tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert := leaf()
			return &cert, nil
		},
	}
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		panic(err) // crypto/rand never fails on Linux (its documentation)
	}
	return n.Add(n, big.NewInt(1))
}

func splitNames(names []string) (hosts []string, addresses []net.IP) {
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			addresses = append(addresses, ip)
			continue
		}
		hosts = append(hosts, name)
	}
	return hosts, addresses
}

// orNone keeps the constraint when there is no host name: a name that cannot
// be (RFC 2606) instead of no constraint at all.
func orNone(hosts []string) []string {
	if len(hosts) == 0 {
		return []string{"none.invalid"}
	}
	return hosts
}

func singleAddresses(addresses []net.IP) []*net.IPNet {
	var ranges []*net.IPNet
	for _, ip := range addresses {
		if four := ip.To4(); four != nil {
			ip = four
		}
		bits := 8 * len(ip)
		ranges = append(ranges, &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, bits)})
	}
	if len(ranges) == 0 {
		nowhere := net.IPv4(192, 0, 2, 1).To4() // RFC 5737, for documentation
		ranges = append(ranges, &net.IPNet{IP: nowhere, Mask: net.CIDRMask(32, 32)})
	}
	return ranges
}
