package billing

import (
	"context"
	_ "embed"
	"strconv"
	"strings"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/fault"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Group is the kind of a service, which is all that the accountant sees of it.
type Group string

// The groups.
const (
	Individual Group = "individual"
	Couple     Group = "couple"
	GroupKind  Group = "group"
	Evaluation Group = "evaluation"
	Fee        Group = "fee" // no session: a no-show or late-cancellation fee
)

// SafeString returns the group's name.
func (g Group) SafeString() string { return string(g) }

// Label returns the group in the words of a page.
func (g Group) Label() string {
	switch g {
	case Individual:
		return "Individual"
	case Couple:
		return "Couple or family"
	case GroupKind:
		return "Group"
	case Evaluation:
		return "Evaluation"
	case Fee:
		return "Fee"
	}
	return ""
}

// NoShow is the code of the service that charges a missed appointment.
const NoShow = "NOSHOW"

// Service is a line of the fee list.
type Service struct {
	Code       string       `cbor:"1,keyasint"` // "90834": 2 to 8 capital letters and digits
	Label      string       `cbor:"2,keyasint"` // the clinic's own words, up to 60 letters
	Group      Group        `cbor:"3,keyasint"`
	MinutesMin int          `cbor:"4,keyasint"` // shortest session that the code fits; 0 for none
	MinutesMax int          `cbor:"5,keyasint"` // longest; 0 for none
	Fee        money.Amount `cbor:"6,keyasint"` // per client, before any reduction
	Income     books.Code   `cbor:"7,keyasint"` // income account, such as "4000"
	Retired    bool         `cbor:"8,keyasint"` // not offered any more
}

// The faults of the fee list.
var (
	ErrService   = fault.New(fault.Invalid, "A service needs a code of 2 to 8 capital letters and digits, a label of up to 60 letters, a group and a fee. Correct the fee list.")
	ErrIncome    = fault.New(fault.Invalid, "A service earns on one of the income accounts 4000 to 4190. Choose one of them.")
	ErrNoSession = fault.New(fault.Invalid, "This service cannot close a session: it is a fee, or it is not offered any more. Choose another service.")
	ErrNoService = fault.New(fault.Invalid, "There is no such service in the fee list. Choose one that is.")
)

// Validate returns the first fault of a service.
func (s Service) Validate() error {
	if len(s.Code) < 2 || len(s.Code) > 8 || s.Label == "" || len(s.Label) > 60 || s.Group.Label() == "" {
		return ErrService
	}
	for _, r := range s.Code {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return ErrService
		}
	}
	if s.Fee <= 0 || s.Fee > money.Max || s.MinutesMin < 0 || s.MinutesMax < 0 || s.MinutesMax > 0 && s.MinutesMax < s.MinutesMin {
		return ErrService
	}
	if s.Income < "4000" || s.Income > "4190" || len(s.Income) != 4 {
		return ErrIncome
	}
	return nil
}

// Holds reports whether a session can be closed with the service: it is
// offered, and it is not a fee for something that did not take place.
func (s Service) Holds() bool { return s.Group != Fee && !s.Retired }

// Warning says that a session's length does not fit the service's code. The
// charge is made all the same, and keeps the warning.
type Warning string

// The warnings.
const (
	Fits     Warning = ""
	TooShort Warning = "too_short"
	TooLong  Warning = "too_long"
)

// SafeString returns the warning's name.
func (w Warning) SafeString() string { return string(w) }

// Words returns the warning in the words of a page, empty for Fits.
func (w Warning) Words() string {
	switch w {
	case TooShort:
		return "The session was shorter than this code allows. Choose the code for a shorter session, or correct the minutes."
	case TooLong:
		return "The session was longer than this code covers. Choose the code for a longer session, or correct the minutes."
	}
	return ""
}

// CheckMinutes says whether a session of that length fits the service.
func (s Service) CheckMinutes(minutes int) Warning {
	switch {
	case minutes < s.MinutesMin:
		return TooShort
	case s.MinutesMax > 0 && minutes > s.MinutesMax:
		return TooLong
	}
	return Fits
}

//go:embed services.tsv
var servicesText string

// template is the fee list that a clinic starts with.
var template = parseServices(servicesText)

// parseServices reads the embedded fee list; it panics on text that is not
// one, since the text is part of the program.
func parseServices(text string) []Service {
	var list []Service
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 7 {
			panic("billing: bad line in the fee list: " + line)
		}
		low, err1 := strconv.Atoi(f[2])
		high, err2 := strconv.Atoi(f[3])
		fee, err3 := money.Parse(f[4])
		s := Service{Code: f[0], Group: Group(f[1]), MinutesMin: low, MinutesMax: high, Fee: fee, Income: books.Code(f[5]), Label: f[6]}
		if err1 != nil || err2 != nil || err3 != nil || s.Validate() != nil {
			panic("billing: bad service in the fee list: " + line)
		}
		list = append(list, s)
	}
	return list
}

// Template returns the fee list that Setup lays down.
func Template() []Service { return append([]Service(nil), template...) }

type serviceRow = vault.Row[Service, vault.None]

var services = vault.NewTable(vault.BucketFees,
	vault.NewIndex("code", func(r serviceRow) []string { return []string{r.Shared.Code} }))

// Setup lays down the fee list's template. Services that are there already
// stay as they are, so it may be repeated.
func (b *Billing) Setup(ctx context.Context, agent access.Agent) error {
	return b.v.Update(ctx, request(agent, access.FeeWrite, access.None), func(tx *vault.Tx) error {
		for _, s := range template {
			if _, ok, err := services.First(tx, "code", s.Code); err != nil {
				return err
			} else if ok {
				continue
			}
			if err := PutService(tx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// PutService adds a service to the fee list or replaces the one of its code,
// within a transaction that is allowed fee.write. Charges made before keep
// their fee.
func PutService(tx *vault.Tx, s Service) error {
	if err := s.Validate(); err != nil {
		return err
	}
	tx.Detail("service", fault.Code(s.Code))
	row, ok, err := services.First(tx, "code", s.Code)
	if err != nil {
		return err
	}
	row.Shared = s
	if ok {
		return services.Replace(tx, row)
	}
	_, err = services.Insert(tx, row)
	return err
}

// Put is PutService in a transaction of its own.
func (b *Billing) Put(ctx context.Context, agent access.Agent, s Service) error {
	return b.v.Update(ctx, request(agent, access.FeeWrite, access.None), func(tx *vault.Tx) error {
		return PutService(tx, s)
	})
}

// Services returns the fee list as it is offered, in the order of the codes.
func (b *Billing) Services(ctx context.Context, agent access.Agent) ([]Service, error) {
	var list []Service
	err := b.v.View(ctx, request(agent, access.FeeRead, access.None), func(tx *vault.Tx) error {
		var err error
		list, err = Services(tx)
		return err
	})
	return list, err
}

// Services returns the fee list as it is offered, in the order of the codes.
func Services(tx *vault.Tx) ([]Service, error) {
	var list []Service
	for row, err := range services.Between(tx, "code", "", "\xff") {
		if err != nil {
			return nil, err
		}
		if !row.Shared.Retired {
			list = append(list, row.Shared)
		}
	}
	return list, nil
}

// ServiceOf returns the service of a code, or ErrNoService.
func ServiceOf(tx *vault.Tx, code string) (Service, error) {
	row, ok, err := services.First(tx, "code", code)
	if err == nil && !ok {
		err = ErrNoService
	}
	return row.Shared, err
}
