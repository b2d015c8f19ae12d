package vault

import (
	"github.com/fxamacker/cbor/v2"

	"coffer/internal/fault"
)

// The storage form of records: CBOR in core deterministic encoding
// (RFC 8949 section 4.2.1), so equal values have equal bytes; decoding
// refuses duplicate keys, unknown fields, indefinite lengths and anything
// that could be made large by a few bytes.
var (
	encMode = mustEncMode()
	decMode = mustDecMode()
)

func mustEncMode() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	o.Time = cbor.TimeRFC3339Nano
	m, err := o.EncMode()
	if err != nil {
		panic("vault: " + err.Error()) // the options are constants of the program
	}
	return m
}

func mustDecMode() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   16,
		MaxArrayElements:  1 << 16,
		MaxMapPairs:       1 << 12,
	}.DecMode()
	if err != nil {
		panic("vault: " + err.Error()) // the options are constants of the program
	}
	return m
}

func encode(v any) ([]byte, error) {
	b, err := encMode.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "A value can't be stored. Report this to the makers of Coffer.")
	}
	return b, nil
}

func decode(b []byte, v any) error {
	if err := decMode.Unmarshal(b, v); err != nil {
		return fault.Wrap(err, fault.Corrupt, "A stored record doesn't have the form that this version of Coffer writes. Stop, and call IT.")
	}
	return nil
}
