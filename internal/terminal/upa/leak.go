package upa

import (
	"bytes"

	"coffer/internal/pan"
	"coffer/internal/terminal/protocol"
)

// leaks reports whether a value holds something that looks like a card number
// where none may be, or card data that no message allowed here may have. path is
// in lower case.
//
// The masked account must be masked, or four digits. Every other value must hold
// no run of 13 to 19 digits that has a card's first digits and a good check
// digit, except those of known numbers that may be as long, and that are never
// kept.
func leaks(path, value []byte) bool {
	name := path[bytes.LastIndexByte(path, '.')+1:]
	for bytes.HasSuffix(name, []byte("[]")) {
		name = name[:len(name)-2]
	}
	switch {
	case len(value) == 0:
		return false
	case isMaskedAccount(name):
		return !protocol.Masked(value)
	case isCardData(name):
		return true
	case isLongNumber(name):
		return false
	}
	return pan.In(value)
}

func isMaskedAccount(name []byte) bool {
	return string(name) == "maskedpan" || string(name) == "maskedcardnumber"
}

// isCardData reports whether a value of this name is account data by its name
// alone: the number or a track in clear or encrypted, a PIN block, and the EMV
// tags of account number and tracks (EMV Book 3, annex A).
func isCardData(name []byte) bool {
	switch string(name) {
	case "pan", "clearpan", "encryptedpan", "cvv", "trackdata", "track1", "track2", "track3",
		"cleartrack1", "cleartrack2", "cleartrack3", "encryptedtrack1", "encryptedtrack2", "encryptedtrack3",
		"encryptedblob", "ksn", "pinblock", "5a", "56", "57", "9f20", "9f6b":
		return true
	}
	return false
}

// isLongNumber reports whether a value of this name may be a long number that is
// none of a card: the processor's, a token, or chip data.
func isLongNumber(name []byte) bool {
	switch string(name) {
	case "tokenvalue", "responseid", "cardbrandtransid", "tracenumber", "customhash", "9f10", "9f26":
		return true
	}
	return false
}
