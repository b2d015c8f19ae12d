package identity

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"unicode/utf8"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// Staff is one member of the clinic's staff.
type Staff struct {
	ID          ident.ID[ident.Staff]
	Name        string // sign-in name, lower case, unique for ever
	DisplayName string // "Dr. Maya Okafor", as pages and receipts show it
	Roles       []access.Role
}

// person is a member of staff as stored.
type person struct {
	ID          ident.ID[ident.Staff] `cbor:"1,keyasint"`
	Name        string                `cbor:"2,keyasint"`
	DisplayName string                `cbor:"3,keyasint"`
	Roles       []access.Role         `cbor:"4,keyasint"`
}

type personRow = vault.Row[person, vault.None]

var people = vault.NewTable(vault.BucketStaff,
	vault.NewIndex("id", func(r personRow) []string { return []string{string(r.Shared.ID[:])} }),
	vault.NewIndex("name", func(r personRow) []string { return []string{r.Shared.Name} }))

func (p person) staff() Staff {
	return Staff(p)
}

// NewStaff is what is needed to take somebody in.
type NewStaff struct {
	Name        string // 3 to 32 of a–z, 0–9, dot, hyphen; begins with a letter
	DisplayName string // up to 60 letters
	Roles       []access.Role
	Password    string // see CheckPassword
}

// CreateStaff takes somebody in and returns the second factor to put into the
// person's authenticator. It is not shown again.
func (i *Identity) CreateStaff(ctx context.Context, agent access.Agent, n NewStaff) (Staff, Enrolment, error) {
	n.Name, n.DisplayName = strings.ToLower(strings.TrimSpace(n.Name)), strings.TrimSpace(n.DisplayName)
	if err := n.check(); err != nil {
		return Staff{}, Enrolment{}, err
	}
	if err := i.CheckPassword(n.Name, n.Password); err != nil {
		return Staff{}, Enrolment{}, err
	}
	phc, err := i.newHash(ctx, n.Password)
	if err != nil {
		return Staff{}, Enrolment{}, err
	}
	secret := make([]byte, secretBytes)
	rand.Read(secret)
	var made Staff
	r := access.Request{Agent: agent, Action: access.StaffCreate, Entity: access.None, Purpose: access.Operations}
	err = i.vault.Update(ctx, r, func(tx *vault.Tx) error {
		p := person{ID: ident.New[ident.Staff](tx.Now()), Name: n.Name, DisplayName: n.DisplayName, Roles: n.Roles}
		made = p.staff()
		return insert(tx, p, credential{Staff: p.ID, Password: phc, Secret: secret})
	})
	return made, enrolment(n.Name, secret), err
}

func insert(tx *vault.Tx, p person, c credential) error {
	if _, taken, err := people.First(tx, "name", p.Name); err != nil {
		return err
	} else if taken {
		return ErrTakenBy
	}
	tx.Detail("staff", p.ID)
	if _, err := people.Insert(tx, personRow{Shared: p}); err != nil {
		return err
	}
	_, err := credentials.Insert(tx, credentialRow{Shared: c})
	return err
}

func (n NewStaff) check() error {
	if !validName(n.Name) {
		return fault.New(fault.Invalid, "A sign-in name has 3 to 32 letters a to z, digits, dots or hyphens, and begins with a letter.")
	}
	if n.DisplayName == "" || utf8.RuneCountInString(n.DisplayName) > 60 {
		return fault.New(fault.Invalid, "Enter the name to be shown, up to 60 letters.")
	}
	return checkRoles(n.Roles)
}

func validName(name string) bool {
	if len(name) < 3 || len(name) > 32 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' {
			return false
		}
	}
	return true
}

// human are the roles that a person can hold.
var human = []access.Role{access.FrontDesk, access.Therapist, access.Accountant, access.Owner, access.Officer, access.IT}

// checkRoles refuses IT together with any role that sees clients or money:
// rule 7 of the separation of duties.
func checkRoles(roles []access.Role) error {
	if len(roles) == 0 {
		return fault.New(fault.Invalid, "Choose at least one role.")
	}
	for _, r := range roles {
		if !slices.Contains(human, r) {
			return fault.New(fault.Invalid, "There is no role %v for people.", fault.Code(r))
		}
	}
	if slices.Contains(roles, access.IT) && len(roles) > 1 {
		return fault.New(fault.Invalid, "IT cannot hold another role: who runs the box sees neither clients nor money.")
	}
	return nil
}

// ErrNoStaff is returned for a member of staff who does not exist.
var ErrNoStaff = fault.New(fault.NotFound, "There is no such member of staff.")

// Read returns a member of staff within another part's transaction, or
// ErrNoStaff.
func Read(tx *vault.Tx, id ident.ID[ident.Staff]) (Staff, error) {
	row, err := personOf(tx, id)
	return row.Shared.staff(), err
}

// DisplayName returns the name shown of a member of staff.
func DisplayName(tx *vault.Tx, id ident.ID[ident.Staff]) (string, error) {
	s, err := Read(tx, id)
	return s.DisplayName, err
}

func personOf(tx *vault.Tx, id ident.ID[ident.Staff]) (personRow, error) {
	row, ok, err := people.First(tx, "id", string(id[:]))
	if err == nil && !ok {
		err = ErrNoStaff
	}
	return row, err
}

// Holders returns the members of staff who hold a role.
func Holders(tx *vault.Tx, role access.Role) ([]Staff, error) {
	var holders []Staff
	for row, err := range people.All(tx) {
		if err != nil {
			return nil, err
		}
		if slices.Contains(row.Shared.Roles, role) {
			holders = append(holders, row.Shared.staff())
		}
	}
	return holders, nil
}
