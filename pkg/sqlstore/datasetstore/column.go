package datasetstore

import (
	"strings"

	"tasador/pkg/property"
)

// kind is the type of a column, the same in every database.
type kind int

const (
	integer kind = iota // 64 bits
	number              // double, NaN is NULL
	text
)

// column is a column of a table of rows.
type column struct {
	name string
	kind kind
}

// listingColumns are the columns of a listing in the order of the tables.
var listingColumns = property.Fields()

// listingTableColumns are the same as columns of a table.
func listingTableColumns() []column {
	var out []column
	for _, c := range listingColumns {
		if c.Number != nil {
			out = append(out, column{c.Name, number})
		} else {
			out = append(out, column{c.Name, text})
		}
	}
	return out
}

// rawColumns are the columns of realtor_raw without its key, which the database counts.
func rawColumns() []column {
	return append(listingTableColumns(), column{"fetched_at", text}, column{"batch_number", integer}, column{"dag_run_id", text})
}

// splitColumns are the columns of train, validation and test.
func splitColumns() []column {
	columns := append([]column{{"position", integer}, {"raw_id", integer}}, listingTableColumns()...)
	return append(columns, column{"fetched_at", text})
}

// cleanColumns are the columns of a clean table.
func cleanColumns(names []string) []column {
	columns := []column{{"position", integer}}
	for _, name := range names {
		columns = append(columns, column{name, number})
	}
	return columns
}

// quoteAll lists the names of columns for a statement.
func quoteAll(e engine, columns []column) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = e.quote(c.name)
	}
	return strings.Join(quoted, ", ")
}

// addListing adds the values of a listing to the row that c is at.
func addListing(c chunk, l *property.Listing) {
	for _, f := range listingColumns {
		if f.Number != nil {
			c.number(*f.Number(l) + 0) // no minus zero, which SQLite does not keep
		} else {
			c.text(*f.Text(l))
		}
	}
}
