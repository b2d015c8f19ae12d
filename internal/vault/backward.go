package vault

import "iter"

// Backward is Between, from the greatest index value down to the smallest: for
// whoever wants the newest few rows of many.
func (j *Journal[S, P]) Backward(tx *Tx, index, from, to string) iter.Seq2[Row[S, P], error] {
	for i, name := range j.indexes {
		if name == index {
			return j.each(tx, func(b *bucketState, yield func(uint64) bool) {
				tx.stillIndex(b.indexes[i]).Descend(indexEntry{to, 0}, func(e indexEntry) bool {
					return e.value >= to || e.value >= from && yield(e.key)
				})
			})
		}
	}
	return func(yield func(Row[S, P], error) bool) { yield(Row[S, P]{}, errNoIndex) }
}
