package sqlstore

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
	u, err := serverURL(rawURL, "5432")
	if err != nil {
		return nil, err
	}
	u.Scheme = "postgres" // without SQLAlchemy's name of a driver
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "database URL %q has a parameter that is not understood", redact.URL(rawURL))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	for name, value := range map[string]string{"timezone": "UTC", "lock_timeout": "60s", "application_name": "tasador"} {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	d, ok := postgres.New(postgres.Config{Conn: stdlib.OpenDB(*config)}).(*postgres.Dialector)
	if !ok {
		return nil, errors.New("gorm's PostgreSQL dialect has another type")
	}
	return &postgresServer{d, label(u)}, nil
}

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
	case "28000", "28P01", "42501":
		return apperror.Wrap(apperror.Unavailable, err, denied, d.name, e.Message)
	case "3D000":
		return apperror.Wrap(apperror.Unavailable, err, "there is no database %s; create it first", d.name)
	case "57P01", "57P02", "57P03":
		return apperror.Wrap(apperror.Unavailable, err, unreachable, d.name)
	}
	return err
}

func (d *postgresServer) database() string { return d.name }

func (d *postgresServer) openHint(err error) string { return serverHint(err) }
