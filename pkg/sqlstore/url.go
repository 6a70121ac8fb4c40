package sqlstore

import (
	"net/url"
	"path/filepath"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/redact"
)

// forms says how a database URL is written.
const forms = "write it as sqlite:PATH, mysql://user:password@host:port/name or postgres://user:password@host:port/name"

// parseEngine returns the engine of a database URL. SQLAlchemy's schemes with a driver, such as mysql+pymysql, count too.
func parseEngine(rawURL string) (Engine, error) {
	scheme, rest, found := strings.Cut(rawURL, ":")
	if !found || rest == "" {
		return "", apperror.New(apperror.Invalid, "database URL %q is not understood; %s", redact.URL(rawURL), forms)
	}
	engine, _, _ := strings.Cut(scheme, "+")
	switch engine {
	case "sqlite":
		return SQLite, nil
	case "mysql", "mariadb":
		return MySQL, nil
	case "postgres", "postgresql":
		return Postgres, nil
	}
	return "", apperror.New(apperror.Invalid, "database URL %q has the unknown scheme %s; %s", redact.URL(rawURL), scheme, forms)
}

// IsServer reports whether a database URL names a database on a server.
func IsServer(rawURL string) bool {
	engine, err := parseEngine(rawURL)
	return err == nil && engine != SQLite
}

// FilePath is where the SQLite file of a URL lies.
func FilePath(rawURL string) string {
	_, path, _ := strings.Cut(rawURL, ":")
	return strings.TrimPrefix(path, "//")
}

// Beside names a file that stands beside the SQLite file of a URL: its path without the extension, and suffix.
func Beside(rawURL, suffix string) string {
	path := FilePath(rawURL)
	return strings.TrimSuffix(path, filepath.Ext(path)) + suffix
}

// serverURL reads the URL of a database on a server; port is the one that holds if it names none.
func serverURL(rawURL, port string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") == "" || strings.Contains(strings.Trim(u.Path, "/"), "/") {
		return nil, apperror.New(apperror.Invalid, "database URL %q must name a host and a database; %s, with special characters in the password as %%XX",
			redact.URL(rawURL), forms)
	}
	if u.Port() == "" {
		u.Host += ":" + port
	}
	return u, nil
}

// label is how messages call a database on a server: without password and parameters.
func label(u *url.URL) string {
	short := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if name := u.User.Username(); name != "" {
		short.User = url.User(name)
	}
	return short.String()
}
