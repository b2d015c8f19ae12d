package vault

// staging is what one request will write, in order. Nothing of it reaches
// bbolt before the request has succeeded, so a request that fails leaves
// nothing behind in its batch.
type staging struct {
	hasher *setHasher
	writes []write
	at     map[place]int // last write to a place
}

type place struct {
	bucket uint16
	key    uint64
}

// write is one value to store; nil removes.
type write struct {
	place
	value []byte
}

func (s *staging) put(bucket uint16, key uint64, value []byte) {
	s.add(write{place{bucket, key}, value})
}

func (s *staging) drop(bucket uint16, key uint64) { s.add(write{place{bucket, key}, nil}) }

func (s *staging) add(w write) {
	if s.at == nil {
		s.at = map[place]int{}
	}
	if i, ok := s.at[w.place]; ok {
		s.writes[i] = w
		return
	}
	s.at[w.place] = len(s.writes)
	s.writes = append(s.writes, w)
}

// value returns what is staged for a place, nil when nothing is.
func (s *staging) value(bucket uint16, key uint64) []byte {
	if i, ok := s.at[place{bucket, key}]; ok {
		return s.writes[i].value
	}
	return nil
}
