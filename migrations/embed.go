// Package migrations holds the versioned schemas: one folder for each store and dialect, in the format of pressly/goose.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed *
var files embed.FS

// Of returns the migrations of a store (tracking, dagrun, dataset, cleandata, prediction, auth) for a dialect (sqlite, mysql, postgres).
func Of(store, dialect string) (fs.FS, error) {
	return fs.Sub(files, store+"/"+dialect)
}

// Stores lists the stores.
func Stores() []string { return folders(".") }

// Dialects lists the databases in which a store can be kept.
func Dialects(store string) []string { return folders(store) }

func folders(in string) []string {
	entries, err := files.ReadDir(in)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}
