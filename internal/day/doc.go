// Package day closes the clinic's day: drawers of cash, totals of terminals,
// and the numbered sheet under which a day is sealed.
//
// # What it promises
//
// A cashier counts the own drawer blind: by pieces of each value, before
// anything says what should be in it. No type that is made for cashiers holds
// what a drawer should hold. What a count is over or short is posted at once
// (6120); one recount is allowed, and both stay.
//
// A drop of today that is on no sheet yet can be taken back, with a reason, by
// the cashier who made it: its entries are reversed, and the drawer is counted
// again.
//
// A day sheet is a fold of the journal and of nothing else that could be
// retold: of the entries after those of the sheet before, up to the last that
// was recorded on its day. So every entry stands on exactly one sheet. What is
// posted for a day after its seal stands on the next sheet, as late. Sheets are
// numbered from 1 without gaps and never change; each holds the hash of the
// sheet before, the head of the audit trail, and a hash over the entries it
// covers and over all that it says. The vault signs the trail, with the TPM's
// quote, right after the event of the seal, and the sheet's signature is kept
// beside it. Check folds all of it anew: a sheet that was removed, changed or
// added is found.
//
// Rule 3 of the separation of duties: who has taken money on a day cannot seal
// it (package duty). Waived acts of every rule stand on the sheet.
//
// What a terminal states as the total of its batch is compared, to the cent,
// with what was posted to card clearing (1060) since its last batch. A
// difference opens a work item, which one person explains and another confirms.
//
// # Why it is a package of its own
//
// The till takes payments and must not depend on whether a day is closed; the
// close looks at what the till, billing and people have done. They meet in the
// journal, so this package reads the books, and of the till one thing only: who
// took payments, which no entry says. It stands on a floor of its own, above
// the desk.
//
// # What is on disk and trusted
//
// Buckets drawer counts, day sheets, day seals, sheet count, terminal batches
// and work items, through the vault. A sheet names clients by account number
// alone, through its entries. Trusted: the vault, for its transactions, and
// people for what they count and read off a terminal's report.
package day
