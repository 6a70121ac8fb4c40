package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tasador/pkg/sqlstore/dagrunstore"
)

// tryLog is the log of a try: each line goes to the server's log and, down to level info, into the rows of the try.
type tryLog struct {
	server slog.Handler
	sink   *lineSink
	attrs  map[string]any
	prefix string // of the groups that are open
}

// lineSink stores the lines of one try.
type lineSink struct {
	log    *slog.Logger
	engine *Engine
	claim  dagrunstore.Claim
	lines  atomic.Int64
	order  sync.Mutex // keys of lines grow in the order in which they can be read, for those who follow a log
}

func newTryLog(e *Engine, c dagrunstore.Claim) slog.Handler {
	server := e.opts.Log.With("dag_run_id", c.Run.ID, "task_id", c.TaskID, "try", c.Try)
	return &tryLog{server: server.Handler(), sink: &lineSink{log: server, engine: e, claim: c}, attrs: map[string]any{}}
}

// Enabled reports whether the try or the server keeps lines of that level.
func (h *tryLog) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || h.server.Enabled(ctx, l)
}

// Handle writes a line to both. A line that cannot be stored does not fail the task.
func (h *tryLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		attrs := make(map[string]any, len(h.attrs)+r.NumAttrs())
		for k, v := range h.attrs {
			attrs[k] = v
		}
		r.Attrs(func(a slog.Attr) bool {
			addAttr(attrs, h.prefix, a)
			return true
		})
		h.sink.write(ctx, r, attrs)
	}
	if !h.server.Enabled(ctx, r.Level) {
		return nil
	}
	return h.server.Handle(ctx, r)
}

func (s *lineSink) write(ctx context.Context, r slog.Record, attrs map[string]any) {
	message := r.Message
	switch n := s.lines.Add(1); {
	case n > dagrunstore.MaxLogLines:
		return
	case n == dagrunstore.MaxLogLines:
		message, attrs = "This try logs too much; further lines are only in the log of the server.", nil
	}
	text, err := json.Marshal(attrs)
	if err != nil || attrs == nil {
		text = []byte("{}")
	}
	line := dagrunstore.LogLine{At: s.engine.now(), Level: r.Level.String(), Message: message, Attributes: text}
	s.order.Lock()
	defer s.order.Unlock()
	// The line is kept also when it says that the task was cancelled.
	limit, cancel := s.engine.storing(ctx)
	defer cancel()
	if err := s.engine.store.AppendLog(limit, s.claim.Instance, s.claim.Try, line); err != nil {
		s.log.WarnContext(ctx, "cannot store a log line of a task", "line", message, "error", err)
	}
}

// WithAttrs returns a handler that adds attrs to each line.
func (h *tryLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	merged := make(map[string]any, len(h.attrs)+len(attrs))
	for k, v := range h.attrs {
		merged[k] = v
	}
	for _, a := range attrs {
		addAttr(merged, h.prefix, a)
	}
	return &tryLog{server: h.server.WithAttrs(attrs), sink: h.sink, attrs: merged, prefix: h.prefix}
}

// WithGroup returns a handler that puts name in front of the keys that follow.
func (h *tryLog) WithGroup(name string) slog.Handler {
	return &tryLog{server: h.server.WithGroup(name), sink: h.sink, attrs: h.attrs, prefix: h.prefix + name + "."}
}

func addAttr(dst map[string]any, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, g := range v.Group() {
			addAttr(dst, prefix, g)
		}
	case slog.KindBool, slog.KindInt64, slog.KindUint64, slog.KindString:
		dst[prefix+a.Key] = v.Any()
	case slog.KindTime:
		dst[prefix+a.Key] = v.Time().UTC().Format(time.RFC3339Nano)
	default: // floats may be NaN, which JSON does not have; the rest reads best as text
		dst[prefix+a.Key] = fmt.Sprint(v.Any())
	}
}
