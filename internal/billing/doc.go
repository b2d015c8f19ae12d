// Package billing turns encounters into charges: the clinic's services with
// their fees, the sliding scale, and what each client owes.
//
// It promises that an encounter is charged once, however often it is closed
// or the same command arrives, and that the charge record and the ledger
// entry (Dr 1100 and, for a sliding scale, Dr 4910 / Cr the service's income
// account) commit together with the closing itself. Credit that the client
// has is applied to the charge in the same commit.
//
// Services carry a code and the clinic's own label; descriptions of the code
// set's publisher are not kept. A charge names no diagnosis. The accountant
// learns of a charge only the group of its service.
//
// On the disk: buckets fees (the services), scales (reductions by account)
// and charges (append-only). Billing knows nothing of how money is taken.
package billing
