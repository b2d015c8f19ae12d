package vault

import (
	"iter"
	"time"

	"coffer/internal/fault"
	"coffer/internal/ident"
)

// None is the private part of a table that keeps none.
type None = struct{}

// Row is one record. Shared is what the books and the schedule need by
// pseudonym; Private is what identifies the client and is sealed a second
// time under that client's own key, so that it can be erased by itself.
type Row[S, P any] struct {
	Key     uint64                 // position in the bucket, given by Insert, never reused
	Client  ident.ID[ident.Client] // whose Private it is; zero when P is None
	Shared  S
	Private P
	Erased  time.Time // when the client's keys were destroyed, UTC: Private is zero for ever; zero: they were not
}

// Index is an order over a table's rows that lives in memory only: it is
// built when the store opens and is never on the disk.
type Index[S, P any] struct {
	name string
	keys func(Row[S, P]) []string
}

// NewIndex returns an index of that name. keys gives the values under which a
// row is found: none, one or several; it must depend on the row alone.
func NewIndex[S, P any](name string, keys func(Row[S, P]) []string) Index[S, P] {
	return Index[S, P]{name, keys}
}

// AnyTable is a Journal or a Table of any type, for Options.Tables.
type AnyTable interface{ core() *tableCore }

// tableCore is what the vault knows of a table without its types.
type tableCore struct {
	bucket  Bucket
	private bool
	indexes []string
	keysOf  func(record) ([][]string, error) // values per index
	rowOf   func(record) (any, error)        // the typed row
}

func (c *tableCore) core() *tableCore { return c }

// Journal is an append-only bucket of rows: it has no way to change or delete
// one. It holds no data, so one Journal may serve several vaults.
type Journal[S, P any] struct {
	*tableCore
	ix []Index[S, P]
}

// Table is a bucket whose rows may be replaced and deleted.
type Table[S, P any] struct{ Journal[S, P] }

// NewJournal describes the append-only bucket b with its indexes.
func NewJournal[S, P any](b Bucket, ix ...Index[S, P]) *Journal[S, P] {
	j := newJournal(b, ix)
	return &j
}

// NewTable describes the bucket b with its indexes.
func NewTable[S, P any](b Bucket, ix ...Index[S, P]) *Table[S, P] {
	return &Table[S, P]{newJournal(b, ix)}
}

func newJournal[S, P any](b Bucket, ix []Index[S, P]) Journal[S, P] {
	var p P
	_, none := any(p).(None)
	j := Journal[S, P]{tableCore: &tableCore{bucket: b, private: !none}, ix: ix}
	for _, x := range ix {
		j.indexes = append(j.indexes, x.name)
	}
	j.keysOf = func(r record) ([][]string, error) {
		row, err := j.decode(r)
		if err != nil {
			return nil, err
		}
		return j.values(row), nil
	}
	j.rowOf = func(r record) (any, error) { return j.decode(r) }
	return j
}

// values returns the row's values per index.
func (j Journal[S, P]) values(row Row[S, P]) [][]string {
	values := make([][]string, len(j.ix))
	for i, x := range j.ix {
		values[i] = x.keys(row)
	}
	return values
}

func (j Journal[S, P]) decode(r record) (Row[S, P], error) {
	row := Row[S, P]{Key: r.key, Client: r.client, Erased: r.erased}
	if err := decode(r.shared, &row.Shared); err != nil {
		return Row[S, P]{}, err
	}
	if j.private && r.erased.IsZero() {
		if err := decode(r.private, &row.Private); err != nil {
			return Row[S, P]{}, err
		}
	}
	return row, nil
}

// errNoClient and errNoPrivate are defects of a caller.
var (
	errNoClient  = fault.New(fault.Internal, "A record with a private part names no client. Report this to the makers of Coffer.")
	errNoPrivate = fault.New(fault.Internal, "A record without a private part names a client. Report this to the makers of Coffer.")
)

func (j Journal[S, P]) encode(row Row[S, P]) (record, error) {
	switch {
	case j.private && row.Client.IsZero():
		return record{}, errNoClient
	case !j.private && !row.Client.IsZero():
		return record{}, errNoPrivate
	}
	r := record{key: row.Key, client: row.Client}
	var err error
	if r.shared, err = encode(row.Shared); err != nil {
		return record{}, err
	}
	if j.private {
		r.private, err = encode(row.Private)
	}
	return r, err
}

// Insert appends the row, whatever its Key, and returns the key it got.
func (j *Journal[S, P]) Insert(tx *Tx, row Row[S, P]) (uint64, error) {
	b, err := tx.writable(j.bucket.ID)
	if err != nil {
		return 0, err
	}
	row.Key = b.next
	r, err := j.encode(row)
	if err != nil {
		return 0, err
	}
	if err := tx.put(b, r); err != nil {
		return 0, err
	}
	b.next++
	b.addIndexed(row.Key, j.values(row))
	return row.Key, nil
}

