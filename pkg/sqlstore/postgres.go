package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/redact"
)

// postgresServer is gorm's PostgreSQL dialect with sentences for what goes wrong.
type postgresServer struct {
	*postgres.Dialector
	name string
}

func postgresDialector(rawURL string) (gorm.Dialector, error) {
	config, name, err := postgresConfig(rawURL)
	if err != nil {
		return nil, err
	}
	d, ok := postgres.New(postgres.Config{Conn: stdlib.OpenDB(*config)}).(*postgres.Dialector)
	if !ok {
		return nil, errors.New("gorm's PostgreSQL dialect has another type")
	}
	return &postgresServer{d, name}, nil
}

// postgresConfig says how a database is connected to, and how messages call it.
func postgresConfig(rawURL string) (config *pgx.ConnConfig, name string, err error) {
	u, err := serverURL(rawURL, "5432")
	if err != nil {
		return nil, "", err
	}
	u.Scheme = "postgres" // without SQLAlchemy's name of a driver
	config, err = pgx.ParseConfig(u.String())
	if err != nil {
		return nil, "", apperror.Wrap(apperror.Invalid, err, "database URL %q has a parameter that is not understood", redact.URL(rawURL))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.DialFunc = (&net.Dialer{KeepAliveConfig: serverKeepAlive}).DialContext
	for name, value := range map[string]string{"timezone": "UTC", "lock_timeout": "60s", "application_name": "tasador"} {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	return config, label(u), nil
}

// serverKeepAlive finds out within half a minute that a connection on which nothing happens is gone.
var serverKeepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// OpenPostgresPool opens connections of the driver's own pool, at most conns, for libraries that take no other. Codes: as Open.
func OpenPostgresPool(ctx context.Context, rawURL string, conns int32) (*pgxpool.Pool, error) {
	conn, name, err := postgresConfig(rawURL)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, fmt.Errorf("connection pool: %w", err)
	}
	config.ConnConfig, config.MaxConns, config.MaxConnIdleTime = conn, conns, idleLimit
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err == nil {
		if err = pool.Ping(ctx); err != nil {
			pool.Close()
		}
	}
	if err != nil {
		return nil, openError(&postgresServer{name: name}, err)
	}
	return pool, nil
}

// InRetriedPipeline is InRetriedTx for PostgreSQL with fewer ways to the server: fn asks what it has to know and queues statements, which are then
// sent together and are one transaction. What fn asks is not part of it. Codes: those of fn, Unavailable if the database cannot be reached or written.
func InRetriedPipeline(ctx context.Context, db *gorm.DB, fn func(conn *pgx.Conn, queue *pgx.Batch) error) error {
	return retried(ctx, db, func() error {
		return onConn(ctx, db, func(conn *pgx.Conn) error {
			queue := &pgx.Batch{}
			if err := fn(conn, queue); err != nil || queue.Len() == 0 {
				return err
			}
			return conn.SendBatch(ctx, queue).Close()
		})
	})
}

// ReadPipeline asks PostgreSQL the queries that fn queues, with functions that take their rows, all together. Codes: Unavailable if the database
// cannot be reached.
func ReadPipeline(ctx context.Context, db *gorm.DB, fn func(queue *pgx.Batch)) error {
	return onConn(ctx, db, func(conn *pgx.Conn) error {
		queue := &pgx.Batch{}
		fn(queue)
		return conn.SendBatch(ctx, queue).Close()
	})
}

// onConn hands out a connection of the driver.
func onConn(ctx context.Context, db *gorm.DB, fn func(conn *pgx.Conn) error) error {
	pool, err := Pool(db)
	if err != nil {
		return err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return Explain(db, err)
	}
	defer func() { _ = conn.Close() }() // it goes back into the pool
	return Explain(db, conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", driverConn)
		}
		return fn(c.Conn())
	}))
}

// EnsureSchema makes a schema of a PostgreSQL database if it is missing. Codes: Invalid for a name that needs quotes or is PostgreSQL's own,
// Unavailable if it cannot be made.
func EnsureSchema(ctx context.Context, rawURL, name string) error {
	if !schemaForm.MatchString(name) || strings.HasPrefix(name, "pg_") {
		return apperror.New(apperror.Invalid, "%q cannot be the name of a schema; use small letters, digits and underscores, and do not begin with pg_", name)
	}
	pool, err := OpenPostgresPool(ctx, rawURL, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	var exists bool // asked first: who may not make schemas may still use one
	err = pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", name).Scan(&exists)
	if err == nil && !exists {
		_, err = pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+name)
	}
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot make the schema %s in the database %s; let an administrator make it and give it to this user",
			name, redact.URL(rawURL))
	}
	return nil
}

var schemaForm = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,40}$`)

// Translate turns constraint violations into gorm's errors, also where they are wrapped, and gives others their sentence.
func (d *postgresServer) Translate(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "23505":
			return gorm.ErrDuplicatedKey
		case "23503":
			return gorm.ErrForeignKeyViolated
		}
	}
	return d.explain(err)
}

// retriable: a transaction that was chosen to end a deadlock, or that could not be serialized.
func (d *postgresServer) retriable(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40P01" || e.Code == "40001")
}

func (d *postgresServer) explain(err error) error {
	if err == nil || apperror.CodeOf(err) != apperror.Internal {
		return err
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		var connect *pgconn.ConnectError
		if errors.As(err, &connect) || lostConnection(err) {
			return apperror.Wrap(apperror.Unavailable, err, unreachable, d.name)
		}
		return err
	}
	switch e.Code { // see the appendix "PostgreSQL Error Codes" of its documentation
	case "53100":
		return apperror.Wrap(apperror.Unavailable, err, diskFull, d.name)
	case "25006":
		return apperror.Wrap(apperror.Unavailable, err, readOnly, d.name)
	case "55P03":
		return apperror.Wrap(apperror.Unavailable, err, lockedLong, d.name)
	case "53300":
		return apperror.Wrap(apperror.Unavailable, err, crowded, d.name, e.Message)
	case "28000", "28P01", "42501":
		return apperror.Wrap(apperror.Unavailable, err, denied, d.name, e.Message)
	case "3D000":
		return apperror.Wrap(apperror.Unavailable, err, "there is no database %s; create it first", d.name)
	case "22021":
		return apperror.Wrap(apperror.Invalid, err, "a text holds a character that cannot be kept, such as U+0000")
	case "57P01", "57P02", "57P03", "57P05":
		return apperror.Wrap(apperror.Unavailable, err, unreachable, d.name)
	}
	return err
}

func (d *postgresServer) explainTable(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && (e.Code == "42703" || e.Code == "42P01") { // no such column, no such table
		return apperror.Wrap(apperror.Unavailable, err, changed, d.name, e.Message)
	}
	return d.explain(err)
}

func (d *postgresServer) database() string { return d.name }

func (d *postgresServer) openHint(err error) string { return serverHint(err) }
