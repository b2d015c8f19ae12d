package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/sim"
)

// bareSales takes payments with a client that acknowledges frames and does
// nothing else, and returns the median and the bytes of one sale.
func bareSales(ctx context.Context, speaks sim.Protocol, baud, sales int) (took time.Duration, bytes int, err error) {
	dir, err := os.MkdirTemp("", "bare")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	s, err := sim.New(sim.Options{Protocol: speaks, Baud: baud})
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	link := filepath.Join(dir, "line")
	if err := s.ServePTY(link); err != nil {
		return 0, 0, err
	}
	port, err := os.OpenFile(link, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, 0, err
	}
	defer port.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := port.SetDeadline(deadline); err != nil {
			return 0, 0, err
		}
	}
	in := bufio.NewReader(port)
	var all []time.Duration
	for n := range sales {
		before, begun := s.Status().Stats.Sent, time.Now()
		if err := bareSale(port, in, speaks, n); err != nil {
			return 0, 0, err
		}
		all = append(all, time.Since(begun))
		bytes = s.Status().Stats.Sent - before
	}
	return median(all), bytes, nil
}

// bareSale sends one sale and acknowledges what comes until it has ended.
func bareSale(port *os.File, in *bufio.Reader, speaks sim.Protocol, n int) error {
	ref := fmt.Sprint(100000000001 + n)
	payload := "T00\x1c1.35\x1c01\x1c5000\x1c\x1c" + ref + "\x1c\x1c\x1c\x1c\x1cTIPREQ=0\x1fREPORTSTATUS=1"
	if speaks == sim.Simplify {
		payload = "0001,02\r\n0002,50.00\r\n0007," + ref + "\r\n0013,112526\r\n0014,120000\r\n\x04"
	}
	f, err := frame.Append(nil, []byte(payload))
	if err != nil {
		return err
	}
	if _, err := port.Write(f); err != nil {
		return err
	}
	var d frame.Decoder
	for {
		c, err := in.ReadByte()
		if err != nil {
			return err
		}
		e, ok := d.Push(c)
		switch {
		case !ok:
		case e.Kind == frame.Control && c == frame.EOT:
			return nil
		case e.Kind == frame.Frame:
			over := speaks == sim.Simplify && string(e.Payload[:7]) == "0001,02"
			if _, err := port.Write([]byte{frame.ACK}); err != nil || over {
				return err
			}
		}
	}
}
