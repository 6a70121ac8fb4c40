package datasetstore

import (
	"fmt"
	"strings"
)

// maxColumnName is the longest column name that all databases keep whole.
const maxColumnName = 60

// tableColumns gives each feature of a clean table a column name that every database can tell from the others.
//
// A feature keeps its name if that is short printable ASCII and no earlier column has it in other letters (databases take
// status_Sold and status_sold for one column). Otherwise it is called status__<n>, with the place n of the feature; the table
// clean_columns says which feature a column holds.
func tableColumns(features []string) []string {
	taken := map[string]bool{"position": true}
	out := make([]string, len(features))
	for i, feature := range features {
		name := feature
		if !plainName(name) || taken[strings.ToLower(name)] {
			name = fmt.Sprintf("status__%d", i)
		}
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("status__%d_%d", i, n)
		}
		taken[strings.ToLower(name)] = true
		out[i] = name
	}
	return out
}

func plainName(name string) bool {
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return false
		}
	}
	return name != "" && len(name) <= maxColumnName && strings.TrimSpace(name) == name
}
