package ops

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"coffer/internal/host"
)

// days spells an age or a remaining time for people.
func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); {
	case d < time.Hour:
		return "less than an hour"
	case n == 0:
		return count(int(d/time.Hour), "hour")
	default:
		return count(n, "day")
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sorted joins words in a fixed order.
func sorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// expects reports whether the daemon itself means to listen at p.
func (o *Ops) expects(p host.Port) bool { return slices.Contains(o.machine.Ports, p) }

func isLoopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.IsLoopback()
}
