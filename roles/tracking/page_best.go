package tracking

import (
	"slices"
	"strings"
	"unicode"
)

// lessIsBetter and moreIsBetter are words in the names of metrics that tell which value is best.
var (
	lessIsBetter = []string{"rmse", "mse", "mae", "mape", "rmsle", "loss", "logloss", "error", "err", "perplexity", "wer", "cer", "deviance"}
	moreIsBetter = []string{"accuracy", "acc", "auc", "f1", "r2", "precision", "recall", "score", "ndcg", "bleu", "map"}
)

// direction tells from its name whether small values of a metric are better (−1), large ones (+1), or nobody knows (0).
func direction(metric string) int {
	words := strings.FieldsFunc(strings.ToLower(metric), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	has := func(list []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
	}
	switch {
	case has(lessIsBetter):
		return -1
	case has(moreIsBetter):
		return 1
	}
	return 0
}

// markBest marks the best value of each metric whose direction is known and whose values differ.
func markBest(rows []compareRow) {
	for _, row := range rows {
		way := float64(direction(row.Key))
		if way == 0 || !row.Differs {
			continue
		}
		var best *float64
		for _, c := range row.Cells {
			if c.Number != nil && finite(*c.Number) && (best == nil || way**c.Number > way**best) {
				best = c.Number
			}
		}
		for i, c := range row.Cells {
			row.Cells[i].Best = best != nil && c.Number != nil && *c.Number == *best
		}
	}
}
