package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coffer/internal/seal"
)

// measures extends a PCR of the TPM as firmware and boot loader do
// (TPM2_PCR_Event, TPM 2.0 library part 3, section 22.3).
func measures(t *testing.T, device string, pcr byte, event string) {
	t.Helper()
	c, err := net.Dial("unix", device)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := []byte{0x80, 0x02, 0, 0, 0, 0, 0, 0, 0x01, 0x3c, 0, 0, 0, pcr}
	b = append(b, 0, 0, 0, 9, 0x40, 0, 0, 0x09, 0, 0, 0, 0, 0) // the empty password
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(event))), event...)
	binary.BigEndian.PutUint32(b[2:], uint32(len(b)))
	answer := make([]byte, 4096)
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(answer); err != nil || n < 10 || binary.BigEndian.Uint32(answer[6:]) != 0 {
		t.Fatalf("the TPM answers % x %v", answer[:n], err)
	}
}

// signed returns the signature file of an image that measures as event, by the
// release key under an epoch.
func signed(t *testing.T, key *ecdsa.PrivateKey, event, epoch string) []byte {
	t.Helper()
	measured := sha256.Sum256([]byte(event))
	value := sha256.Sum256(append(make([]byte, 32), measured[:]...))
	digest := sha256.Sum256(value[:])
	// TPM2_PolicyPCR of PCR 11 of the SHA-256 bank, from an empty policy.
	policy := append(make([]byte, 32), 0, 0, 0x01, 0x7f, 0, 0, 0, 1, 0, 0x0b, 3, 0, 0x08, 0)
	pol := sha256.Sum256(append(policy, digest[:]...))
	approved := sha256.Sum256(append(pol[:], epoch...))
	sig, err := ecdsa.SignASN1(rand.Reader, key, approved[:])
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := sha256.Sum256(pkix)
	text, err := json.Marshal(map[string]any{"sha256": []any{map[string]any{
		"pcrs": []int{11}, "pkfp": hex.EncodeToString(fingerprint[:]), "pol": hex.EncodeToString(pol[:]), "sig": sig,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// machine starts a machine with Secure Boot and an image, with its TPM in dir.
// off takes the power away.
func machine(t *testing.T, dir string) (device string, off func()) {
	t.Helper()
	device, stop, err := seal.StartSoftwareTPM(context.Background(), dir)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	off = func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(off)
	measures(t, device, 7, "Secure Boot, with the keys of the box")
	measures(t, device, 11, "image 1")
	return device, off
}

// TestMeasuredOpensOncePerStart: at level measured the books open once after
// each start of the machine. A daemon that was killed, and whatever runs with
// its rights after it, gets nothing from the TPM: it says to restart the
// machine, and then the books open. What the running daemon does with its keys
// goes on.
func TestMeasuredOpensOncePerStart(t *testing.T) {
	chip, err := os.MkdirTemp("", "tpm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(chip) })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	device, off := machine(t, chip)
	b := newBox(t, device)
	b.amend(t, "\n[seal]\nlevel = \"measured\"\nepoch = \"1\"\nrelease_key = \""+b.dir+"/release.pem\"\nsignatures = \""+b.dir+"/signatures.json\"\n")
	for name, text := range map[string][]byte{
		"release.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}), "signatures.json": signed(t, key, "image 1", "1"),
	} {
		if err := os.WriteFile(filepath.Join(b.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.setUp(t)
	r := b.start(t)
	if out := b.must(t, 0, "", "seal", "status"); !strings.Contains(out, "measured") {
		t.Errorf("the seal says\n%s", out)
	}
	b.must(t, 0, "", "key", "rotate")
	r.signal(t, syscall.SIGKILL)

	r = b.start(t)
	if out := b.must(t, 5, "", "status"); !strings.Contains(out, "SEAL-022") || !strings.Contains(out, "Restart the machine") {
		t.Errorf("a second start says\n%s", out)
	}
	if status, page, err := b.page("/"); err != nil || status != http.StatusServiceUnavailable || !strings.Contains(page, "Restart the machine") {
		t.Errorf("the page of a second start: %d %v\n%s", status, err, page)
	}
	r.signal(t, syscall.SIGTERM)

	off()
	machine(t, chip)
	b.start(t)
	b.must(t, 0, "", "status")
	b.must(t, 0, "", "verify")
}
