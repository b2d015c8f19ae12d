package firmwareconfig

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"embed"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"coffer/internal/fault"
	"coffer/internal/terminal/protocol"
)

//go:embed profiles/*.json allow/*.json inspect/*.json
var embedded embed.FS

// ErrDirectory says that a directory of profiles is not what its key signed.
var ErrDirectory = fault.New(fault.Invalid, "The directory of terminal profiles is refused: it is not signed by the key in the boot file, or a file in it is not the one that was signed. The profiles that came with the program stay in force. Sign the directory anew, as firmware-config/README.md says.")

// ErrKey says that the key of a directory cannot be used.
var ErrKey = fault.New(fault.Invalid, "The key of the directory of terminal profiles cannot be read: profiles.key in the boot file must name a file with an Ed25519 public key in PEM. The profiles that came with the program stay in force.")

// ParseKey reads an Ed25519 public key in PEM (RFC 8410), or gives ErrKey.
func ParseKey(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, ErrKey
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if key, ok := parsed.(ed25519.PublicKey); ok && err == nil {
		return key, nil
	}
	return nil, ErrKey
}

// The files of a signed directory beside those that it lists.
const (
	manifestFile  = "manifest"
	signatureFile = "manifest.sig"
	// manifestHead is the first line of a manifest: what was signed for another
	// purpose is none.
	manifestHead = "coffer firmware-config 1"
)

// filesMax is how many files a signed directory may list.
const filesMax = 300

// Catalogue is what is known of models of terminals: what was compiled in, and
// over it what a signed directory has. The zero value is what was compiled in.
type Catalogue struct{ over map[string][]byte }

// Open returns the catalogue with the files of a directory over those that
// were compiled in. The directory has a manifest: the line manifestHead, then
// lines as sha256sum prints them, and beside it the Ed25519 signature over the
// manifest's bytes (RFC 8032, 64 bytes). A directory that is not signed by the
// key, lists a file that is not there or another one, or has one that does not
// parse is refused whole: ErrDirectory, with the catalogue that was compiled
// in.
func Open(dir fs.FS, key ed25519.PublicKey) (Catalogue, error) {
	manifest, err := read(dir, manifestFile)
	if err != nil {
		return Catalogue{}, err
	}
	signature, err := read(dir, signatureFile)
	if err != nil {
		return Catalogue{}, err
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, manifest, signature) {
		return Catalogue{}, ErrDirectory
	}
	listed, ok := parseManifest(manifest)
	if !ok {
		return Catalogue{}, ErrDirectory
	}
	c := Catalogue{over: map[string][]byte{}}
	for name, sum := range listed {
		b, err := read(dir, name)
		if err != nil {
			return Catalogue{}, err
		}
		if sha256.Sum256(b) != sum {
			return Catalogue{}, ErrDirectory
		}
		c.over[name] = b
	}
	if err := c.Check(); err != nil {
		return Catalogue{}, fault.Wrap(err, fault.Invalid, "The directory of terminal profiles is refused: it is signed, but a file in it is not as it must be. The profiles that came with the program stay in force. Check it with cofferctl terminal lint, then sign it anew.")
	}
	return c, nil
}

// OpenDirectory is Open for a directory of this machine and the file of a public
// key (PEM). A key that can't be read is ErrKey.
func OpenDirectory(directory, keyFile string) (Catalogue, error) {
	text, err := read(plainFiles(filepath.Dir(keyFile)), filepath.Base(keyFile))
	if err != nil {
		return Catalogue{}, ErrKey
	}
	key, err := ParseKey(text)
	if err != nil {
		return Catalogue{}, err
	}
	return Open(plainFiles(directory), key)
}

// plainFiles is a directory of which only regular files can be opened: a pipe or
// device put there must not make anybody wait.
type plainFiles string

