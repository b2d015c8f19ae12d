package host

import (
	"bufio"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Port is one TCP socket that listens on this machine, whoever opened it.
type Port struct {
	Address string `json:"address"` // IP address; "0.0.0.0" or "::" is every one
	Number  uint16 `json:"number"`
}

// Ports lists the listening TCP sockets of the process's network namespace,
// by number and address, without repetition.
func Ports() ([]Port, error) {
	var all []Port
	for _, name := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(name)
		if os.IsNotExist(err) { // a kernel without IPv6
			continue
		}
		if err != nil {
			return nil, errFacts
		}
		ports, err := parsePorts(f)
		f.Close() // nothing was written
		if err != nil {
			return nil, err
		}
		all = append(all, ports...)
	}
	slices.SortFunc(all, func(a, b Port) int {
		if a.Number != b.Number {
			return int(a.Number) - int(b.Number)
		}
		return strings.Compare(a.Address, b.Address)
	})
	return slices.Compact(all), nil
}

// listenState is TCP_LISTEN in /proc/net/tcp.
const listenState = "0A"

// parsePorts reads the kernel's table (proc_pid_net(5)).
func parsePorts(r io.Reader) ([]Port, error) {
	var out []Port
	s := bufio.NewScanner(r)
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) < 4 || f[3] != listenState {
			continue
		}
		p, ok := parsePort(f[1])
		if !ok {
			return nil, errFacts
		}
		out = append(out, p)
	}
	if s.Err() != nil {
		return nil, errFacts
	}
	return out, nil
}

// parsePort reads "0100007F:1F90": 32-bit words in host order, which is
// little-endian on every machine that Coffer is built for, and the port.
func parsePort(s string) (Port, bool) {
	address, number, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(number, 16, 16)
	if !ok || err != nil {
		return Port{}, false
	}
	b, err := hex.DecodeString(address)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return Port{}, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	ip, _ := netip.AddrFromSlice(b) // 4 or 16 bytes always are an address
	return Port{Address: ip.Unmap().String(), Number: uint16(n)}, true
}
