package books

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"coffer/internal/fault"
	"coffer/internal/vault"
)

// errUnbalanced is given by Digest for books in which Check finds something.
var errUnbalanced = fault.New(fault.Corrupt, "The books contradict themselves. Run cofferctl ledger check, and call support with what it finds.")

// Digest checks the books and returns the SHA-256, in hex, of the balance of
// every account and sub-ledger: equal for equal books.
func Digest(tx *vault.Tx) (string, error) {
	c, err := check(tx)
	if err != nil {
		return "", err
	}
	if len(c.report.Findings) > 0 {
		return "", errUnbalanced
	}
	h := sha256.New()
	for _, k := range c.fold.Keys() {
		fmt.Fprintf(h, "%s/%s %s\n", k.Account, k.Sub, c.fold.Posted(k.Account, k.Sub))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
