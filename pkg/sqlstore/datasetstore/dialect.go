package datasetstore

import (
	"fmt"
	"strings"

	"tasador/pkg/apperror"
)

// dialect is what differs between databases: everything else is SQL that all of them take.
type dialect interface {
	// quote makes any text without NUL an identifier.
	quote(name string) string
	// createSplit and createClean make an empty table whose rows are kept in the order of position.
	createSplit(table string) string
	createClean(table string, columns []string) string
	// swap replaces each table by its staged one; the statements run in one transaction where the database has such for them.
	swap(tables []string) []string
	// maxParams is how many parameters one statement may have.
	maxParams() int
}

func dialectOf(name string) (dialect, error) {
	if name == "sqlite" {
		return sqlite{}, nil
	}
	return nil, apperror.New(apperror.Invalid, "listings cannot be kept in %s yet; use sqlite:PATH", name)
}

type sqlite struct{}

func (sqlite) quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (q sqlite) createSplit(table string) string {
	columns := []string{"position INTEGER PRIMARY KEY", "raw_id INTEGER NOT NULL"}
	for _, c := range listingColumns {
		columns = append(columns, q.quote(c.Name)+" "+map[bool]string{true: "REAL", false: "TEXT"}[c.Number != nil])
	}
	return fmt.Sprintf("CREATE TABLE %s (%s, fetched_at TEXT NOT NULL)", q.quote(table), strings.Join(columns, ", "))
}

func (q sqlite) createClean(table string, columns []string) string {
	list := []string{"position INTEGER PRIMARY KEY"}
	for _, name := range columns {
		list = append(list, q.quote(name)+" REAL NOT NULL")
	}
	return fmt.Sprintf("CREATE TABLE %s (%s)", q.quote(table), strings.Join(list, ", "))
}

func (q sqlite) swap(tables []string) []string {
	var out []string
	for _, table := range tables {
		out = append(out,
			"DROP TABLE IF EXISTS "+q.quote(table),
			"ALTER TABLE "+q.quote(staged(table))+" RENAME TO "+q.quote(table))
	}
	return out
}

func (sqlite) maxParams() int { return 32766 }

// staged is the name under which a table is loaded aside.
func staged(table string) string { return table + "__new" }
