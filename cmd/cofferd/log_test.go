package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"coffer/internal/ident"
	"coffer/internal/pan"
)

// noisy is a value that makes its text when it is logged.
type noisy struct{ text string }

func (n noisy) LogValue() slog.Value { return slog.GroupValue(slog.String("inner", n.text)) }

// No line of the daemon's log holds a card number, wherever in a record it is;
// everything else stands as it was written.
func TestLogHoldsNoCardNumber(t *testing.T) {
	t.Parallel()
	var out, plain bytes.Buffer
	log, bare := slog.New(masked{slog.NewTextHandler(&out, nil)}), slog.New(slog.NewTextHandler(&plain, nil))
	const card = "4111 1111 1111 1111"
	log.Info("took "+card, "text", card, "number", 4111111111111111, "bytes", []byte(card), "err", errors.New("at "+card), "list", []string{"a", card},
		slog.Group("group", "deep", card), "late", noisy{card}, card, "key")
	log.With("standing", card).WithGroup("in").Warn("again", "x", "5555555555554444")
	log.WithGroup(card).Warn("a group", "x", 1)
	if s := out.String(); pan.In(s) || strings.Contains(s, "1111") || strings.Contains(s, "4444") || strings.Count(s, "****") < 10 {
		t.Errorf("the log says\n%s", s)
	}
	out.Reset()
	at := time.Date(2026, 11, 25, 13, 2, 0, 123456789, time.UTC)
	for _, l := range []*slog.Logger{log, bare} {
		l.With("port", 443).Error("request failed", "id", ident.New[ident.Client](time.UnixMilli(0)).IsZero(), "took", 1234567890123456*time.Nanosecond, "at", at, "events", 123456, "kind", "invalid")
	}
	if cut := func(b bytes.Buffer) string { _, s, _ := strings.Cut(b.String(), "level="); return s }; cut(out) != cut(plain) {
		t.Errorf("%s is written as %s", &plain, &out)
	}
}
