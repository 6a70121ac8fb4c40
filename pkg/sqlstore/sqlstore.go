// Package sqlstore opens the databases, brings their schemas up to date and translates their errors. The stores are in the
// packages below it; gorm and the drivers are used nowhere else.
package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
)

// Engine is a kind of database. The values are gorm's names of the dialects, and those of the folders of migrations.
type Engine string

// The engines. MySQL is also MariaDB.
const (
	SQLite   Engine = "sqlite"
	MySQL    Engine = "mysql"
	Postgres Engine = "postgres"
)

// EngineOf returns the engine behind db.
func EngineOf(db *gorm.DB) Engine { return Engine(db.Name()) }

// Open opens the database that url names: sqlite:PATH, mysql://user:password@host:port/name or postgres://user:password@host:port/name.
// The folder of an SQLite file is made if it is missing. Codes: Invalid for a URL that is not understood, Unavailable when the database does
// not answer.
func Open(ctx context.Context, rawURL string, log *slog.Logger) (*gorm.DB, error) {
	engine, err := parseEngine(rawURL)
	if err != nil {
		return nil, err
	}
	var dialector gorm.Dialector
	var conns int
	switch engine {
	case MySQL:
		dialector, err = mysqlDialector(rawURL, log)
		conns = serverConns
	case Postgres:
		dialector, err = postgresDialector(rawURL)
		conns = serverConns
	default:
		dialector, err = sqliteDialector(ctx, rawURL)
		conns = fileConns
	}
	if err != nil {
		return nil, err
	}
	return open(ctx, dialector, conns, log)
}

// idleLimit is how long a connection may be idle; servers and what is between close those that are idle for long.
const idleLimit = 3 * time.Minute

func open(ctx context.Context, dialector gorm.Dialector, conns int, log *slog.Logger) (*gorm.DB, error) {
	db, err := gorm.Open(dialector, &gorm.Config{
		TranslateError:         true,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true, // below, with ctx
		Logger:                 newLogger(log),
		NowFunc:                func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	})
	if err != nil {
		return nil, openError(dialector, err)
	}
	pool, err := Pool(db)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	if EngineOf(db) != SQLite {
		pool.SetConnMaxIdleTime(idleLimit)
	}
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close() // it never answered
		return nil, openError(dialector, err)
	}
	return db, nil
}

// openError says in a sentence why a database cannot be opened.
func openError(dialector gorm.Dialector, err error) error {
	e, _ := dialector.(explainer)
	if explained := e.explain(err); apperror.CodeOf(explained) != apperror.Internal {
		return explained
	}
	return apperror.Wrap(apperror.Unavailable, err, "cannot open the database %s; %s", e.database(), e.openHint(err))
}

// Pool returns the database/sql handle beneath db, for streams and bulk loads.
func Pool(db *gorm.DB) (*sql.DB, error) {
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("database handle: %w", err)
	}
	return pool, nil
}

// InPlace reports whether the file of a database that is one still stands where it was opened. Codes: Unavailable.
func InPlace(db *gorm.DB) error {
	if d, ok := db.Dialector.(*sqliteFile); ok {
		return d.inPlace()
	}
	return nil
}

// Ping reports whether a database answers and is where it was. Codes: Unavailable.
func Ping(ctx context.Context, db *gorm.DB) error {
	if err := InPlace(db); err != nil {
		return err
	}
	query := "SELECT 1"
	if EngineOf(db) == SQLite {
		query = "SELECT count(*) FROM sqlite_master" // the other is answered without a look at the file
	}
	var n int64
	return Explain(db, db.WithContext(ctx).Raw(query).Scan(&n).Error)
}

// Close closes the connections.
func Close(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return fmt.Errorf("database handle: %w", err)
	}
	return pool.Close()
}

// InTx runs fn in one transaction, committed if fn returns nil. Codes: those of fn, Unavailable if the database cannot be reached or written.
func InTx(ctx context.Context, db *gorm.DB, fn func(tx *gorm.DB) error) error {
	release, err := takeTurn(ctx, db)
	if err != nil {
		return err
	}
	defer release()
	return Explain(db, db.WithContext(ctx).Transaction(fn, txOptions(db)))
}

// Tx is a transaction whose connection is at hand, for what only the driver can do.
type Tx struct {
	*gorm.DB
	Conn *sql.Conn // do not end the transaction through it
}

// InConnTx is InTx with the connection.
func InConnTx(ctx context.Context, db *gorm.DB, fn func(tx Tx) error) error {
	release, err := takeTurn(ctx, db)
	if err != nil {
		return err
	}
	defer release()
	err = db.WithContext(ctx).Connection(func(pinned *gorm.DB) error {
		conn, ok := pinned.Statement.ConnPool.(*sql.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", pinned.Statement.ConnPool)
		}
		return pinned.Transaction(func(tx *gorm.DB) error { return fn(Tx{tx, conn}) }, txOptions(db))
	})
	return Explain(db, err)
}

// takeTurn waits for the turn of a transaction where the engine has one writer only.
func takeTurn(ctx context.Context, db *gorm.DB) (release func(), err error) {
	if d, ok := db.Dialector.(*sqliteFile); ok {
		return d.takeTurn(ctx)
	}
	return func() {}, nil
}

// txOptions ask MySQL for what the others do anyway: there, a row that is locked before it exists would otherwise lock its neighbours too.
func txOptions(db *gorm.DB) *sql.TxOptions {
	if EngineOf(db) == MySQL {
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return nil
}
