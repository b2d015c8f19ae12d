// Package billing turns encounters into charges: the clinic's services with
// their fees, the sliding scale, and what each client owes.
//
// It promises that an encounter is charged once, however often it is closed
// or the same command arrives, and that the charge record and the ledger
// entry (Dr 1100 and, for a sliding scale, Dr 4910 / Cr the service's income
// account) commit together with the closing itself. Credit that the client
// has is applied to the charge in the same commit.
//
// An adjustment lowers what a client owes: a courtesy (Dr 4920) or a write-off
// (Dr 4930, 6200), Cr 1100, never more than is open. Beyond what one person may
// decide alone a second person approves it, and it is posted in the commit of the
// approval. Who took a payment of the account today neither adjusts it nor
// approves that (package duty, rule 2).
//
// Services carry a code and the clinic's own label; descriptions of the code
// set's publisher are not kept. A charge names no diagnosis. The accountant
// learns of a charge only the group of its service.
//
// On the disk: buckets fees (the services), scales (reductions by account)
// and charges (append-only). Billing knows nothing of how money is taken.
package billing
