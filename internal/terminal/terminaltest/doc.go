// Package terminaltest holds what every protocol.Driver must keep, whatever the
// make of terminal: Run plays peers that nobody has thought of against a driver
// and watches what it does, Play plays a written script.
package terminaltest
