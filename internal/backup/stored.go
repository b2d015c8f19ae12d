package backup

// Stored is one value as the store holds it.
type Stored struct {
	Bucket uint16
	Key    uint64
	Value  []byte
}
