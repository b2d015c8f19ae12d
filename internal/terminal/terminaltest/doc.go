// Package terminaltest holds what every protocol.Driver must keep, whatever the
// make of terminal.
//
// Run plays peers that nobody has thought of against a driver: words of its
// protocol in any order, whole, cut and glued together, with noise between them,
// silence and a line that goes away. It watches that a command is not written
// again once anything may have answered it; that an attempt is durable before
// its first byte, and an answer before it is acknowledged; that each
// conversation ends within its limit; that what ends without proof ends in
// doubt; that an approval is believed only for the reference, the kind and the
// amount that were asked for, and by a code that is known; that a look-up writes
// nothing that could move money; and that card data raises the alarm.
//
// Play plays a written script.
package terminaltest
