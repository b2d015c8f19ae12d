package access

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/decisions.txt anew")

// actionsOfCode returns the values of all Action constants of policy.go.
func actionsOfCode(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "policy.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != "Action" {
			return true
		}
		for _, v := range spec.Values {
			text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			actions = append(actions, text)
		}
		return true
	})
	return actions
}

func TestEveryConstantHasARowAndEveryRowAConstant(t *testing.T) {
	code := actionsOfCode(t)
	if len(code) < 30 {
		t.Fatalf("found %d constants only: the reader of policy.go is broken", len(code))
	}
	for _, a := range code {
		if policy[Action(a)] == nil {
			t.Errorf("constant %q has no row in matrix.txt", a)
		}
	}
	for a := range policy {
		if !slices.Contains(code, string(a)) {
			t.Errorf("row %q of matrix.txt has no constant in policy.go", a)
		}
	}
	slices.Sort(code)
	if twice := len(code) - len(slices.Compact(code)); twice != 0 {
		t.Errorf("%d actions have two constants", twice)
	}
}

var allRoles = []Role{FrontDesk, Therapist, Accountant, Owner, Officer, IT, System}

func TestMatrixColumnsAreTheRoles(t *testing.T) {
	for action, row := range policy {
		if len(row) != len(allRoles) {
			t.Errorf("row %q has %d columns, want %d", action, len(row), len(allRoles))
		}
		for _, r := range allRoles {
			if _, ok := row[r]; !ok {
				t.Errorf("row %q has no column %q", action, r)
			}
		}
	}
}

// TestGolden keeps the policy from moving unseen: what each role may do is
// written out in a second form, decided through Decide.
func TestGolden(t *testing.T) {
	words := map[Decision]string{Deny: "-", Allow: "may", IfRelated: "if related"}
	issuer := NewIssuer()
	var b strings.Builder
	for _, role := range allRoles {
		b.WriteString(string(role) + "\n")
		for _, action := range actionsOfCode(t) {
			a := agentOf(issuer, role)
			stranger := Decide(Request{Agent: a, Action: Action(action), Entity: Entity{Kind: KindStaff, ID: [16]byte{9}}})
			self := Decide(Request{Agent: a, Action: Action(action), Entity: Staff(a.StaffID())})
			if self != stranger {
				b.WriteString("  " + action + ": own\n")
			} else if stranger != Deny {
				b.WriteString("  " + action + ": " + words[stranger] + "\n")
			}
		}
	}
	const path = "testdata/decisions.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("decisions differ from %s; look at each difference, then run with -update\n%s", path, b.String())
	}
}

func TestParseRefuses(t *testing.T) {
	const head = "action frontdesk it\n"
	for name, text := range map[string]string{
		"short row":    head + "a yes\n",
		"long row":     head + "a yes no no\n",
		"unknown cell": head + "a yes perhaps\n",
		"row twice":    head + "a yes no\na yes no\n",
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the matrix was accepted")
				}
			}()
			parse(text)
		})
	}
	if got := parse(head + "# note\n\na yes own\n"); got["a"][FrontDesk] != yes || got["a"][IT] != own {
		t.Errorf("a good matrix reads as %v", got)
	}
}

// TestITIsBlind keeps 4.5 of the role plan: IT runs the box and sees neither
// client nor amount.
func TestITIsBlind(t *testing.T) {
	allowed := []Action{
		SessionClose, PageRead, BoxStatus, TerminalStatus, TerminalWrite, CustodyRead, CustodyWrite, StoreVerify, ScopeProve, StoreCompact, StoreAcceptLoss,
		SealRead, SealWrite, RecoveryRead, RecoveryTest, KeyRotate, BackupRead, BackupWrite, BackupVerify, BackupDrill,
		BooksCheck, AuditTail, AuditVerify, AuditCheckpoint, AuditWitness,
	}
	it := agentOf(NewIssuer(), IT)
	for action := range policy {
		if it.May(action) && !slices.Contains(allowed, action) {
			t.Errorf("IT may %q, which is not one of its acts", action)
		}
	}
}

// TestWhoSeesWhat states the separations that must survive any edit of the
// matrix.
func TestWhoSeesWhat(t *testing.T) {
	never := map[Role][]Action{
		FrontDesk:  {BooksRead, AccountAdjust, ActApprove, StaffCreate, CredentialRead, SignIn, StoreOpen, StoreVerify},
		Therapist:  {ClientFind, DayRead, PaymentTake, BooksRead, ClientWrite, AssignmentWrite, CredentialRead},
		Accountant: {ClientFind, ClientRead, DayRead, DayOwn, PaymentTake, ReceiptRead, CredentialRead},
	}
	for role, actions := range never {
		for _, a := range actions {
			if agentOf(NewIssuer(), role).May(a) {
				t.Errorf("%s may %q", role, a)
			}
		}
	}
	if got := policy[ClientRead][Therapist]; got != assigned {
		t.Errorf("a therapist's client.read is %v, want assigned", got)
	}
}
