// Package filter reads MLflow's search language: comparisons joined by AND, and order clauses. It knows which words each search
// allows and turns the text into values; the stores turn those into queries.
//
//	filter     = comparison { AND comparison }
//	comparison = [entity "."] key (op value | [NOT] IN (text, …) | IS [NOT] NULL)
//	key        = word {"." word} | `back-ticked` | "double-quoted"
package filter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"tasador/pkg/apperror"
)

// Op is a comparison operator.
type Op string

// The operators.
const (
	Equal        Op = "="
	NotEqual     Op = "!="
	Less         Op = "<"
	LessEqual    Op = "<="
	Greater      Op = ">"
	GreaterEqual Op = ">="
	Like         Op = "LIKE"
	ILike        Op = "ILIKE"
	In           Op = "IN"
	NotIn        Op = "NOT IN"
	IsNull       Op = "IS NULL"
	IsNotNull    Op = "IS NOT NULL"
)

// Comparison is one condition. Its value is Number if Numeric, List for IN and NOT IN, nothing for IS [NOT] NULL, Text otherwise.
type Comparison struct {
	Entity  Entity
	Key     string
	Op      Op
	Numeric bool
	Number  float64
	Text    string
	List    []string
}

// The grammar as participle sees it.
type (
	filterNode struct {
		Comparisons []*comparisonNode `parser:"( @@ ( 'AND' @@ )* )?"`
	}
	comparisonNode struct {
		Left  *keyNode   `parser:"@@"`
		Null  *nullNode  `parser:"( 'IS' @@"`
		In    *inNode    `parser:"| @@"`
		Op    string     `parser:"| @( Op | 'LIKE' | 'ILIKE' )"`
		Right *valueNode `parser:"  @@ )"`
	}
	keyNode struct {
		Word   string `parser:"( @Word"`
		Quoted string `parser:"  ( '.' @( Tick | Double ) )?"`
		Alone  string `parser:"| @( Tick | Double ) )"`
	}
	nullNode struct {
		Not bool `parser:"@'NOT'? 'NULL'"`
	}
	inNode struct {
		Not  bool         `parser:"@'NOT'? 'IN'"`
		List []*valueNode `parser:"'(' ( @@ ( ',' @@ )* ','? )? ')'"`
	}
	valueNode struct {
		Text   *string `parser:"  @Single"`
		Double *string `parser:"| @Double"`
		Number *string `parser:"| @Number"`
		Other  *string `parser:"| @( Word | Tick )"`
	}
	orderNode struct {
		Left *keyNode `parser:"@@"`
		Way  string   `parser:"@( 'ASC' | 'DESC' )?"`
	}
)

// language holds the parsers; they are built once because building checks the grammar.
type language struct {
	filter *participle.Parser[filterNode]
	order  *participle.Parser[orderNode]
}

func newLanguage() language {
	words := lexer.MustSimple([]lexer.SimpleRule{
		{Name: "Single", Pattern: `'(?:''|\\'|[^'])*'`},
		{Name: "Double", Pattern: `"(?:""|\\"|[^"])*"`},
		{Name: "Tick", Pattern: "`[^`]*`"},
		{Name: "Number", Pattern: `[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?`},
		{Name: "Op", Pattern: `!=|<=|>=|=|<|>`},
		{Name: "Word", Pattern: `[\pL_][\pL\pN_]*(?:\.[\pL\pN_]+)*`},
		{Name: "Punct", Pattern: `[().,;]`},
		{Name: "Space", Pattern: `\s+`},
	})
	options := []participle.Option{
		participle.Lexer(words), participle.Elide("Space"), participle.CaseInsensitive("Word"), participle.UseLookahead(2),
	}
	return language{
		filter: participle.MustBuild[filterNode](options...),
		order:  participle.MustBuild[orderNode](options...),
	}
}

// Parser reads filters and orders; it is safe for concurrent use.
type Parser struct{ grammar language }

// NewParser returns a parser.
func NewParser() *Parser { return &Parser{grammar: newLanguage()} }

// maxFilter bounds a filter, in bytes; it bounds with it how many values a query binds.
const maxFilter = 60_000

// Filter reads a filter under the rules of one search; an empty text has no comparisons. Codes: Invalid.
func (p *Parser) Filter(text string, rules Rules) ([]Comparison, error) {
	if len(text) > maxFilter {
		return nil, apperror.New(apperror.Invalid, "The filter string is longer than %d bytes.", maxFilter)
	}
	node, err := p.grammar.filter.ParseString("", text)
	if err != nil {
		return nil, apperror.New(apperror.Invalid,
			"Invalid clause(s) in filter string: '%s'. %s; expected comparisons joined by AND.", shorten(text), reason(err))
	}
	var out []Comparison
	for _, c := range node.Comparisons {
		comparison, err := rules.comparison(c)
		if err != nil {
			return nil, err
		}
		out = append(out, comparison)
	}
	return out, nil
}

// reason is the parser's complaint with the place it is about.
func reason(err error) string {
	if pe, ok := err.(participle.Error); ok { //nolint:errorlint // participle returns it unwrapped
		return "At character " + strconv.Itoa(pe.Position().Column) + ": " + shorten(pe.Message())
	}
	return shorten(err.Error())
}

const maxShown = 300

// shorten keeps error messages readable when the input is huge.
func shorten(s string) string {
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return s
}

// Order is one order clause.
type Order struct {
	Entity     Entity
	Key        string
	Descending bool
}

// Orders reads order clauses, such as `metrics.test_rmse ASC`. A key may be named once. Codes: Invalid.
func (p *Parser) Orders(clauses []string, rules Rules) ([]Order, error) {
	seen := map[Order]bool{}
	var out []Order
	for _, clause := range clauses {
		node, err := p.grammar.order.ParseString("", clause)
		if err != nil || len(clause) > maxFilter {
			return nil, apperror.New(apperror.Invalid, "Invalid order_by clause '%s'. Could not be parsed.", shorten(clause))
		}
		entity, key, err := rules.key(node.Left, rules.order)
		if err != nil {
			return nil, err
		}
		if entity != Attribute && !slices.Contains(rules.ordering, entity) {
			return nil, apperror.New(apperror.Invalid, "Invalid order_by entity: %s", entity)
		}
		o := Order{Entity: entity, Key: key}
		if seen[o] && !rules.repeats {
			return nil, apperror.New(apperror.Invalid, "`order_by` contains duplicate fields: %s", shorten(strings.Join(clauses, ", ")))
		}
		seen[o] = true
		o.Descending = strings.EqualFold(node.Way, "DESC")
		out = append(out, o)
	}
	return out, nil
}
