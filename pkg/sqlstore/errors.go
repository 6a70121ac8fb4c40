package sqlstore

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tasador/pkg/apperror"
)

// Sentences for what keeps a database from being used; %s is its name.
const (
	diskFull    = "the disk of the database %s is full; make space, then try again"
	readOnly    = "the database %s is read-only; point to the server that takes writes, then try again"
	unreachable = "the database %s does not answer; check that it runs and can be reached from here"
	lockedLong  = "somebody else holds a lock in the database %s for over a minute; end that session, then try again"
	denied      = "the database %s refuses the user (%s); check user, password and rights"
	crowded     = "the database %s takes no more connections (%s); end other sessions or let it take more, then try again"
	changed     = "a table of the database %s is gone or was changed by somebody else (%s); put it back as it was, then try again"
)

// explainer is a dialect that can say in a sentence what keeps a database from being used.
type explainer interface {
	// explain returns such errors with their sentence and the code Unavailable; others, and those that have a code, stay.
	explain(err error) error
	// database is how messages call it.
	database() string
	// openHint says what to do if it cannot be opened for a reason that explain does not know.
	openHint(err error) string
}

// Explain gives an error of the driver beneath db, which did not come through gorm, the sentence that says what keeps the database from being
// used, and the code Unavailable; other errors stay.
func Explain(db *gorm.DB, err error) error {
	if e, ok := db.Dialector.(explainer); ok {
		return e.explain(err)
	}
	return err
}

// IsNull reports whether err says that a column of a table takes no NULL.
func IsNull(err error, table string) bool {
	var onServer *pgconn.PgError
	if errors.As(err, &onServer) {
		return onServer.Code == "23502" && onServer.TableName == table
	}
	var inFile *sqlite.Error
	return errors.As(err, &inFile) && inFile.Code() == sqlite3.SQLITE_CONSTRAINT_NOTNULL && strings.Contains(inFile.Error(), table+".")
}

// server is a dialect of a server.
type server interface {
	explainer
	// explainTable is explain for a statement that fails only if its table is not as this program made it.
	explainTable(err error) error
}

// lostConnection reports whether an error means that a server went away or was never there.
func lostConnection(err error) bool {
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.As(err, &network)
}

func serverHint(err error) string { return fmt.Sprintf("the server says: %s", err.Error()) }

// Translate gives database errors a code: a duplicate key is AlreadyExists, a missing row NotFound; others keep theirs. Messages
// name the thing as what.
func Translate(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return apperror.Wrap(apperror.AlreadyExists, err, "%s already exists", what)
	case errors.Is(err, gorm.ErrRecordNotFound):
		return apperror.Wrap(apperror.NotFound, err, "%s does not exist", what)
	}
	return fmt.Errorf("%s: %w", what, err)
}
