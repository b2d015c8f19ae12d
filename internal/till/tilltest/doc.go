// Package tilltest is a whole cash desk for tests and campaigns: a store under a
// root key sealed in a software TPM, books, clients, simulated terminals and a
// till over them, with timers so short that a night's worth of failures passes
// in a minute. Its campaign drives payments through wire faults and SIGKILL,
// and compares journal and ledger with what the terminals' issuer really did.
//
// Only tests and commands under bench import it.
package tilltest
