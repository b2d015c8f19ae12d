package day

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/duty"
	"coffer/internal/vault"
)

// Finding is a day sheet that is not as it was sealed, or is missing.
type Finding struct {
	Sheet uint64
	What  string // one sentence
}

// What a check can find.
const (
	whatNumber   = "Day sheets are missing or out of order."
	whatChain    = "The sheet does not follow the one before it."
	whatHash     = "The sheet does not say what was sealed."
	whatFold     = "The sheet is not what the journal says."
	whatLast     = "The last sheet that was sealed is missing or another one."
	whatUnsigned = "The sheet is not signed, although a later one is."
)

// Check reads the chain of sheets from its first and folds each anew from the
// journals. It returns what does not agree, and an error only when it cannot
// read.
func Check(tx *vault.Tx) (found []Finding, compared uint64, err error) {
	var b *Sheet
	for row, err := range sheets.All(tx) {
		if err != nil {
			return nil, 0, err
		}
		compared++
		s := row.Shared
		what, err := checkSheet(tx, b, &s, row.Key, compared)
		if err != nil {
			return nil, 0, err
		}
		if what != "" {
			found = append(found, Finding{s.Number, what})
		}
		b = &s
	}
	for row, err := range last.All(tx) {
		if err != nil {
			return nil, 0, err
		}
		if r := row.Shared; b == nil || r.Number != b.Number || r.Hash != b.Hash {
			found = append(found, Finding{r.Number, whatLast})
		}
	}
	unseen, err := checkSeals(tx, compared)
	return append(found, unseen...), compared, err
}

// checkSheet returns what is wrong with the sheet that stands in a place, or "".
func checkSheet(tx *vault.Tx, b, s *Sheet, key, place uint64) (string, error) {
	if key != place || s.Number != place {
		return whatNumber, nil
	}
	if hash, err := s.hash(); err != nil || hash != s.Hash {
		return whatHash, err
	}
	if s.After != after(b) || b == nil != (s.Previous == "") || b != nil && (s.Previous != b.Hash || s.Day <= b.Day || s.AuditSize < b.AuditSize) {
		return whatChain, nil
	}
	if !reaches(tx, b, s) {
		return whatFold, nil
	}
	anew, err := compose(tx, b, s.Day, s)
	if err != nil {
		return "", err
	}
	anew.Number, anew.Location, anew.Sealed, anew.By = s.Number, s.Location, s.Sealed, s.By
	anew.AuditSize, anew.AuditRoot = s.AuditSize, s.AuditRoot
	if hash, err := anew.hash(); err != nil || hash != s.Hash {
		return whatFold, err
	}
	return "", nil
}

// reaches reports whether the journals hold all that a sheet covers, and no
// less than the sheet before.
func reaches(tx *vault.Tx, b, s *Sheet) bool {
	if b == nil {
		b = &Sheet{}
	}
	for _, part := range [][3]uint64{
		{b.Counts, s.Counts, counts.Count(tx)}, {b.Batches, s.Batches, batches.Count(tx)}, {b.Waivers, s.Waivers, duty.Count(tx)},
	} {
		if part[1] < part[0] || part[1] > part[2] {
			return false
		}
	}
	return s.Last >= s.After
}

// checkSeals finds sheets without a signature before one that has one.
func checkSeals(tx *vault.Tx, n uint64) (found []Finding, err error) {
	signed := false
	for ; n > 0; n-- {
		_, ok, err := seals.First(tx, "sheet", vault.Uint64Key(n))
		if err != nil {
			return nil, err
		}
		if signed && !ok {
			found = append(found, Finding{n, whatUnsigned})
		}
		signed = signed || ok
	}
	return found, nil
}

// Check is the function Check in a view of its own, for whoever may verify the
// store. It also returns how many sheets it compared.
func (d *Day) Check(ctx context.Context, agent access.Agent) (found []Finding, compared uint64, err error) {
	request := access.Request{Agent: agent, Action: access.StoreVerify, Entity: access.None, Purpose: access.Operations}
	err = d.vault.View(ctx, request, func(tx *vault.Tx) error {
		found, compared, err = Check(tx)
		return err
	})
	return found, compared, err
}
