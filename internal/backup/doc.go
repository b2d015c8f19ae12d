// Package backup makes copies of the store that are of no use to whoever
// finds them, proves every night that they would bring the store back, and
// brings it back.
package backup
