package day

import (
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Pieces is how many notes or coins of one value were counted.
type Pieces struct {
	Value money.Amount `cbor:"1,keyasint"`
	Count uint32       `cbor:"2,keyasint"`
}

// countRecord is one blind count of a drawer.
type countRecord struct {
	Command    ident.ID[ident.Command] `cbor:"1,keyasint"`
	Cashier    string                  `cbor:"2,keyasint"` // sign-in name: the drawer's key in the books
	At         int64                   `cbor:"3,keyasint"` // microseconds since 1970
	Position   uint64                  `cbor:"4,keyasint"` // entries of the journal before it
	Round      uint32                  `cbor:"5,keyasint"` // 1, or 2 for the recount
	Pieces     []Pieces                `cbor:"6,keyasint"`
	Counted    money.Amount            `cbor:"7,keyasint"`
	Expected   money.Amount            `cbor:"8,keyasint"`
	Difference money.Amount            `cbor:"9,keyasint"` // over is positive
	Entry      ident.ID[ident.Entry]   `cbor:"10,keyasint"`
}

// batchRecord is what a terminal stated of its batch.
type batchRecord struct {
	Command    ident.ID[ident.Command] `cbor:"1,keyasint"`
	Terminal   books.Sub               `cbor:"2,keyasint"` // serial number: the key of 1060
	Batch      string                  `cbor:"3,keyasint,omitempty"`
	Count      uint32                  `cbor:"4,keyasint"`
	Amount     money.Amount            `cbor:"5,keyasint"` // net, as the terminal states it
	Posted     uint32                  `cbor:"6,keyasint"` // entries of card clearing since the last batch
	Clearing   money.Amount            `cbor:"7,keyasint"` // what they come to
	Difference money.Amount            `cbor:"8,keyasint"` // stated less posted
	Position   uint64                  `cbor:"9,keyasint"`
	At         int64                   `cbor:"10,keyasint"`
	By         string                  `cbor:"11,keyasint"`
	Work       uint64                  `cbor:"12,keyasint,omitempty"` // number of the work item
}

// workRecord is a difference that people have to explain.
type workRecord struct {
	Batch      uint64                `cbor:"1,keyasint"` // number of the batch
	Terminal   books.Sub             `cbor:"2,keyasint"`
	Difference money.Amount          `cbor:"3,keyasint"`
	Opened     int64                 `cbor:"4,keyasint"`
	Owner      string                `cbor:"5,keyasint"` // who has to find out: who stated the totals, then who explains
	Staff      ident.ID[ident.Staff] `cbor:"6,keyasint"` // of who explained it
	Reason     Reason                `cbor:"7,keyasint,omitempty"`
	Explained  int64                 `cbor:"8,keyasint,omitempty"`
	Confirmed  string                `cbor:"9,keyasint,omitempty"` // the second person
	Resolved   int64                 `cbor:"10,keyasint,omitempty"`
}

// sealRecord is the signature of the audit trail that covers a sheet.
type sealRecord struct {
	Sheet uint64 `cbor:"1,keyasint"`
	Size  uint64 `cbor:"2,keyasint"` // events that the signature covers
	Note  []byte `cbor:"3,keyasint"` // signed note with the TPM's quote, as exports carry it
	At    int64  `cbor:"4,keyasint"`
}

// lastRecord says which sheet was the last: the other end of the chain.
type lastRecord struct {
	Number uint64 `cbor:"1,keyasint"`
	Hash   string `cbor:"2,keyasint"`
}

type (
	countRow = vault.Row[countRecord, vault.None]
	batchRow = vault.Row[batchRecord, vault.None]
	workRow  = vault.Row[workRecord, vault.None]
	sheetRow = vault.Row[Sheet, vault.None]
	sealRow  = vault.Row[sealRecord, vault.None]
	lastRow  = vault.Row[lastRecord, vault.None]
)

// What is kept. Rows of journals are numbered from 1 without gaps.
var (
	counts = vault.NewJournal(vault.BucketDrawerCounts,
		vault.NewIndex("command", func(r countRow) []string { return []string{r.Shared.Command.String()} }),
		vault.NewIndex("cashier", func(r countRow) []string { return []string{r.Shared.Cashier} }))
	batches = vault.NewJournal(vault.BucketBatches,
		vault.NewIndex("command", func(r batchRow) []string { return []string{r.Shared.Command.String()} }),
		vault.NewIndex("terminal", func(r batchRow) []string { return []string{string(r.Shared.Terminal)} }))
	works = vault.NewTable(vault.BucketWorkItems,
		vault.NewIndex("open", func(r workRow) []string {
			if r.Shared.Resolved != 0 {
				return nil
			}
			return []string{vault.Uint64Key(r.Key)}
		}))
	sheets = vault.NewJournal(vault.BucketDaySheets,
		vault.NewIndex("day", func(r sheetRow) []string { return []string{vault.DateKey(r.Shared.Day)} }))
	seals = vault.NewJournal(vault.BucketDaySeals,
		vault.NewIndex("sheet", func(r sealRow) []string { return []string{vault.Uint64Key(r.Shared.Sheet)} }))
	last = vault.NewTable[lastRecord, vault.None](vault.BucketSheetCount)
)

// Tables returns what the close of the day keeps, for opening the vault.
func Tables() []vault.AnyTable {
	return []vault.AnyTable{counts, batches, works, sheets, seals, last}
}

// Sheet is a sealed day. It never changes. All that it says follows from the
// journals up to the positions that it names; Check folds it anew.
type Sheet struct {
	Number   uint64     `cbor:"1,keyasint"` // from 1 without gaps
	Location string     `cbor:"2,keyasint"`
	Day      civil.Date `cbor:"3,keyasint"`
	Sealed   int64      `cbor:"4,keyasint"` // microseconds since 1970
	By       string     `cbor:"5,keyasint"` // sign-in name

	After   uint64 `cbor:"6,keyasint"` // the entries above this number
	Last    uint64 `cbor:"7,keyasint"` // and up to this one
	Counts  uint64 `cbor:"8,keyasint"` // the last count, batch and waiver
	Batches uint64 `cbor:"9,keyasint"`
	Waivers uint64 `cbor:"10,keyasint"`
	Entries string `cbor:"11,keyasint"` // SHA-256, hex, over the entries

	Totals    []Total    `cbor:"12,keyasint,omitempty"`
	Accounts  []Movement `cbor:"13,keyasint,omitempty"`
	Drawers   []Drawer   `cbor:"14,keyasint,omitempty"`
	Terminals []Batch    `cbor:"15,keyasint,omitempty"`
	Waived    []Waiver   `cbor:"16,keyasint,omitempty"`

	Previous  string `cbor:"17,keyasint,omitempty"` // hash of the sheet before
	AuditSize uint64 `cbor:"18,keyasint"`           // events of the trail before the seal
	AuditRoot string `cbor:"19,keyasint"`           // hex
	Hash      string `cbor:"20,keyasint"`           // SHA-256, hex, over the JSON of all the above
}

// Total is what entries of one class come to.
type Total struct {
	Class  Class        `cbor:"1,keyasint"`
	Late   bool         `cbor:"2,keyasint,omitempty"` // of a day that was sealed already
	Count  uint64       `cbor:"3,keyasint"`
	Amount money.Amount `cbor:"4,keyasint"`
}

// Movement is what was debited and credited to an account.
type Movement struct {
	Account books.Code   `cbor:"1,keyasint"`
	Debit   money.Amount `cbor:"2,keyasint"`
	Credit  money.Amount `cbor:"3,keyasint"` // as a positive amount
}

// Drawer is a cashier's drawer over the day. Opening and all that follows come
// to Closing.
type Drawer struct {
	Cashier    string       `cbor:"1,keyasint"`
	Opening    money.Amount `cbor:"2,keyasint"`
	Float      money.Amount `cbor:"3,keyasint"`
	Taken      money.Amount `cbor:"4,keyasint"`
	Given      money.Amount `cbor:"5,keyasint"` // negative
	Dropped    money.Amount `cbor:"6,keyasint"` // negative; less what was taken back
	Difference money.Amount `cbor:"7,keyasint"` // over is positive
	Closing    money.Amount `cbor:"8,keyasint"`
	Moved      uint64       `cbor:"9,keyasint"` // entry that moved it last, drops and differences apart; 0: none
	Counted    bool         `cbor:"10,keyasint"`
	Counts     []Count      `cbor:"11,keyasint,omitempty"`
}

// Count is one count of a drawer.
type Count struct {
	At         int64        `cbor:"1,keyasint"` // microseconds since 1970
	Round      uint32       `cbor:"2,keyasint"` // 1, or 2 for the recount
	Counted    money.Amount `cbor:"3,keyasint"`
	Expected   money.Amount `cbor:"4,keyasint"`
	Difference money.Amount `cbor:"5,keyasint"` // over is positive
	Pieces     []Pieces     `cbor:"6,keyasint"`
	Late       bool         `cbor:"7,keyasint,omitempty"`
}

// Batch is a terminal's batch against card clearing.
type Batch struct {
	Terminal   books.Sub    `cbor:"1,keyasint"`
	Batch      string       `cbor:"2,keyasint,omitempty"`
	Count      uint32       `cbor:"3,keyasint"`
	Amount     money.Amount `cbor:"4,keyasint"`
	Posted     uint32       `cbor:"5,keyasint"`
	Clearing   money.Amount `cbor:"6,keyasint"`
	Difference money.Amount `cbor:"7,keyasint"`
	Work       uint64       `cbor:"8,keyasint,omitempty"`
	By         string       `cbor:"9,keyasint"`
	Late       bool         `cbor:"10,keyasint,omitempty"`
}

// Waiver is an act that one person did although the separation of duties
// demands two.
type Waiver struct {
	Rule uint32 `cbor:"1,keyasint"`
	By   string `cbor:"2,keyasint"`
	At   int64  `cbor:"3,keyasint"`
	Late bool   `cbor:"4,keyasint,omitempty"`
}