// At returns the row with that key, or ErrNoRow.
func (j *Journal[S, P]) At(tx *Tx, key uint64) (Row[S, P], error) {
	b, err := tx.readable(j.bucket.ID)
	if err != nil {
		return Row[S, P]{}, err
	}
	return j.at(tx, b, key)
}

func (j *Journal[S, P]) at(tx *Tx, b *bucketState, key uint64) (Row[S, P], error) {
	r, err := tx.load(b, key)
	if err != nil {
		return Row[S, P]{}, err
	}
	return j.decode(r)
}

// Count returns the number of rows.
func (j *Journal[S, P]) Count(tx *Tx) uint64 {
	b, err := tx.readable(j.bucket.ID)
	if err != nil {
		return 0
	}
	return uint64(b.tags.Len())
}

// All returns every row in key order, which is the order of insertion. Like
// every sequence of rows it ends after the first error it yields, and may be
// used only inside the transaction.
func (j *Journal[S, P]) All(tx *Tx) iter.Seq2[Row[S, P], error] {
	return j.each(tx, func(b *bucketState, yield func(uint64) bool) {
		tx.still(b.tags).Scan(func(key, _ uint64) bool { return yield(key) })
	})
}

// Newest returns every row, the last inserted first.
func (j *Journal[S, P]) Newest(tx *Tx) iter.Seq2[Row[S, P], error] {
	return j.each(tx, func(b *bucketState, yield func(uint64) bool) {
		tx.still(b.tags).Reverse(func(key, _ uint64) bool { return yield(key) })
	})
}

// Find returns the rows that the index has under value, in key order.
func (j *Journal[S, P]) Find(tx *Tx, index, value string) iter.Seq2[Row[S, P], error] {
	return j.along(tx, index, value, func(v string) bool { return v == value })
}

// Between returns the rows whose index value v has from ≤ v < to, in the
// order of the values (bytewise), then of the keys. A row that has several
// such values comes once for each.
func (j *Journal[S, P]) Between(tx *Tx, index, from, to string) iter.Seq2[Row[S, P], error] {
	return j.along(tx, index, from, func(v string) bool { return v < to })
}

// First returns the oldest row that the index has under value, and whether
// there is one.
func (j *Journal[S, P]) First(tx *Tx, index, value string) (Row[S, P], bool, error) {
	for row, err := range j.Find(tx, index, value) {
		return row, err == nil, err
	}
	return Row[S, P]{}, false, nil
}

// errNoIndex is a defect of a caller.
var errNoIndex = fault.New(fault.Internal, "A search names an index that its table doesn't have. Report this to the makers of Coffer.")

// along yields the rows of an index from a value on for as long as in holds.
func (j *Journal[S, P]) along(tx *Tx, index, from string, in func(string) bool) iter.Seq2[Row[S, P], error] {
	for i, name := range j.indexes {
		if name == index {
			return j.each(tx, func(b *bucketState, yield func(uint64) bool) {
				tx.stillIndex(b.indexes[i]).Ascend(indexEntry{from, 0}, func(e indexEntry) bool {
					return in(e.value) && yield(e.key)
				})
			})
		}
	}
	return func(yield func(Row[S, P], error) bool) { yield(Row[S, P]{}, errNoIndex) }
}

// each yields the rows of the keys that walk yields.
func (j *Journal[S, P]) each(tx *Tx, walk func(*bucketState, func(uint64) bool)) iter.Seq2[Row[S, P], error] {
	return func(yield func(Row[S, P], error) bool) {
		b, err := tx.readable(j.bucket.ID)
		if err != nil {
			yield(Row[S, P]{}, err)
			return
		}
		walk(b, func(key uint64) bool {
			row, err := j.at(tx, b, key)
			return yield(row, err) && err == nil
		})
	}
}

// Replace puts the row in place of the one with its Key, or gives ErrNoRow.
func (t *Table[S, P]) Replace(tx *Tx, row Row[S, P]) error {
	b, err := tx.writable(t.bucket.ID)
	if err != nil {
		return err
	}
	old, err := t.at(tx, b, row.Key)
	if err != nil {
		return err
	}
	r, err := t.encode(row)
	if err != nil {
		return err
	}
	if err := tx.put(b, r); err != nil {
		return err
	}
	b.dropIndexed(row.Key, t.values(old))
	b.addIndexed(row.Key, t.values(row))
	return nil
}

// Delete removes the row with that key, or gives ErrNoRow. The key is not
// used again.
func (t *Table[S, P]) Delete(tx *Tx, key uint64) error {
	b, err := tx.writable(t.bucket.ID)
	if err != nil {
		return err
	}
	old, err := t.at(tx, b, key)
	if err != nil {
		return err
	}
	if err := tx.drop(b, key); err != nil {
		return err
	}
	b.dropIndexed(key, t.values(old))
	return nil
}
