package recovery

// Forged returns a share that somebody made up, with true check bytes.
func Forged(s Share) Share {
	s.y[7] ^= 1
	return s
}
