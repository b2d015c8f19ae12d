package pax

import (
	"bytes"

	"coffer/internal/pan"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// leaks reports whether a response's payload holds something that looks like
// a card number where none may be. It works on the bytes, so that a hit can be
// wiped before anything has become text.
//
// The account's own field must be masked, or four digits. Every other field
// must hold no run of 13 to 19 digits that has a card's first digits and a
// good check digit, except the fields of known numbers that may be as long and
// that kept drops when they look like one.
func leaks(payload []byte) bool {
	account, known := -1, map[[2]int]bool(nil)
	head := bytes.SplitN(payload, []byte{frame.FS}, 3)
	if len(head) > 1 {
		account, known = accountOf(string(head[1]))
	}
	group := -5 // the header's fields come first
	for g := range bytes.SplitSeq(payload, []byte{frame.FS}) {
		n := 0
		for field := range bytes.SplitSeq(g, []byte{frame.US}) {
			switch {
			case group == account && n == 0 && group >= 0:
				if !protocol.Masked(field) {
					return true
				}
			case known[[2]int{group, n}] || knownKey(field):
			case pan.In(field):
				return true
			}
			n++
		}
		group++
	}
	return false
}

// accountOf returns the account's group in a reply and the positions of the
// fields that hold numbers of the processor and of the terminal.
func accountOf(command string) (int, map[[2]int]bool) {
	switch command {
	case "T01", "T03":
		return repAccount, knownFields(repHost, repTrace)
	case "R03":
		return recAccount, knownFields(recHost, recTrace)
	}
	return -1, nil
}

func knownFields(host, trace int) map[[2]int]bool {
	return map[[2]int]bool{
		{host, 3}: true, {host, 4}: true, {host, 6}: true,
		{trace, 0}: true, {trace, 1}: true, {trace, 2}: true,
	}
}

// knownKeys are the KEY=VALUE items whose values may be long numbers. None of
// them is shown as it came: TC, ARQC, AAC and IAD are chip data in hexadecimal,
// the others are dropped. HREF and SN are shown, and so are searched.
var knownKeys = [][]byte{
	[]byte("GLOBALUID"), []byte("TOKEN"),
	[]byte("TC"), []byte("ARQC"), []byte("AAC"), []byte("IAD"),
}

func knownKey(field []byte) bool {
	key, value, ok := bytes.Cut(field, []byte{'='})
	if !ok || bytes.IndexByte(value, '=') >= 0 {
		return false // a second '=' is how a track looks
	}
	for _, k := range knownKeys {
		if bytes.EqualFold(bytes.TrimSpace(key), k) {
			return true
		}
	}
	return false
}
