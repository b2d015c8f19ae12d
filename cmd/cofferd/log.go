package main

import (
	"context"
	"encoding"
	"log/slog"

	"coffer/internal/pan"
)

// masked is a log that keeps no card number: the digits of what looks like one,
// in a message or an attribute, are asterisks. No part of Coffer logs what a
// person or a device sent; this is for the one that does nevertheless.
type masked struct{ slog.Handler }

// Handle implements slog.Handler.
func (m masked) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, pan.Mask(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(maskedAttr(a))
		return true
	})
	return m.Handler.Handle(ctx, clean)
}

// WithAttrs implements slog.Handler.
func (m masked) WithAttrs(attrs []slog.Attr) slog.Handler {
	return masked{m.Handler.WithAttrs(maskedAttrs(attrs))}
}

// WithGroup implements slog.Handler.
func (m masked) WithGroup(name string) slog.Handler {
	return masked{m.Handler.WithGroup(pan.Mask(name))}
}

func maskedAttrs(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = maskedAttr(a)
	}
	return clean
}

// maskedAttr judges what is written of an attribute. What is no text, and
// holds no number, stays as it is.
func maskedAttr(a slog.Attr) slog.Attr {
	a.Key, a.Value = pan.Mask(a.Key), a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindGroup:
		a.Value = slog.GroupValue(maskedAttrs(a.Value.Group())...)
	case slog.KindTime, slog.KindDuration, slog.KindBool:
	default:
		if text := textOf(a.Value); pan.In(text) {
			a.Value = slog.StringValue(pan.Mask(text))
		}
	}
	return a
}

// textOf returns what a text handler writes of a value.
func textOf(v slog.Value) string {
	switch value := v.Any().(type) {
	case []byte:
		return string(value)
	case encoding.TextMarshaler:
		if text, err := value.MarshalText(); err == nil {
			return string(text)
		}
	}
	return v.String()
}
