package frame_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/terminal/frame"
)

// found is what a decoder made of a stream: one word an event.
func found(d *frame.Decoder, stream []byte) []string {
	var words []string
	for _, c := range stream {
		e, ok := d.Push(c)
		if !ok {
			continue
		}
		switch e.Kind {
		case frame.Frame:
			words = append(words, "frame:"+string(e.Payload))
		case frame.Control:
			words = append(words, fmt.Sprintf("control:%02x", e.Byte))
		case frame.Start:
			words = append(words, "start")
		case frame.BadSum:
			words = append(words, "badsum")
		case frame.Restarted:
			words = append(words, "restarted")
		case frame.Oversize:
			words = append(words, "oversize")
		case frame.Noise:
			words = append(words, fmt.Sprintf("noise:%02x", e.Byte))
		}
	}
	return words
}

func framed(t testing.TB, payload string) []byte {
	t.Helper()
	f, err := frame.Append(nil, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDecoder(t *testing.T) {
	a, b := string(framed(t, "A")), string(framed(t, "B"))
	for _, c := range []struct{ name, stream, want string }{
		{"a frame", a, "start frame:A"},
		{"two frames in one piece", a + b, "start frame:A start frame:B"},
		{"control bytes between", "\x06" + a + "\x04\x15\x05", "control:06 start frame:A control:04 control:15 control:05"},
		{"control bytes inside are payload", string(framed(t, "A\x06\x15\x04B")), "start frame:A\x06\x15\x04B"},
		{"an empty frame", "\x02\x03\x03", "start frame:"},
		{"a wrong checksum", "\x02A\x03\x00", "start badsum"},
		{"the next frame after a wrong checksum", "\x02A\x03\x00" + b, "start badsum start frame:B"},
		{"STX inside", "\x02AAA" + b, "start restarted frame:B"},
		{"an ETX that was lost", a[:2] + b, "start restarted frame:B"},
		{"noise", "\x10\xff" + a, "noise:10 noise:ff start frame:A"},
		{"ETX between frames", "\x03" + a, "noise:03 start frame:A"},
	} {
		if got := strings.Join(found(new(frame.Decoder), []byte(c.stream)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestCheckByteTraps has one frame for each control byte whose check byte has
// just this value: it must be taken as the check byte and never as a control
// byte, and the control byte after it as one.
func TestCheckByteTraps(t *testing.T) {
	for _, trap := range []byte{0x02, 0x03, 0x04, 0x06, 0x15} {
		payload := []byte("T01x")
		payload[3] ^= frame.LRC(payload) ^ trap
		f, err := frame.Append(nil, payload)
		if err != nil {
			// The byte that makes the sum is itself STX or ETX: add another.
			payload = append([]byte("T01 "), 0)
			payload[4] = frame.LRC(payload) ^ trap
			if f, err = frame.Append(nil, payload); err != nil {
				t.Fatalf("%02x: no payload found", trap)
			}
		}
		if f[len(f)-1] != trap {
			t.Fatalf("%02x: the frame ends in %02x", trap, f[len(f)-1])
		}
		stream := append(append(f, frame.EOT), f...)
		want := fmt.Sprintf("[start frame:%s control:04 start frame:%s]", payload, payload)
		if got := fmt.Sprint(found(new(frame.Decoder), stream)); got != want {
			t.Errorf("%02x: %q, want %q", trap, got, want)
		}
	}
}

func TestCaptures(t *testing.T) {
	b, err := os.ReadFile("testdata/captures/pax-frames.tsv")
	if err != nil {
		t.Fatal(err)
	}
	good, bad := 0, 0
	for l := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(l), "\t")
		if strings.HasPrefix(l, "#") || len(f) != 4 {
			continue
		}
		raw, err := hex.DecodeString(f[3])
		if err != nil {
			t.Fatal(err)
		}
		words := found(new(frame.Decoder), raw)
		last := words[len(words)-1]
		switch f[1] {
		case "lrc-ok":
			good++
			if last != "frame:"+string(raw[1:len(raw)-2]) {
				t.Errorf("%s: %q", f[0], words)
			}
		case "lrc-BAD":
			bad++
			if last != "badsum" {
				t.Errorf("%s: a frame with a wrong check byte was taken: %q", f[0], words)
			}
		}
	}
	if good < 4 || bad != 1 {
		t.Errorf("%d good and %d bad captures; the file is not whole", good, bad)
	}
}

func TestCapturedTraps(t *testing.T) {
	b, err := os.ReadFile("testdata/captures/pax-lrc-traps.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for l := range strings.Lines(string(b)) {
		sum, text, ok := strings.Cut(strings.TrimSpace(l), " ")
		if !ok {
			continue
		}
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if got := fmt.Sprintf("lrc=%02x", raw[len(raw)-1]); got != sum {
			t.Errorf("%s ends in %s", sum, got)
		}
		words := found(new(frame.Decoder), append(raw, frame.ACK))
		want := []string{"start", "frame:" + string(raw[1:len(raw)-2]), "control:06"}
		if fmt.Sprint(words) != fmt.Sprint(want) {
			t.Errorf("%s: %q", sum, words)
		}
	}
	if n != 8 {
		t.Errorf("%d traps; the file is not whole", n)
	}
}

func TestSizeLimit(t *testing.T) {
	whole := bytes.Repeat([]byte{'x'}, frame.SizeMax)
	f, err := frame.Append(nil, whole)
	if err != nil {
		t.Fatal(err)
	}
	if words := found(new(frame.Decoder), f); len(words) != 2 || words[1] != "frame:"+string(whole) {
		t.Error("a frame of the largest size was not taken")
	}
	if _, err := frame.Append(nil, append(whole, 'x')); !errors.Is(err, frame.ErrPayload) {
		t.Errorf("a payload over the limit: %v", err)
	}
	d := new(frame.Decoder)
	stream := append([]byte{frame.STX}, bytes.Repeat([]byte{'x'}, 10*frame.SizeMax)...)
	stream = append(stream, frame.ETX, 0x06) // the check byte is no ACK
	stream = append(stream, framed(t, "next")...)
	if got := fmt.Sprint(found(d, stream)); got != "[start oversize start frame:next]" {
		t.Errorf("after a frame that is too long: %s", got)
	}
}

func TestAppendRefusesControlBytes(t *testing.T) {
	for _, p := range []string{"a\x02", "\x03", "a\x03b"} {
		if _, err := frame.Append(nil, []byte(p)); !errors.Is(err, frame.ErrPayload) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestWipe(t *testing.T) {
	var d frame.Decoder
	f := framed(t, "4111111111111111")
	var payload []byte
	for _, c := range f {
		if e, ok := d.Push(c); ok && e.Kind == frame.Frame {
			payload = e.Payload
		}
	}
	d.Wipe()
	if string(payload) != strings.Repeat("\x00", 16) {
		t.Errorf("after Wipe the buffer still holds %q", payload)
	}
	d.Push(frame.STX)
	if !d.Inside() {
		t.Error("a frame has begun, and Inside says no")
	}
	d.Wipe()
	if d.Inside() {
		t.Error("after Wipe a frame is still going on")
	}
}

// TestRoundTrip: whatever the payloads, and however the stream is cut, the
// frames come out as they went in, with the control bytes between them.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.Byte().Filter(func(c byte) bool { return c != frame.STX && c != frame.ETX })
		payloads := rapid.SliceOfN(rapid.SliceOf(plain), 1, 5).Draw(t, "payloads")
		var stream []byte
		var want []string
		for _, p := range payloads {
			var err error
			if stream, err = frame.Append(append(stream, frame.ACK), p); err != nil {
				t.Fatal(err)
			}
			want = append(want, "control:06", "start", "frame:"+string(p))
		}
		if got := found(new(frame.Decoder), stream); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

// TestResync: after any noise that does not look like the start of a frame,
// two frames are sent; at least the second comes out.
func TestResync(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := rapid.SliceOf(rapid.Byte()).Draw(t, "noise")
		for range 2 {
			var err error
			if stream, err = frame.Append(stream, []byte("answer")); err != nil {
				t.Fatal(err)
			}
		}
		words := found(new(frame.Decoder), stream)
		if words[len(words)-1] != "frame:answer" {
			t.Fatalf("the last frame is lost: %q", words)
		}
	})
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x02A14\x1c1.35\x1c\x03\x5e"))
	f.Add([]byte("\x06\x02\x02\x03\x03\x04"))
	f.Add([]byte("\x15\x15\x15\x04"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var d frame.Decoder
		for _, c := range stream {
			e, ok := d.Push(c)
			if !ok || e.Kind != frame.Frame {
				continue
			}
			again, err := frame.Append(nil, e.Payload)
			if err != nil {
				t.Fatalf("a payload came out that cannot go in: %v", err)
			}
			if !bytes.Contains(stream, again) {
				t.Fatalf("a frame came out that was not in the stream: %x", again)
			}
		}
	})
}

// TestExtendLeavesNothingBehind: bytes that outgrow their place are nowhere else
// afterwards.
func TestExtendLeavesNothingBehind(t *testing.T) {
	var b []byte
	for range 5000 {
		old := b[:cap(b):cap(b)]
		b = frame.Extend(b, '4', '1')
		if len(old) > 0 && &old[0] != &b[0] && strings.Trim(string(old), "\x00") != "" {
			t.Fatalf("%d bytes stayed behind", len(old))
		}
	}
	if string(b) != strings.Repeat("41", 5000) {
		t.Error("the bytes are others")
	}
}
