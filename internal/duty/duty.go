// Package duty keeps duties apart: what one person has done may bar the same
// person from another act (PCI DSS and audit practice call it the separation of
// duties; the clinic's rules are numbered).
//
// Its promise: an act that a rule forbids is refused as long as anybody else
// could do it. Only where nobody could, in a practice of one or two, it is
// allowed, and then it is written down for ever, in the same commit as the act:
// in the audit event and as a waiver, which the next day sheet prints.
//
// Money that is given back or written off beyond what one person may decide
// alone is proposed by one person and approved by another, of a role that may
// approve, in a session of their own. The proposal is durable, is open work until
// it is carried out, and ends by itself after OpenFor.
//
// On disk are the bucket of waivers, which is only ever added to, and the bucket
// of acts: every act of this kind with its reason, who asked for it and who
// approved it. What was noted about it is sealed under the client's key. Trusted:
// the roster of staff of package identity, for who else there is.
package duty

import (
	"slices"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/identity"
	"coffer/internal/vault"
)

// Rule is a rule of the separation of duties, by its number.
type Rule uint32

// The rules that acts are held against here.
const (
	// Proposer: who proposes an act does not approve it.
	Proposer Rule = 1
	// Taker: who took a payment of an account does not adjust the account on
	// the same day.
	Taker Rule = 2
	// Sealer: who took money on a day does not seal it.
	Sealer Rule = 3
)

// Waiver is an act that one person did although a rule demands two.
type Waiver struct {
	Rule Rule   `cbor:"1,keyasint"`
	By   string `cbor:"2,keyasint"` // sign-in name
	At   int64  `cbor:"3,keyasint"` // microseconds since 1970
}

type waiverRow = vault.Row[Waiver, vault.None]

// waivers are numbered from 1 without gaps.
var waivers = vault.NewJournal[Waiver, vault.None](vault.BucketWaivers)

// Tables returns what is kept, for opening the vault.
func Tables() []vault.AnyTable { return []vault.AnyTable{waivers, acts} }

// human are the roles of people.
var human = []access.Role{access.FrontDesk, access.Therapist, access.Accountant, access.Owner, access.Officer, access.IT}

// Apart holds the act of the transaction's agent against a rule. Concerned are
// the sign-in names of those whom the rule bars from the act; if the agent is
// none of them, all is well. Else it returns refusal, unless nobody but those
// concerned may do the act: then it writes a waiver.
func Apart(tx *vault.Tx, rule Rule, action access.Action, concerned []string, refusal error) error {
	if !slices.Contains(concerned, tx.Agent().Name()) {
		return nil
	}
	for _, role := range human {
		if !access.Grants(role, action) {
			continue
		}
		holders, err := identity.Holders(tx, role)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(holders, func(s identity.Staff) bool { return !slices.Contains(concerned, s.Name) }) {
			return refusal
		}
	}
	tx.Detail("sod", fault.Code("waived"))
	tx.Detail("sod.rule", fault.Int(uint64(rule)))
	_, err := waivers.Insert(tx, waiverRow{Shared: Waiver{rule, tx.Agent().Name(), tx.Now().UnixMicro()}})
	return err
}

// Count returns how many waivers there are: the last one's number.
func Count(tx *vault.Tx) uint64 { return waivers.Count(tx) }

// At returns the waiver of a number.
func At(tx *vault.Tx, number uint64) (Waiver, error) {
	row, err := waivers.At(tx, number)
	return row.Shared, err
}
