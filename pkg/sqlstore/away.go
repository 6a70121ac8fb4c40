package sqlstore

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// IsAway reports whether an error of Open or Migrate says that the database cannot be asked now, as in an outage, so that the same may succeed later with nothing
// changed here: nobody answers at the address, the server starts, stops, is full or crowded, a file or its folder is locked. A database that answers and refuses,
// by user, by name or by what is in it, is not away.
func IsAway(err error) bool {
	var onPostgres *pgconn.PgError
	if errors.As(err, &onPostgres) {
		return slices.Contains([]string{"53100", "53300", "55P03", "57P01", "57P02", "57P03", "57P05"}, onPostgres.Code)
	}
	var onMySQL *mysqldriver.MySQLError
	if errors.As(err, &onMySQL) {
		return slices.Contains([]uint16{mysqlDiskFull, mysqlTableFull, mysqlLockWait, mysqlWrite, mysqlWriteFile}, onMySQL.Number) ||
			slices.Contains(mysqlCrowded, onMySQL.Number) || slices.Contains(mysqlGone, onMySQL.Number)
	}
	var inFile *sqlite.Error
	if errors.As(err, &inFile) {
		return slices.Contains([]int{sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN}, inFile.Code()&0xff)
	}
	var onDisk *fs.PathError
	if errors.As(err, &onDisk) {
		return !errors.Is(onDisk, syscall.ENOTDIR)
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || errors.Is(err, mysqldriver.ErrInvalidConn) || errors.Is(err, context.DeadlineExceeded) || lostConnection(err)
}
