package pan

// one is a digit of a run.
type one struct {
	value    byte
	fresh    bool // the first of its group
	from, to int  // where it stands, in bytes
}

// run is digits with nothing but separators between them.
type run []one

// card returns where the first card number in the run r of s stands.
func card[T Bytes](s T, r run) (from, to int, found bool) {
	group := 0 // how long the group is in which i stands
	for i := range r {
		if r[i].fresh {
			group = r.group(i)
		}
		n := 0
		switch {
		case group > digitsMax:
			n = r.inside(i)
		case !r[i].fresh || len(r)-i < digitsMin:
		case group >= digitsMin:
			n = r.whole(i, group)
			if n == 0 && striped(s, r[i].from, r[i+group-1].to) {
				n = group
			}
		case group <= groupMax:
			n = r.grouped(i, group)
		}
		if n > 0 {
			return r[i].from, r[i+n-1].to, true
		}
	}
	return 0, 0, false
}

// groupMax is how many digits a group of a number in groups has at most.
const groupMax = 8

// group returns how many digits the group that begins at i has.
func (r run) group(i int) int {
	n := 1
	for i+n < len(r) && !r[i+n].fresh {
		n++
	}
	return n
}

// The lengths of nearly all card numbers: those of American Express, and of all
// others.
const (
	digitsShort  = 15
	digitsCommon = 16
)

// inside returns how many digits a number has that begins at i within a group.
func (r run) inside(i int) int {
	for _, n := range [...]int{digitsCommon, digitsShort} {
		if i+n <= len(r) && r[i:i+n].joined() && r[i:i+n].isCard() {
			return n
		}
	}
	return 0
}

// joined reports whether all digits after the first are of its group.
func (r run) joined() bool {
	for _, d := range r[1:] {
		if d.fresh {
			return false
		}
	}
	return true
}

// whole returns how many digits a number has that is the group at i, or its
// beginning.
func (r run) whole(i, group int) int {
	if r[i : i+group].isCard() {
		return group
	}
	return r[i : i+group].inside(0)
}

// grouped returns how many digits a number has that begins at i and goes over
// groups of one size, of which the last may be shorter, or over three as
// American Express (4-6-5) and Diners Club (4-6-4) print them.
func (r run) grouped(i, size int) int {
	for n := size; i+n < len(r); {
		last := r.group(i + n)
		if n += last; last > size || n > digitsMax {
			break
		}
		if r[i : i+n].isCard() {
			return n
		}
		if last < size {
			break
		}
	}
	if size != 4 || i+10 >= len(r) || r.group(i+4) != 6 {
		return 0
	}
	n := 10 + r.group(i+10)
	if n != 14 && n != digitsShort || !r[i:i+n].isCard() {
		return 0
	}
	return n
}

// isCard reports whether the digits are those of a card number.
func (r run) isCard() bool { return len(r) >= digitsMin && r.issued() && r.luhn() }

// issued reports whether a card scheme gives out numbers of this beginning and
// length: Visa, Mastercard, American Express, Discover, Diners Club, JCB,
// UnionPay, RuPay, Maestro and Mir, by the ranges that they publish.
func (r run) issued() bool {
	n, two := len(r), r.number(2)
	four := two*100 + r[2:].number(2)
	switch {
	case two/10 == 4:
		return n == 13 || n == digitsCommon || n == digitsMax
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return n == digitsCommon
	case two == 34, two == 37:
		return n == digitsShort
	case two == 60, two == 62, two == 64, two == 65, two == 35, four >= 2200 && four <= 2204:
		return n >= digitsCommon
	case two == 36, two == 38, two == 39, four/10 >= 300 && four/10 <= 305, four == 3095:
		return n >= 14
	case two == 50, two >= 56 && two <= 58, two == 63, two == 67:
		return true
	}
	return false
}

// number returns the first digits as a number.
func (r run) number(digits int) int {
	n := 0
	for _, d := range r[:digits] {
		n = n*10 + int(d.value)
	}
	return n
}

// luhn reports whether the last digit is the right check digit.
func (r run) luhn() bool {
	sum := 0
	for i, d := range r {
		n := int(d.value)
		if (len(r)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// striped reports whether digits stand in s as on a magnetic stripe: %B…^ on
// track 1; on track 2 …=, or D for it, with a date (YYMM) and a service code
// behind it.
func striped[T Bytes](s T, from, to int) bool {
	if to >= len(s) {
		return false
	}
	switch s[to] {
	case '^':
		return from > 0 && s[from-1]|0x20 == 'b'
	case '=', 'D', 'd':
	default:
		return false
	}
	if len(s) < to+8 {
		return false
	}
	for i := range 7 {
		if s[to+1+i] < '0' || s[to+1+i] > '9' {
			return false
		}
	}
	month := int(s[to+3]-'0')*10 + int(s[to+4]-'0')
	return month >= 1 && month <= 12
}
