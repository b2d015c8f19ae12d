package seal_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"

	"coffer/internal/seal"
)

// publisher signs releases, as the release key's holder does offline.
type publisher struct {
	t   *testing.T
	key crypto.Signer
}

func newPublisher(t *testing.T) publisher {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return publisher{t, k}
}

func newRSAPublisher(t *testing.T) publisher {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return publisher{t, k}
}

func (p publisher) pkix() []byte {
	p.t.Helper()
	b, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// signed is one entry of tpm2-pcr-signature.json.
type signed struct {
	PCRs []int  `json:"pcrs"`
	PKFP string `json:"pkfp"`
	Pol  string `json:"pol"`
	Sig  string `json:"sig"`
}

// sign signs software for an epoch: what PCR 11 is after it was measured once.
func (p publisher) sign(software, epoch string) signed {
	p.t.Helper()
	event := sha256.Sum256([]byte(software))
	value := sha256.Sum256(append(make([]byte, 32), event[:]...))
	pol := pcr11Policy(value[:])
	digest := sha256.Sum256(append(pol, epoch...))
	sig, err := p.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		p.t.Fatal(err)
	}
	fp := sha256.Sum256(p.pkix())
	return signed{[]int{11}, hex.EncodeToString(fp[:]), hex.EncodeToString(pol), base64.StdEncoding.EncodeToString(sig)}
}

// pcr11Policy computes TPM2_PolicyPCR's digest by hand (TPM 2.0 part 3, 23.7).
func pcr11Policy(value []byte) []byte {
	digest := sha256.Sum256(value)
	b := make([]byte, 32)
	b = append(b, 0, 0, 0x01, 0x7f)                        // TPM_CC_PolicyPCR
	b = append(b, 0, 0, 0, 1, 0, 0x0b, 3, 0x00, 0x08, 0x0) // one selection: SHA-256, PCR 11
	b = append(b, digest[:]...)
	pol := sha256.Sum256(b)
	return pol[:]
}

// file is tpm2-pcr-signature.json.
func file(t *testing.T, entries ...signed) []byte {
	t.Helper()
	b, err := json.Marshal(map[string][]signed{"sha1": {}, "sha256": entries})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// measured returns the Setup and the Proof of a release.
func (p publisher) measured(software, epoch string) (seal.Setup, seal.Proof) {
	f := file(p.t, p.sign("some other phase", epoch), p.sign(software, epoch))
	return seal.Setup{Level: seal.Measured, Release: seal.Release{Key: p.pkix(), Epoch: epoch, Signatures: f}}, seal.Proof{Signatures: f}
}

// FuzzSignatures: the file comes with the image, from outside.
func FuzzSignatures(f *testing.F) {
	f.Add([]byte(`{"sha256":[{"pcrs":[11],"pkfp":"00","pol":"00","sig":"AA=="}]}`))
	f.Add([]byte(`{"sha256":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := seal.ReadSignatures(b); err != nil && !isFault(err, seal.ErrUnsignedBoot) {
			t.Fatal(err)
		}
	})
}
