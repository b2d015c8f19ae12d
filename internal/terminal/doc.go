// Package terminal owns card terminals: for each one a line (serial, USB or
// TCP), a goroutine, and one conversation at a time.
//
// It promises that a command is sent at most once unless the terminal has
// given no sign of having got it; that nothing is sent before Hooks.Sending
// has made the attempt durable; that the terminal gets its ACK only after
// Hooks.Result has made the outcome durable; that a lost line is noticed at
// once and attached again by itself; and that what ends without proof ends
// InDoubt, never as a guess.
//
// It keeps nothing on disk. It trusts no byte of the line: whatever the
// terminal sends is parsed by pure code with bounded memory, searched for
// card numbers and reduced to an allow-list; bytes of the line are never
// logged. This package is the only home of tarm/serial, made safe by a
// control descriptor (see serial.go).
package terminal
