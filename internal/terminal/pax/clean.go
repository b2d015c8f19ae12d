package pax

// clean returns s in printable ASCII and at most sizeMax bytes long; every
// other byte becomes a space, and spaces at the ends go.
func clean(s string, sizeMax int) string {
	b := make([]byte, 0, min(len(s), sizeMax))
	for i := 0; i < len(s) && len(b) < sizeMax; i++ {
		c := s[i]
		if c < 0x20 || c > 0x7e {
			c = ' '
		}
		if c == ' ' && len(b) == 0 {
			continue
		}
		b = append(b, c)
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return string(b)
}
