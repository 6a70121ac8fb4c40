package trackingstore

import (
	"slices"
	"strings"

	"gorm.io/gorm"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// putTags sets or replaces tags, one row each; key are the columns that tell rows apart. Of a key that comes twice the last counts.
func putTags[R any](tx *gorm.DB, tags []experiment.Tag, row func(experiment.Tag) R, what string, key ...string) error {
	rows := make([]R, 0, len(tags))
	// In sorted order, so that two calls never wait for each other crosswise.
	for _, t := range slices.SortedFunc(slices.Values(lastTags(tags)), func(a, b experiment.Tag) int { return strings.Compare(a.Key, b.Key) }) {
		rows = append(rows, row(t))
	}
	if len(rows) == 0 {
		return nil
	}
	return sqlstore.Translate(tx.Clauses(upsert(key...)).CreateInBatches(rows, chunk).Error, what)
}

// lastTags keeps the last value of each key, in order of first appearance.
func lastTags(tags []experiment.Tag) []experiment.Tag {
	at := map[string]int{}
	var out []experiment.Tag
	for _, t := range tags {
		if i, ok := at[t.Key]; ok {
			out[i] = t
			continue
		}
		at[t.Key] = len(out)
		out = append(out, t)
	}
	return out
}
