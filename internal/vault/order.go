package vault

import (
	"encoding/binary"

	"coffer/internal/civil"
)

// Uint64Key returns index text that sorts as the numbers do.
func Uint64Key(n uint64) string {
	return string(binary.BigEndian.AppendUint64(nil, n))
}

// DateKey returns index text that sorts as the dates do, dates before 1970
// included.
func DateKey(d civil.Date) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(int32(d))^1<<31))
}
