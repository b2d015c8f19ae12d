package ops_test

import (
	"slices"
	"strings"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/books"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ops"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// open and sealed are rows beneath the tripwire: whatever a test puts there.
type openRow struct {
	Text   string            `cbor:"1,keyasint"`
	Number int64             `cbor:"2,keyasint"`
	Raw    []byte            `cbor:"3,keyasint"`
	List   []string          `cbor:"4,keyasint"`
	Names  map[string]string `cbor:"5,keyasint"`
	Token  protocol.Token    `cbor:"6,keyasint"`
}

type sealedRow struct {
	Memo string `cbor:"1,keyasint"`
}

var (
	openTable   = vault.NewTable[openRow, vault.None](vault.BucketAssignments)
	sealedTable = vault.NewTable[struct{}, sealedRow](vault.BucketClients)
)

// scopeBox is a box whose store also has the two tables.
func scopeBox(t *testing.T) (*box, *vault.Vault) {
	t.Helper()
	b := newBox(t)
	v := vaulttest.Open(t, nil, append(tables(), openTable, sealedTable)...)
	accounts := books.New(v)
	if err := accounts.Setup(t.Context(), accesstest.System("setup")); err != nil {
		t.Fatal(err)
	}
	b.opened(t, ops.Store{Vault: v, Books: accounts, Seal: b.seal, Terminals: terminals(t)})
	return b, v
}

// plant writes rows past everything that would refuse them.
func plant(t *testing.T, v *vault.Vault, open openRow, sealed sealedRow) {
	t.Helper()
	r := access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.ClientWrite, Entity: access.None, Purpose: access.Operations}
	err := v.Update(t.Context(), r, func(tx *vault.Tx) error {
		if _, err := openTable.Insert(tx, vault.Row[openRow, vault.None]{Shared: open}); err != nil {
			return err
		}
		_, err := sealedTable.Insert(tx, vault.Row[struct{}, sealedRow]{Client: ident.New[ident.Client](tx.Now()), Private: sealed})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

const digest = "0000000000000000000000000000000000000000000000004111111111111111"

// A card number beneath the tripwire is found wherever in a row it is, and
// named by table and record without a digit. What is none, and the processor's
// tokens, raise no finding. Keeps C7.
func TestProveScopeFindsWhatWasPlanted(t *testing.T) {
	t.Parallel()
	const card = "4111 1111 1111 1111"
	b, v := scopeBox(t)
	plant(t, v, openRow{Text: "call (207) 555-0104", Number: 1795615320000000, Token: "4111111111111111", Names: map[string]string{"root": digest[:63] + "a"}}, sealedRow{"prefers the side door"})
	clean, err := b.ProveScope(t.Context(), b.it)
	if err != nil || !clean.OK || len(clean.Findings) != 0 || clean.Tokens != 1 {
		t.Fatalf("%+v %v", clean, err)
	}
	for row, p := range []struct {
		open   openRow
		sealed sealedRow
		table  string
	}{
		{openRow{Text: "card " + card}, sealedRow{}, "assignments"},
		{openRow{Number: 4111111111111111}, sealedRow{}, "assignments"},
		{openRow{Raw: []byte(card)}, sealedRow{}, "assignments"},
		{openRow{List: []string{"", card}}, sealedRow{}, "assignments"},
		{openRow{Names: map[string]string{card: ""}}, sealedRow{}, "assignments"},
		{openRow{Text: digest}, sealedRow{}, "assignments"},
		{openRow{}, sealedRow{Memo: "say " + card}, "clients"},
	} {
		plant(t, v, p.open, p.sealed)
		s, err := b.ProveScope(t.Context(), b.it)
		if err != nil || s.OK || len(s.Findings) != row+1 || strings.Contains(s.Statement, "4111") {
			t.Fatalf("%+v: %+v %v", p, s, err)
		}
		want := ops.PartFinding{Part: "card number", Where: p.table, Position: uint64(row + 2), What: "a field looks like a card number"}
		if !slices.Contains(s.Findings, want) {
			t.Errorf("%+v: found %+v", p, s.Findings)
		}
	}
	if _, err := b.ProveScope(t.Context(), accesstest.Agent(access.FrontDesk)); fault.KindOf(err) != fault.Denied {
		t.Errorf("the desk: %v", err)
	}
}

// The statement is verified by the keys of the audit trail; with one character
// altered it is by none.
func TestScopeStatementIsSigned(t *testing.T) {
	t.Parallel()
	b, v := scopeBox(t)
	s, err := b.ProveScope(t.Context(), b.it)
	if err != nil {
		t.Fatal(err)
	}
	text, keys, err := audit.OpenStatement([]byte(s.Statement))
	if err != nil || keys.Text() != v.AuditKeys().Text() {
		t.Fatalf("%v %v", keys, err)
	}
	for _, want := range []string{"findings: 0\n", "table: audit, ", "terminal: desk-1, serial ", "profile sim-pax\n", "not read: backups"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for at := range s.Statement {
		altered := []byte(s.Statement)
		altered[at] ^= 1
		if _, _, err := audit.OpenStatement(altered); err == nil {
			t.Fatalf("altered at %d, it is believed:\n%s", at, altered)
		}
	}
}
