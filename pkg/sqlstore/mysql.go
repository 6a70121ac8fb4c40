package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/redact"
)

// serverConns bounds the connections that one store has to a server.
const serverConns = 16

// connectTimeout bounds how long a server may take to accept a connection.
const connectTimeout = 10 * time.Second

// mysqlServer is gorm's MySQL dialect with sentences for what goes wrong.
type mysqlServer struct {
	*mysql.Dialector
	name string
}

// driverLog takes what the driver notes of broken connections into the log; the errors that it returns often say less.
type driverLog struct{ log *slog.Logger }

// Print is called by the driver.
func (l driverLog) Print(said ...any) {
	l.log.Warn("the MySQL driver gives up a connection", "says", fmt.Sprint(said...))
}

// sessionVariables hold on every connection: no value is cut or bent to fit, and nobody waits for ever for a table.
func sessionVariables() map[string]string {
	return map[string]string{"sql_mode": "TRADITIONAL", "lock_wait_timeout": "60", "time_zone": "'+00:00'"}
}

func mysqlDialector(rawURL string, log *slog.Logger) (gorm.Dialector, error) {
	u, err := serverURL(rawURL, "3306")
	if err != nil {
		return nil, err
	}
	config, err := mysqlConfig(u)
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "database URL %q has a parameter that is not understood: %s", redact.URL(rawURL), err.Error())
	}
	config.Logger = driverLog{log}
	connector, err := driver.NewConnector(config)
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "database URL %q cannot be used: %s", redact.URL(rawURL), err.Error())
	}
	d, ok := mysql.New(mysql.Config{Conn: sql.OpenDB(connector)}).(*mysql.Dialector)
	if !ok {
		return nil, errors.New("gorm's MySQL dialect has another type")
	}
	return &mysqlServer{d, label(u)}, nil
}

// mysqlConfig takes the parameters of the URL, such as tls=true, as the driver knows them.
func mysqlConfig(u *url.URL) (*driver.Config, error) {
	query := u.Query()
	query.Del("charset") // SQLAlchemy's habit; ours is fixed
	config, err := driver.ParseDSN("/?" + query.Encode())
	if err != nil {
		return nil, err
	}
	config.Net, config.Addr, config.DBName = "tcp", u.Host, strings.Trim(u.Path, "/")
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.Collation = "utf8mb4_bin"
	config.ClientFoundRows = true // a row that is updated to what it was counts
	config.InterpolateParams = true
	config.MaxAllowedPacket = 0 // what the server allows
	config.ParseTime, config.Loc = false, time.UTC
	config.AllowAllFiles = false
	if config.Timeout == 0 {
		config.Timeout = connectTimeout
	}
	if config.Params == nil {
		config.Params = map[string]string{}
	}
	for name, value := range sessionVariables() {
		config.Params[name] = value
	}
	return config, nil
}

// Numbers of errors of the server.
const (
	mysqlDuplicate    = 1062
	mysqlParentKey    = 1451
	mysqlChildKey     = 1452
	mysqlDiskFull     = 1021
	mysqlTableFull    = 1114
	mysqlReadOnly     = 1290
	mysqlReadOnlyMode = 1836
	mysqlReadOnlyTx   = 1792
	mysqlLockWait     = 1205
	mysqlDeadlock     = 1213
	mysqlWrite        = 3    // of a temporary file
	mysqlWriteFile    = 1026 // of any other
	mysqlUnknownDB    = 1049
)

// Groups of errors of the server that need the same sentence.
var (
	mysqlDenied  = []uint16{1044, 1045, 1130, 1142, 1143, 1227, 1370, 1698, 1820, 1862, 4151} // by database, user, host, table, column, …
	mysqlCrowded = []uint16{1040, 1203, 1226}                                                 // for the server, for the user, by its quota
	mysqlGone    = []uint16{1053, 1927}                                                       // the server stops, somebody ended the session
	mysqlChanged = []uint16{1054, 1146}                                                       // no such column, no such table
)

// Translate turns constraint violations into gorm's errors, also where they are wrapped, and gives others their sentence.
func (d *mysqlServer) Translate(err error) error {
	var e *driver.MySQLError
	if errors.As(err, &e) {
		switch e.Number {
		case mysqlDuplicate:
			return gorm.ErrDuplicatedKey
		case mysqlParentKey, mysqlChildKey:
			return gorm.ErrForeignKeyViolated
		}
	}
	return d.explain(err)
}

// retriable: a transaction that was chosen to end a deadlock.
func (d *mysqlServer) retriable(err error) bool {
	var e *driver.MySQLError
	return errors.As(err, &e) && e.Number == mysqlDeadlock
}

func (d *mysqlServer) explain(err error) error {
	if err == nil || apperror.CodeOf(err) != apperror.Internal {
		return err
	}
	var e *driver.MySQLError
	if !errors.As(err, &e) {
		if errors.Is(err, driver.ErrInvalidConn) || lostConnection(err) {
			return apperror.Wrap(apperror.Unavailable, err, unreachable, d.name)
		}
		return err
	}
	switch {
	case e.Number == mysqlDiskFull || e.Number == mysqlTableFull,
		(e.Number == mysqlWrite || e.Number == mysqlWriteFile) && strings.Contains(e.Message, "No space left on device"):
		return apperror.Wrap(apperror.Unavailable, err, diskFull, d.name)
	case slices.Contains([]uint16{mysqlReadOnly, mysqlReadOnlyMode, mysqlReadOnlyTx}, e.Number):
		return apperror.Wrap(apperror.Unavailable, err, readOnly, d.name)
	case e.Number == mysqlLockWait:
		return apperror.Wrap(apperror.Unavailable, err, lockedLong, d.name)
	case slices.Contains(mysqlGone, e.Number):
		return apperror.Wrap(apperror.Unavailable, err, unreachable, d.name)
	case slices.Contains(mysqlCrowded, e.Number):
		return apperror.Wrap(apperror.Unavailable, err, crowded, d.name, e.Message)
	case slices.Contains(mysqlDenied, e.Number):
		return apperror.Wrap(apperror.Unavailable, err, denied, d.name, e.Message)
	case e.Number == mysqlUnknownDB:
		return apperror.Wrap(apperror.Unavailable, err, "there is no database %s; create it first", d.name)
	}
	return err
}

func (d *mysqlServer) explainTable(err error) error {
	var e *driver.MySQLError
	if errors.As(err, &e) && slices.Contains(mysqlChanged, e.Number) {
		return apperror.Wrap(apperror.Unavailable, err, changed, d.name, e.Message)
	}
	return d.explain(err)
}

func (d *mysqlServer) database() string { return d.name }

func (d *mysqlServer) openHint(err error) string { return serverHint(err) }
