package seal_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// verified checks a quote by the standard alone and returns the digest of the
// PCRs (TPM 2.0 part 2, 10.12.12: magic, type, signer, extra, clock 17 bytes,
// firmware 8, selections, digest).
func verified(t *testing.T, pkix, attest, sig []byte, extra [32]byte) (pcrs []byte) {
	t.Helper()
	key, err := x509.ParsePKIXPublicKey(pkix)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(attest)
	if !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), digest[:], sig) {
		t.Fatal("the signature is wrong")
	}
	if binary.BigEndian.Uint32(attest) != 0xff544347 || binary.BigEndian.Uint16(attest[4:]) != 0x8018 {
		t.Fatalf("no quote: %x", attest[:6])
	}
	rest := attest[6:]
	rest = rest[2+binary.BigEndian.Uint16(rest):]
	n := binary.BigEndian.Uint16(rest)
	if !bytes.Equal(rest[2:2+n], extra[:]) {
		t.Fatalf("quoted over %x", rest[2:2+n])
	}
	rest = rest[2+n+17+8:]
	if want := []byte{0, 0, 0, 1, 0, 0x0b, 3, 0xff, 0x08, 0}; !bytes.Equal(rest[:10], want) {
		t.Fatalf("PCRs %x", rest[:10])
	}
	return rest[12:]
}

func TestQuote(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{})
	a, extra := seal.NewAttestor(device, k), sha256.Sum256([]byte("a checkpoint"))
	quote := func() []byte {
		attest, sig, err := a.Quote(t.Context(), extra)
		if err != nil {
			t.Fatal(err, seal.Detail(err))
		}
		return verified(t, a.Public(), attest, sig, extra)
	}
	first := quote()
	for range 4 { // more often than the TPM has room for keys
		if !bytes.Equal(quote(), first) {
			t.Fatal("the PCRs moved")
		}
	}
	for _, pcr := range []uint{0, 7, 11} {
		before := quote()
		if err := seal.Extend(t.Context(), device, pcr, "something"); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(quote(), before) {
			t.Fatalf("PCR %d is not quoted", pcr)
		}
	}
	fp := sha256.Sum256(a.Public())
	restarted := unsealed(t, device, header, seal.Proof{}, k)
	if s := restarted.Status(); s.AttestationKey != hex.EncodeToString(fp[:]) || !bytes.Equal(seal.NewAttestor(device, restarted).Public(), a.Public()) {
		t.Fatalf("%+v", s)
	}
	if _, other := sheeted(t, device, seal.Setup{}); bytes.Equal(seal.NewAttestor(device, other).Public(), a.Public()) {
		t.Fatal("two stores have one attestation key")
	}
}

// TestQuoteByAThief: the header's file is not enough, on this box or another.
func TestQuoteByAThief(t *testing.T) {
	_, k := sheeted(t, sealtest.TPM(t), seal.Setup{})
	if _, _, err := seal.NewAttestor(sealtest.TPM(t), k).WithoutAuth().Quote(t.Context(), [32]byte{}); err == nil {
		t.Fatal("quoted without the authorization")
	}
	there := sealtest.Another(t)
	sheeted(t, there, seal.Setup{})
	if _, _, err := seal.NewAttestor(there, k).Quote(t.Context(), [32]byte{}); !isFault(err, seal.ErrOtherTPM) {
		t.Fatal(err)
	}
}
