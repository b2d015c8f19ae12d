package backup

import "crypto/cipher"

// streamKey opens the chunks of one backup.
type streamKey = cipher.AEAD

// unwrap opens one of the two wrapped stream keys of a header.
func unwrap(open func(aad, sealed []byte) ([]byte, error), h *Header, sealed []byte) (streamKey, error) {
	key, err := open(h.appendFixed(nil), sealed)
	if err != nil || len(key) != keyBytes {
		return nil, because(ErrAuth, err)
	}
	defer clear(key)
	return newAEAD(key), nil
}