// Open opens a file of the directory.
func (d plainFiles) Open(name string) (fs.File, error) {
	f, err := os.OpenFile(filepath.Join(string(d), name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, errors.Join(err, f.Close(), fs.ErrInvalid)
	}
	return f, nil
}

// read returns a file of the directory, of at most sizeMax bytes.
func read(dir fs.FS, name string) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, ErrDirectory
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, sizeMax+1))
	if err != nil || len(b) > sizeMax {
		return nil, ErrDirectory
	}
	return b, nil
}

var lineForm = regexp.MustCompile(`^([0-9a-f]{64})  ((?:profiles|allow|inspect)/[a-z0-9-]{1,40}\.json)$`)

// parseManifest returns the files of a manifest and their hashes.
func parseManifest(text []byte) (map[string][sha256.Size]byte, bool) {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if lines[0] != manifestHead || len(lines) > filesMax+1 {
		return nil, false
	}
	listed := map[string][sha256.Size]byte{}
	for _, line := range lines[1:] {
		m := lineForm.FindStringSubmatch(line)
		if m == nil {
			return nil, false
		}
		var sum [sha256.Size]byte
		if _, err := hex.Decode(sum[:], []byte(m[1])); err != nil {
			return nil, false
		}
		if _, twice := listed[m[2]]; twice {
			return nil, false
		}
		listed[m[2]] = sum
	}
	return listed, true
}

// file returns a file of the catalogue.
func (c Catalogue) file(kind, id string) ([]byte, error) {
	if !idForm.MatchString(id) {
		return nil, ErrUnknown
	}
	name := kind + "/" + id + ".json"
	if b, ok := c.over[name]; ok {
		return b, nil
	}
	b, err := embedded.ReadFile(name)
	if err != nil {
		return nil, ErrUnknown
	}
	return b, nil
}

// IDs returns the names of all profiles, in alphabetical order.
func (c Catalogue) IDs() []string {
	names, err := fs.Glob(embedded, "profiles/*.json")
	if err != nil {
		return nil // the pattern is a constant, and good
	}
	for name := range c.over {
		if path.Dir(name) == "profiles" {
			names = append(names, name)
		}
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(path.Base(n), ".json")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Profile returns the profile of this name, or ErrUnknown.
func (c Catalogue) Profile(id string) (protocol.Profile, error) {
	b, err := c.file("profiles", id)
	if err != nil {
		return protocol.Profile{}, err
	}
	p, err := Parse(b)
	if err == nil && p.ID != id {
		return protocol.Profile{}, ErrProfile
	}
	return p, err
}

// Allow returns the allow list of a profile, or ErrUnknown.
func (c Catalogue) Allow(id string) (Allow, error) {
	b, err := c.file("allow", id)
	if err != nil {
		return Allow{}, err
	}
	a, err := ParseAllow(b)
	if err == nil && a.Profile != id {
		return Allow{}, ErrAllow
	}
	return a, err
}

// Inspection returns the steps with which a terminal of a profile is
// inspected, or ErrUnknown.
func (c Catalogue) Inspection(id string) (Inspection, error) {
	b, err := c.file("inspect", id)
	if err != nil {
		return Inspection{}, err
	}
	i, err := ParseInspection(b)
	if err == nil && i.Profile != id {
		return Inspection{}, ErrInspection
	}
	return i, err
}

// Check reads everything: each profile must have an allow list and the steps of
// its inspection.
func (c Catalogue) Check() error {
	for _, id := range c.IDs() {
		if _, err := c.Profile(id); err != nil {
			return err
		}
		if _, err := c.Allow(id); err != nil {
			return err
		}
		if _, err := c.Inspection(id); err != nil {
			return err
		}
	}
	for name := range c.over {
		if !slices.Contains(c.IDs(), strings.TrimSuffix(path.Base(name), ".json")) {
			return ErrUnknown
		}
	}
	return nil
}

// IDs returns the names of the profiles that were compiled in.
func IDs() []string { return Catalogue{}.IDs() }

// Profile returns the profile of this name that was compiled in, or ErrUnknown.
func Profile(id string) (protocol.Profile, error) { return Catalogue{}.Profile(id) }
