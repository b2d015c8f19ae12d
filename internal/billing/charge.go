package billing

import (
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/roster"
	"coffer/internal/schedule"
	"coffer/internal/vault"
)

// Charge is what a client was charged for one encounter, or for one missed
// appointment.
type Charge struct {
	ID          ident.ID[ident.Charge]      `cbor:"1,keyasint"`
	Client      ident.ID[ident.Client]      `cbor:"2,keyasint"`
	Account     roster.Account              `cbor:"3,keyasint"`
	Appointment ident.ID[ident.Appointment] `cbor:"4,keyasint"`
	Encounter   ident.ID[ident.Encounter]   `cbor:"5,keyasint"` // zero for a missed appointment
	Therapist   ident.ID[ident.Staff]       `cbor:"6,keyasint"`
	Command     ident.ID[ident.Command]     `cbor:"7,keyasint"` // the command that closed it
	Day         civil.Date                  `cbor:"8,keyasint"` // of the session
	Service     string                      `cbor:"9,keyasint"` // code
	Label       string                      `cbor:"10,keyasint"`
	Group       Group                       `cbor:"11,keyasint"`
	Minutes     int                         `cbor:"12,keyasint"`
	Warning     Warning                     `cbor:"13,keyasint"`
	Fee         money.Amount                `cbor:"14,keyasint"` // before the reduction
	Reduction   money.Amount                `cbor:"15,keyasint"` // by the sliding scale
	Entry       ident.ID[ident.Entry]       `cbor:"16,keyasint"`
}

// Amount returns what the client was charged.
func (c Charge) Amount() money.Amount { return c.Fee - c.Reduction }

type chargeRow = vault.Row[Charge, vault.None]

// Charges are a journal: a charge is corrected by reversing its entry.
var charges = vault.NewJournal(vault.BucketCharges,
	vault.NewIndex("id", func(r chargeRow) []string { return []string{string(r.Shared.ID[:])} }),
	vault.NewIndex("appointment", func(r chargeRow) []string { return []string{string(r.Shared.Appointment[:])} }),
	vault.NewIndex("entry", func(r chargeRow) []string { return []string{string(r.Shared.Entry[:])} }),
	vault.NewIndex("command", func(r chargeRow) []string {
		if r.Shared.Command.IsZero() {
			return nil
		}
		return []string{string(r.Shared.Command[:])}
	}),
	vault.NewIndex("client", func(r chargeRow) []string { return []string{clientKey(r.Shared.Client, r.Shared.Day, r.Key)} }))

// clientKey sorts the charges of a client, the latest session first.
func clientKey(client ident.ID[ident.Client], day civil.Date, key uint64) string {
	return string(client[:]) + vault.DateKey(^day) + vault.Uint64Key(^key)
}

// ErrCommand is given when a command that did something is sent again for
// something else.
var ErrCommand = fault.New(fault.Conflict, "This form was already used for another appointment. Open it again from the day's list.")

// ChargeEncounter charges an encounter, once, within a transaction that is
// allowed encounter.close or charge.post. Asked again it returns the charge
// that is there. A service that holds no session (Service.Holds) is ErrNoSession.
func ChargeEncounter(tx *vault.Tx, e schedule.Encounter, command ident.ID[ident.Command]) (Charge, error) {
	return post(tx, ledger.EventChargeSession, "encounter/"+e.ID.String(), Charge{
		Client: e.Client, Appointment: e.Appointment, Encounter: e.ID, Therapist: e.Therapist,
		Command: command, Day: e.Day(), Service: e.Service, Minutes: e.Minutes,
	})
}

// ChargeNoShow charges a missed appointment, once, within a transaction that
// is allowed charge.post. Asked again it returns the charge that is there.
func ChargeNoShow(tx *vault.Tx, a schedule.Appointment, command ident.ID[ident.Command]) (Charge, error) {
	return post(tx, ledger.EventChargeNoShow, "noshow/"+a.ID.String(), Charge{
		Client: a.Client, Appointment: a.ID, Therapist: a.Therapist,
		Command: command, Day: civil.Of(a.Start), Service: NoShow,
	})
}

// post completes a charge, posts its entry, records it, and applies the
// client's credit to what is due.
func post(tx *vault.Tx, event ledger.Event, source string, c Charge) (Charge, error) {
	if old, ok, err := ChargeOf(tx, c.Appointment); err != nil || ok {
		return old, err
	}
	service, err := ServiceOf(tx, c.Service)
	if err == nil && event == ledger.EventChargeSession && !service.Holds() {
		err = ErrNoSession
	}
	if err != nil {
		return Charge{}, err
	}
	if err := c.price(tx, service); err != nil {
		return Charge{}, err
	}
	entry, err := books.Post(tx, ledger.Draft{
		Event: event, Effective: c.Day, Source: source, Postings: c.postings(service),
	})
	if err != nil {
		return Charge{}, err
	}
	c.ID, c.Entry = ident.New[ident.Charge](tx.Now()), entry.ID
	tx.Detail("charge", c.ID)
	if _, err := charges.Insert(tx, chargeRow{Shared: c}); err != nil {
		return Charge{}, err
	}
	_, err = books.ApplyCredit(tx, ledger.Sub(c.Account))
	return c, err
}

// price fills in what the service and the client's scale say.
func (c *Charge) price(tx *vault.Tx, s Service) error {
	client, err := roster.Read(tx, c.Client)
	if err != nil {
		return err
	}
	c.Account = client.Account
	c.Label, c.Group, c.Fee = s.Label, s.Group, s.Fee
	if s.Group == Fee {
		return nil
	}
	c.Warning = s.CheckMinutes(c.Minutes)
	scale, err := Scale(tx, c.Client)
	if err != nil {
		return err
	}
	c.Reduction, err = s.Fee.Percent(scale)
	return err
}

func (c *Charge) postings(s Service) []ledger.Posting {
	postings := []ledger.Posting{{Account: s.Income, Amount: -c.Fee}}
	if c.Reduction != 0 {
		postings = append(postings, ledger.Posting{Account: books.SlidingScale, Amount: c.Reduction})
	}
	if c.Amount() != 0 {
		postings = append(postings, ledger.Posting{Account: books.Receivables, Sub: ledger.Sub(c.Account), Amount: c.Amount()})
	}
	return postings
}

// ChargeOf returns the charge of an appointment, and whether there is one.
func ChargeOf(tx *vault.Tx, id ident.ID[ident.Appointment]) (Charge, bool, error) {
	row, ok, err := charges.First(tx, "appointment", string(id[:]))
	return row.Shared, ok, err
}
