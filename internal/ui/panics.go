package ui

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"runtime"
	"strings"
)

// typeName returns the Go type of a value that was panicked with.
func typeName(v any) string { return fmt.Sprintf("%T", v) }

// brokenAt returns file and line of the innermost frame of Coffer's own code
// on the stack of a panic, such as "today.go:42".
func brokenAt() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	panicked := false
	for {
		frame, more := frames.Next()
		if panicked && strings.HasPrefix(frame.Function, "coffer/") {
			return fmt.Sprintf("%s:%d", path.Base(frame.File), frame.Line)
		}
		panicked = panicked || frame.Function == "runtime.gopanic"
		if !more {
			return "unknown"
		}
	}
}

// silent passes net/http's own messages on as one constant sentence: their
// text holds addresses and what a peer sent.
type silent struct{ slog.Handler }

// Handle implements slog.Handler.
func (h silent) Handle(ctx context.Context, r slog.Record) error {
	return h.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, "a connection failed", r.PC))
}
