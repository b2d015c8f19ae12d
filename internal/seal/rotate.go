package seal

import "context"

// BeginRotation draws the next root key and writes a header that opens both
// generations, the new one sealed as the present one is, and to the same
// recovery sheet. Where a rotation is under way already it returns that one's
// key.
func BeginRotation(ctx context.Context, device, headerPath string, p Proof) (next *Key, err error) {
	return nil, ErrHeader
}

// EndRotation writes a header that opens the newest generation alone, and
// makes all older copies of the header dead. To be called once the store
// names that generation; where no rotation is under way it does nothing.
func EndRotation(ctx context.Context, device, headerPath string, p Proof) error { return ErrHeader }

// At returns the key of a root generation that the header held when k was
// unsealed: two while the root key is being rotated. It is wiped with k.
func (k *Key) At(generation uint32) (*Key, bool) { return k, generation == k.generation }
