// Package migrations holds the versioned schemas: one folder for each store and dialect, in the format of pressly/goose.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed *
var files embed.FS

// Of returns the migrations of a store (tracking, dagrun, dataset, cleandata, prediction) for a dialect (sqlite, mysql, postgres).
func Of(store, dialect string) (fs.FS, error) {
	return fs.Sub(files, store+"/"+dialect)
}

// Dialects lists the databases in which a store can be kept.
func Dialects(store string) []string {
	entries, err := files.ReadDir(store)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
