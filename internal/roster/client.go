package roster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/phi"
	"coffer/internal/vault"
)

// Account is a client's pseudonymous account number, "P-004217": what the
// books, receipts and statements call the client. It is given out in sequence
// and never again.
type Account string

// SafeString returns the account number: it identifies a client only to
// somebody who may read the roster.
func (a Account) SafeString() string { return string(a) }

// Client is one person who receives care.
type Client struct {
	ID      ident.ID[ident.Client]
	Account Account
	Erased  time.Time // when the keys of the details were destroyed: the name says so, the rest is empty; zero: they were not
	Details
}

// Details are the words that identify a client and that the desk writes down.
type Details struct {
	Name    phi.Text `cbor:"1,keyasint"` // as the client wants to be called, up to 100 letters
	Born    phi.Text `cbor:"2,keyasint"` // "1987-05-30", or empty when not known
	Phone   phi.Text `cbor:"3,keyasint"` // up to 40 letters
	Email   phi.Text `cbor:"4,keyasint"` // up to 100 letters
	Address phi.Text `cbor:"5,keyasint"` // one line, up to 200 letters
	Memo    phi.Text `cbor:"6,keyasint"` // up to MemoMax letters
}

// MemoMax is the greatest length of a memo, in letters.
const MemoMax = 140

// ErrNoClient is returned for a client that does not exist, or that the agent
// may not know of.
var ErrNoClient = fault.New(fault.NotFound, "There is no such client.")

// shared is the part of a client's record that outlives the person's words.
type shared struct {
	ID     ident.ID[ident.Client] `cbor:"1,keyasint"`
	Number uint32                 `cbor:"2,keyasint"`
}

func (s shared) account() Account { return Account(fmt.Sprintf("P-%06d", s.Number)) }

// Roster answers people; the functions of the package that take a transaction
// answer other parts of Coffer within theirs.
type Roster struct{ vault *vault.Vault }

// New returns the roster kept in v, which must have been opened with Tables.
func New(v *vault.Vault) *Roster { return &Roster{vault: v} }

// Tables returns what the roster keeps, for opening the vault.
func Tables() []vault.AnyTable { return []vault.AnyTable{clients, assignments} }

var clients = vault.NewTable(vault.BucketClients, byID, byAccount, byWord)

type clientRow = vault.Row[shared, Details]

var (
	byID = vault.NewIndex("id", func(r clientRow) []string {
		return []string{string(r.Shared.ID[:])}
	})
	byAccount = vault.NewIndex("account", func(r clientRow) []string {
		return []string{string(r.Shared.account())}
	})
	byWord = vault.NewIndex("word", searchKeys)
)

// Create adds a client and returns it with its new account number.
func (r *Roster) Create(ctx context.Context, agent access.Agent, d Details) (Client, error) {
	var made Client
	err := r.vault.Update(ctx, request(agent, access.ClientWrite, access.None), func(tx *vault.Tx) error {
		var err error
		made, err = Create(tx, d)
		return err
	})
	return made, err
}

// Create adds a client within a transaction that is allowed client.write.
func Create(tx *vault.Tx, d Details) (Client, error) {
	if err := d.check(tx.Today()); err != nil {
		return Client{}, err
	}
	s := shared{ID: ident.New[ident.Client](tx.Now()), Number: uint32(clients.Count(tx)) + 1}
	if _, taken, err := clients.First(tx, "account", string(s.account())); err != nil {
		return Client{}, err
	} else if taken {
		return Client{}, fault.New(fault.Internal, "The next account number %v is taken. Tell IT.", s.account())
	}
	tx.Detail("client", s.ID)
	_, err := clients.Insert(tx, clientRow{Client: s.ID, Shared: s, Private: d})
	return Client{ID: s.ID, Account: s.account(), Details: d}, err
}

