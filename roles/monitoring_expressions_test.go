package roles_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A test has no 30 days, so by these rules what is written for production is asked of a server that has watched for seconds:
//
//   - every range, such as [5m] or [3d], also $__rate_interval, is testRange;
//   - an alert rings at once, whatever its for;
//   - an alert's expression is asked for what it compares, not whether it holds: a comparison gives 0 or 1 (bool), and so has a value also when all is well;
//     unless counts as and, absent as count.
const testRange = "[20s]"

var (
	ranges      = regexp.MustCompile(`\[[0-9]+[smhdw]\]`)
	lasting     = regexp.MustCompile(`(?m)^( +for:) .+$`)
	comparisons = regexp.MustCompile(`\s(==|!=|<=|>=|<|>)\s`)
	strs        = regexp.MustCompile(`"[^"]*"`)
	selector    = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})?`)
	groupings   = regexp.MustCompile(`\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)`)
)

// shortened is text with the ranges of the tests.
func shortened(text string) string { return ranges.ReplaceAllString(text, testRange) }

// compared is what the expression of an alert compares.
func compared(expr string) string {
	expr = comparisons.ReplaceAllString(expr, " $1 bool ")
	return strings.NewReplacer(" unless ", " and ", "absent(", "count(").Replace(expr)
}

// filled is the expression of a panel as Grafana would send it: with what the variables of its dashboard are at first.
func filled(d dashboard, expr string) string {
	expr = strings.ReplaceAll(expr, "[$__rate_interval]", testRange)
	for _, v := range d.Templating.List {
		value := v.Current.Value
		if value == "$__all" {
			value = v.AllValue
		}
		expr = strings.ReplaceAll(expr, "$"+v.Name, value)
	}
	return shortened(expr)
}

// selectors returns the series that an expression reads, each with its matchers.
func selectors(expr string) []string {
	expr = groupings.ReplaceAllString(ranges.ReplaceAllString(expr, ""), "")
	var found []string
	quoted := strs.FindAllStringIndex(expr, -1)
	for _, at := range selector.FindAllStringSubmatchIndex(expr, -1) {
		name, rest := expr[at[2]:at[3]], strings.TrimLeft(expr[at[1]:], " ")
		inString := slices.ContainsFunc(quoted, func(q []int) bool { return at[0] >= q[0] && at[0] < q[1] })
		startsNumber := at[0] > 0 && strings.ContainsRune("0123456789.", rune(expr[at[0]-1]))
		switch {
		case inString, startsNumber, strings.HasPrefix(rest, "("):
		case slices.Contains([]string{"and", "or", "unless", "bool", "by", "on", "offset", "inf", "nan"}, strings.ToLower(name)):
		default:
			found = append(found, expr[at[0]:at[1]])
		}
	}
	return found
}

func TestMonitoringSelectorsAreFound(t *testing.T) {
	require.Equal(t, []string{`a_total{x="y z",n=~"b|c"}`, "b:c", "d"},
		selectors(`sum by (job, le) (rate(a_total{x="y z",n=~"b|c"}[5m])) / (b:c > bool 1e3) and on (job) 3 * d`))
	require.Equal(t, `time() - (a == bool 0) > bool on (x) 3 * b and c == bool 1`, compared(`time() - (a == 0) > on (x) 3 * b unless c == 1`))
}
