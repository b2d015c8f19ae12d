package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"coffer/internal/fault"
)

// Params are the costs of an Argon2id hash (RFC 9106).
type Params struct {
	Time      uint32 // passes
	MemoryKiB uint32
	Threads   uint8
}

// ParamsDefault take about an eighth of a second on two cores.
var ParamsDefault = Params{Time: 3, MemoryKiB: 64 * 1024, Threads: 2}

const (
	hashesAtOnce = 2 // a hash takes 64 MiB: more at once could exhaust the box
	saltBytes    = 16
	keyBytes     = 32
	memoryMaxKiB = 1 << 20 // above it a stored hash is damage, not a cost
)

// phc is a hash in the PHC string format,
// $argon2id$v=19$m=65536,t=3,p=2$salt$key with unpadded base64.
type phc struct {
	Params
	salt, key []byte
}

func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.MemoryKiB, h.Time, h.Threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

var errHash = fault.New(fault.Corrupt, "A stored password hash cannot be read. Call IT.")

// parsePHC reads what String writes, and nothing else.
func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, errHash
	}
	var h phc
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return phc{}, errHash
	}
	memory, err1 := cost(costs[0], "m=", memoryMaxKiB)
	time, err2 := cost(costs[1], "t=", 64)
	threads, err3 := cost(costs[2], "p=", 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return phc{}, errHash
	}
	h.Params = Params{Time: uint32(time), MemoryKiB: uint32(memory), Threads: uint8(threads)}
	salt, err1 := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(salt) > 64 || len(key) < 16 || len(key) > 64 {
		return phc{}, errHash
	}
	h.salt, h.key = salt, key
	if h.String() != s {
		return phc{}, errHash
	}
	return h, nil
}

func cost(s, name string, max uint64) (uint64, error) {
	digits, ok := strings.CutPrefix(s, name)
	if !ok {
		return 0, errHash
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n < 1 || n > max {
		return 0, errHash
	}
	return n, nil
}

// newHash hashes a password under a fresh salt, as soon as one of the places
// is free.
func (i *Identity) newHash(ctx context.Context, password string) (string, error) {
	h := phc{Params: i.hash, salt: make([]byte, saltBytes)}
	rand.Read(h.salt)
	var err error
	h.key, err = i.derive(ctx, password, h.Params, h.salt, keyBytes)
	return h.String(), err
}

// matches reports whether the password is the one of a stored hash. A hash
// that is empty (nobody has the name) costs the same and matches nothing.
func (i *Identity) matches(ctx context.Context, stored, password string) (bool, error) {
	h := phc{Params: i.hash, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	if stored != "" {
		var err error
		if h, err = parsePHC(stored); err != nil {
			return false, err
		}
	}
	key, err := i.derive(ctx, password, h.Params, h.salt, uint32(len(h.key)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, h.key) == 1 && stored != "", nil
}

func (i *Identity) derive(ctx context.Context, password string, p Params, salt []byte, size uint32) ([]byte, error) {
	select {
	case i.hashing <- struct{}{}:
		defer func() { <-i.hashing }()
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "Coffer is busy signing others in. Try again.")
	}
	return argon2.IDKey([]byte(password), salt, p.Time, p.MemoryKiB, p.Threads, size), nil
}

// outdated reports whether a stored hash was made with other costs than new
// ones are.
func (i *Identity) outdated(stored string) bool {
	h, err := parsePHC(stored)
	return err != nil || h.Params != i.hash
}
