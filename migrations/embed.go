// Package migrations holds the versioned schemas: one folder for each store and dialect, in the format of pressly/goose.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed *
var files embed.FS

// Of returns the migrations of a store (tracking, dagrun, dataset, prediction) for a dialect (sqlite).
func Of(store, dialect string) (fs.FS, error) {
	return fs.Sub(files, store+"/"+dialect)
}
