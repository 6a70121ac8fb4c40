package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tasador/pkg/apperror"
)

// dialector is gorm's SQLite dialect on the pure Go driver, whose errors gorm's own translation does not know.
type dialector struct {
	*sqlite.Dialector
	path string
}

// Translate turns constraint violations into gorm's errors, and gives one of a database that cannot be written its sentence.
func (d *dialector) Translate(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return gorm.ErrDuplicatedKey
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return gorm.ErrForeignKeyViolated
	}
	return d.unwritable(err)
}

// unwritable says in a sentence what keeps the database from being written; other errors, and those that have a code, stay.
func (d *dialector) unwritable(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) || apperror.CodeOf(err) != apperror.Internal {
		return err
	}
	switch e.Code() & 0xff { // without the details
	case sqlite3.SQLITE_FULL:
		return apperror.Wrap(apperror.Unavailable, err, "the disk of the database %s is full; make space, then try again", d.path)
	case sqlite3.SQLITE_READONLY:
		return apperror.Wrap(apperror.Unavailable, err, "the database %s is read-only; make the file and its folder writable, then try again", d.path)
	case sqlite3.SQLITE_IOERR:
		return apperror.Wrap(apperror.Unavailable, err, "the database %s cannot be read or written (%s); check its disk, then try again", d.path, e.Error())
	}
	return err
}

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
