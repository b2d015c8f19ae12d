// Package demo furnishes a sample clinic and shows Coffer with it: the real
// daemon on a real software TPM with a simulated card terminal on a real
// serial line (a pty). There is no demo path in the product: the sample
// history is posted through the same calls that people's work goes through,
// day by day, by the sample staff, with the vault's clock set back.
//
// On disk, in the demo's own directory: the TPM's state, the store and its
// header, the terminal's truth ledger, the boot file, and sign-ins.json, which
// holds the sample staff's TOTP secrets so that a guest can sign in. Nothing
// of this exists on a clinic's box.
package demo
