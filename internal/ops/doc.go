// Package ops is what the person who looks after the box may ask of it:
// Status (how is it), Doctor (what needs doing, a line per check with the next
// step) and Verify (is every stored byte what was written, do the books
// balance, is the audit tree whole).
//
// It works while the store is sealed or not open yet: Status and Doctor then
// say so and why. Results are plain structs whose JSON is a contract
// (snake_case, fixed by golden files of cofferctl); they hold counts, sizes,
// times, identifiers of the machine's own things and words of the program,
// and never a client, an amount or an account of a client.
//
// Every call names its agent. Status and Doctor ask for access.BoxStatus and
// Verify for access.StoreVerify; a denial is recorded in the audit trail when
// the store is open. Verify is an audited act.
//
// On disk: nothing of its own. Trusted: what packages vault, books, seal,
// terminal and host say.
package ops
