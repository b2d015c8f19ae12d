package vault

import (
	"context"
	"reflect"
	"strconv"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
)

// Search says what Prove looks for.
type Search struct {
	In     func(string) bool // reports whether a text or a number holds it
	Exempt reflect.Type      // fields of this type are counted, not judged
}

// Searched is what Prove read.
type Searched struct {
	Sequence uint64 // of the commit
	Tables   []TableSearched
	Exempt   uint64 // fields
	Found    []RecordFound
}

// TableSearched is what was read of a table, or of the audit trail.
type TableSearched struct {
	Name    string
	Records uint64
	Bytes   uint64 // in clear, both parts
	Erased  uint64 // records whose private part no key opens any more
}

// RecordFound names a record that holds what was looked for.
type RecordFound struct {
	Table string
	Key   uint64
}

// trailTable is the name of the audit trail in a TableSearched.
const trailTable = "audit"

// Prove decrypts every record of every table, both parts, and every event of
// the audit trail, and looks through their fields (action access.ScopeProve).
// It tells where it found something, never what. Hashes, identifiers and
// instants are no text and are not looked through, nor is the audit tree.
func (v *Vault) Prove(ctx context.Context, r access.Request, s Search) (Searched, error) {
	if r.Action != access.ScopeProve {
		return Searched{}, errAct
	}
	w := &searcher{search: s}
	err := v.View(ctx, r, func(tx *Tx) error {
		w.done.Sequence = tx.state.seq
		for _, b := range tx.state.slots {
			if err := w.table(ctx, tx, b); err != nil {
				return err
			}
		}
		if err := w.trail(ctx, tx); err != nil {
			return err
		}
		tx.Detail("sequence", fault.Int(w.done.Sequence))
		tx.Detail("findings", fault.Int(len(w.done.Found)))
		return nil
	})
	return w.done, err
}

// SignStatement signs a statement with the key of the audit trail, and with the
// TPM if there is an Attestor. The statement begins as audit.StatementHead says.
func (v *Vault) SignStatement(ctx context.Context, text string) ([]byte, error) {
	v.signing.Lock()
	defer v.signing.Unlock()
	return v.signer(ctx, v.published.Load().durable).SignStatement(text)
}

// searcher is the state of a Prove.
type searcher struct {
	search Search
	done   Searched
	found  bool // in the record at hand
}

func (w *searcher) table(ctx context.Context, tx *Tx, b *bucketState) error {
	if b.table == nil {
		return errNoTable // a bucket of a later version: nothing can be said of it
	}
	t := TableSearched{Name: b.bucket.Name}
	var err error
	tx.still(b.tags).Scan(func(key, _ uint64) bool {
		if err = ctx.Err(); err != nil {
			return false
		}
		var r record
		var row any
		if r, err = tx.load(b, key); err == nil {
			row, err = b.table.rowOf(r)
		}
		if err != nil {
			return false
		}
		if !r.erased.IsZero() {
			t.Erased++
		}
		t.Records, t.Bytes = t.Records+1, t.Bytes+uint64(len(r.shared)+len(r.private))
		w.record(t.Name, key, row)
		return true
	})
	w.done.Tables = append(w.done.Tables, t)
	return err
}

func (w *searcher) trail(ctx context.Context, tx *Tx) error {
	t := TableSearched{Name: trailTable}
	for seq := range tx.state.tree.Size() {
		if err := ctx.Err(); err != nil {
			return err
		}
		stored, err := tx.event(seq)
		if err != nil {
			return err
		}
		event, err := readEvent(stored)
		if err != nil {
			return err
		}
		t.Records, t.Bytes = t.Records+1, t.Bytes+uint64(len(stored.Leaf)+len(stored.Opening.Private))
		w.record(t.Name, seq, event)
	}
	w.done.Tables = append(w.done.Tables, t)
	return nil
}

// record looks through one record.
func (w *searcher) record(table string, key uint64, row any) {
	w.found = false
	w.look(reflect.ValueOf(row))
	if w.found {
		w.done.Found = append(w.done.Found, RecordFound{table, key})
	}
}

var (
	timeType = reflect.TypeFor[time.Time]()
	hashType = reflect.TypeFor[audit.Hash]()
)

// look looks through a value and all that it holds.
func (w *searcher) look(v reflect.Value) {
	if w.found || !v.IsValid() || v.Type() == timeType || v.Type() == hashType {
		return
	}
	if v.Type() == w.search.Exempt {
		if !v.IsZero() {
			w.done.Exempt++
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		w.found = w.search.In(v.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.found = w.search.In(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.found = w.search.In(strconv.FormatUint(v.Uint(), 10))
	case reflect.Struct:
		for i := range v.NumField() {
			w.look(v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		w.lookInside(v)
	case reflect.Map:
		for at := v.MapRange(); at.Next(); {
			w.look(at.Key())
			w.look(at.Value())
		}
	case reflect.Pointer, reflect.Interface:
		w.look(v.Elem())
	}
}

// lookInside looks through a list. Bytes are a text; those of an identifier or
// a hash, which are an array, are not.
func (w *searcher) lookInside(v reflect.Value) {
	switch {
	case v.Type().Elem().Kind() != reflect.Uint8:
		for i := range v.Len() {
			w.look(v.Index(i))
		}
	case v.Kind() == reflect.Slice:
		w.found = w.search.In(string(v.Bytes()))
	}
}
