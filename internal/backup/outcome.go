package backup

import (
	"time"

	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// Task is what was done with a backup.
type Task string

// The tasks.
const (
	TaskBackup    Task = "backup"    // a full backup was written to a target
	TaskIncrement Task = "increment" // the commits since the last one were
	TaskVerify    Task = "verify"    // a backup was read back
	TaskDrill     Task = "drill"     // a backup was restored into scratch and compared
)

// SafeString returns the task's word.
func (t Task) SafeString() string { return string(t) }

// Outcome is how one task at one target ended. It holds no client's data.
type Outcome struct {
	Task       Task
	Target     string // name of the target
	Name       string // of the backup; empty when there is none
	At         time.Time
	Took       time.Duration
	Made       time.Time // when the backup was made
	Sequence   uint64    // number of the last commit in it
	Generation uint32    // of the root that opens it
	Records    uint64
	Events     uint64
	Bytes      uint64 // of the file
	Level      int    // that was reached: 1 signature and sum, 2 every record, 3 drill; 0: none
	Head       audit.Head
	Sum        string // SHA-256 of the file up to its end record, hex
	Balance    string // of the books when the backup was made, or in a drill those restored
	OK         bool
	Code       string // stable code of what went wrong
	What       string // and the sentence that says what to do
}

// row is an outcome as the store keeps it.
type row struct {
	Task       Task       `cbor:"1,keyasint"`
	Target     string     `cbor:"2,keyasint"`
	Name       string     `cbor:"3,keyasint,omitempty"`
	At         int64      `cbor:"4,keyasint"`           // Unix microseconds
	Took       int64      `cbor:"5,keyasint,omitempty"` // microseconds
	Made       int64      `cbor:"6,keyasint,omitempty"` // Unix microseconds
	Sequence   uint64     `cbor:"7,keyasint,omitempty"`
	Records    uint64     `cbor:"8,keyasint,omitempty"`
	Events     uint64     `cbor:"9,keyasint,omitempty"`
	Bytes      uint64     `cbor:"10,keyasint,omitempty"`
	Level      int        `cbor:"11,keyasint,omitempty"`
	HeadSize   uint64     `cbor:"12,keyasint,omitempty"`
	HeadRoot   audit.Hash `cbor:"13,keyasint,omitempty"`
	Sum        string     `cbor:"14,keyasint,omitempty"`
	Balance    string     `cbor:"15,keyasint,omitempty"`
	OK         bool       `cbor:"16,keyasint"`
	Code       string     `cbor:"17,keyasint,omitempty"`
	What       string     `cbor:"18,keyasint,omitempty"`
	Generation uint32     `cbor:"19,keyasint,omitempty"`
}

// results is what is known of past backups.
var results = vault.NewJournal[row, vault.None](vault.BucketBackups)

// Tables are what this package keeps in the store.
func Tables() []vault.AnyTable { return []vault.AnyTable{results} }

func rowOf(o Outcome) row {
	r := row{
		Task: o.Task, Target: o.Target, Name: o.Name, At: o.At.UnixMicro(), Took: o.Took.Microseconds(),
		Sequence: o.Sequence, Records: o.Records, Events: o.Events, Bytes: o.Bytes, Level: o.Level,
		HeadSize: o.Head.Size, HeadRoot: o.Head.Root, Sum: o.Sum, Balance: o.Balance, OK: o.OK, Code: o.Code, What: o.What,
		Generation: o.Generation,
	}
	if !o.Made.IsZero() {
		r.Made = o.Made.UnixMicro()
	}
	return r
}

func (r row) outcome() Outcome {
	o := Outcome{
		Task: r.Task, Target: r.Target, Name: r.Name, At: time.UnixMicro(r.At), Took: time.Duration(r.Took) * time.Microsecond,
		Sequence: r.Sequence, Records: r.Records, Events: r.Events, Bytes: r.Bytes, Level: r.Level,
		Head: audit.Head{Size: r.HeadSize, Root: r.HeadRoot}, Sum: r.Sum, Balance: r.Balance, OK: r.OK, Code: r.Code, What: r.What,
		Generation: r.Generation,
	}
	if r.Made != 0 {
		o.Made = time.UnixMicro(r.Made)
	}
	return o
}

// of fills in what a header says.
func (o *Outcome) of(n Name, h *Header) {
	o.Name, o.Made, o.Sequence, o.Generation = n.String(), h.Time, h.Sequence, h.Generation
	o.Records, o.Events, o.Head = h.Records, h.Head.Size, h.Head
}

// end says how it ended.
func (o *Outcome) end(now time.Time, err error) {
	o.Took = now.Sub(o.At)
	o.OK = err == nil
	if err == nil {
		return
	}
	o.Code, o.What = string(Code(err)), fault.Message(err)
	if o.Code == "" {
		o.Code = vault.Code(err)
	}
}