// Change writes new details over a client's old ones.
func (r *Roster) Change(ctx context.Context, agent access.Agent, id ident.ID[ident.Client], d Details) error {
	return r.vault.Update(ctx, request(agent, access.ClientWrite, access.Client(id)), func(tx *vault.Tx) error {
		if err := d.check(tx.Today()); err != nil {
			return err
		}
		row, err := rowOf(tx, id)
		if err != nil {
			return err
		}
		row.Private = d
		return clients.Replace(tx, row)
	})
}

// Client returns one client to somebody who may know the person.
func (r *Roster) Client(ctx context.Context, agent access.Agent, id ident.ID[ident.Client]) (Client, error) {
	var c Client
	err := r.vault.View(ctx, request(agent, access.ClientRead, access.Client(id)), func(tx *vault.Tx) error {
		var err error
		c, err = Read(tx, id)
		return err
	})
	return c, err
}

// Read returns a client within another part's transaction, or ErrNoClient.
func Read(tx *vault.Tx, id ident.ID[ident.Client]) (Client, error) {
	row, err := rowOf(tx, id)
	if err != nil {
		return Client{}, err
	}
	return clientOf(row), nil
}

// ByAccount returns the client of an account number, or ErrNoClient.
func ByAccount(tx *vault.Tx, a Account) (Client, error) {
	row, ok, err := clients.First(tx, "account", strings.ToUpper(string(a)))
	if err != nil {
		return Client{}, err
	}
	if !ok {
		return Client{}, ErrNoClient
	}
	return clientOf(row), nil
}

// Count returns how many clients the roster has ever had.
func Count(tx *vault.Tx) uint64 { return clients.Count(tx) }

func rowOf(tx *vault.Tx, id ident.ID[ident.Client]) (clientRow, error) {
	row, ok, err := clients.First(tx, "id", string(id[:]))
	if err == nil && !ok {
		err = ErrNoClient
	}
	return row, err
}

func clientOf(row clientRow) Client {
	c := Client{ID: row.Shared.ID, Account: row.Shared.account(), Details: row.Private}
	if c.Erased = row.Erased; !c.Erased.IsZero() {
		c.Name = phi.NewText("Erased on " + civil.Of(c.Erased).String())
	}
	return c
}

// request is one act of an agent at the desk. Everything the roster is asked
// for serves the running of the clinic, except a therapist's reading.
func request(agent access.Agent, action access.Action, e access.Entity) access.Request {
	purpose := access.Operations
	if action == access.ClientRead && agent.Has(access.Therapist) {
		purpose = access.Treatment
	}
	return access.Request{Agent: agent, Action: action, Entity: e, Purpose: purpose}
}

func (d Details) check(today civil.Date) error {
	if d.Name.IsZero() {
		return fault.New(fault.Invalid, "Enter the client's name.")
	}
	if err := d.checkBorn(today); err != nil {
		return err
	}
	for _, f := range []struct {
		text phi.Text
		max  int
		long *fault.Error
	}{
		{d.Name, 100, fault.New(fault.Invalid, "The name is too long: 100 letters at most.")},
		{d.Phone, 40, fault.New(fault.Invalid, "The telephone number is too long: 40 letters at most.")},
		{d.Email, 100, fault.New(fault.Invalid, "The e-mail address is too long: 100 letters at most.")},
		{d.Address, 200, fault.New(fault.Invalid, "The address is too long: 200 letters at most.")},
		{d.Memo, MemoMax, fault.New(fault.Invalid, "The memo is too long: 140 letters at most.")},
	} {
		if err := checkText(f.text.Reveal(), f.max, f.long); err != nil {
			return err
		}
	}
	return nil
}

func (d Details) checkBorn(today civil.Date) error {
	if d.Born.IsZero() {
		return nil
	}
	born, err := civil.Parse(d.Born.Reveal())
	if err != nil || born > today || born < today.AddDays(-130*366) {
		return fault.New(fault.Invalid, "Enter the date of birth as year-month-day, such as 1987-05-30, or leave it empty.")
	}
	return nil
}
