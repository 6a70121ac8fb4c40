package sqlstore

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm/logger"
)

// slowQuery is when a statement is worth a line in the log.
const slowQuery = 2 * time.Second

// queryLog writes slow statements to the log; failures reach the caller as errors and are logged there.
type queryLog struct{ log *slog.Logger }

func newLogger(log *slog.Logger) logger.Interface { return queryLog{log} }

func (l queryLog) LogMode(logger.LogLevel) logger.Interface { return l }
func (l queryLog) Info(ctx context.Context, msg string, args ...any) {
	l.log.DebugContext(ctx, msg, "args", args)
}
func (l queryLog) Warn(ctx context.Context, msg string, args ...any) {
	l.log.WarnContext(ctx, msg, "args", args)
}
func (l queryLog) Error(ctx context.Context, msg string, args ...any) {
	l.log.ErrorContext(ctx, msg, "args", args)
}
func (l queryLog) Trace(ctx context.Context, begin time.Time, fc func() (string, int64), _ error) {
	if took := time.Since(begin); took > slowQuery {
		statement, rows := fc()
		l.log.WarnContext(ctx, "slow statement", "took", took, "rows", rows, "sql", statement)
	}
}
