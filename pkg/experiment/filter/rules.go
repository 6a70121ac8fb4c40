package filter

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"tasador/pkg/apperror"
)

// Entity is what a key belongs to.
type Entity string

// The entities.
const (
	Attribute Entity = "attribute"
	Metric    Entity = "metric"
	Param     Entity = "parameter"
	Tag       Entity = "tag"
	Dataset   Entity = "dataset"
)

// kind says how an attribute compares.
type kind int

const (
	text    kind = iota // = != LIKE ILIKE
	listed              // text, and IN, NOT IN
	number              // = != < <= > >=
	ordinal             // number, and only whole ones
	numeral             // a number written as a text: = != IN, NOT IN
)

// Rules say which words one search allows.
type Rules struct {
	entities   map[string]Entity
	attributes map[string]kind
	aliases    map[string]string // other spellings of attributes
	nullable   []Entity          // entities that IS [NOT] NULL applies to
	inLists    []Entity          // entities besides attributes that IN applies to
	order      []string          // attributes that may order
	ordering   []Entity          // entities besides attributes that may order
	bare       bool              // texts may stand without quotes
	repeats    bool              // an order may name a key twice
}

// Runs are the rules of the search for runs.
func Runs() Rules {
	attributes := map[string]kind{
		"run_id": listed, "run_name": text, "user_id": text, "status": text, "artifact_uri": text, "start_time": number, "end_time": number,
	}
	return Rules{
		entities: map[string]Entity{
			"metric": Metric, "metrics": Metric, "parameter": Param, "parameters": Param, "param": Param, "params": Param,
			"tag": Tag, "tags": Tag, "attribute": Attribute, "attributes": Attribute, "attr": Attribute, "run": Attribute,
			"dataset": Dataset, "datasets": Dataset,
		},
		attributes: attributes,
		aliases: map[string]string{
			"created": "start_time", "Created": "start_time", "run name": "run_name", "Run name": "run_name", "Run Name": "run_name",
		},
		nullable: []Entity{Param, Tag},
		order:    slices.Sorted(maps.Keys(attributes)),
		ordering: []Entity{Metric, Param, Tag},
	}
}

// Experiments are the rules of the search for experiments.
func Experiments() Rules {
	attributes := map[string]kind{"name": text, "experiment_id": numeral, "creation_time": number, "last_update_time": number}
	return Rules{
		entities:   map[string]Entity{"attribute": Attribute, "tag": Tag, "tags": Tag},
		attributes: attributes,
		nullable:   []Entity{Tag},
		order:      slices.Sorted(maps.Keys(attributes)),
	}
}

// Models are the rules of the search for registered models.
func Models() Rules {
	return Rules{
		entities:   map[string]Entity{"attribute": Attribute, "tag": Tag, "tags": Tag},
		attributes: map[string]kind{"name": listed},
		order:      []string{"last_updated_timestamp", "name", "timestamp"},
	}
}

// Versions are the rules of the search for model versions.
func Versions() Rules {
	return Rules{
		entities:   map[string]Entity{"attribute": Attribute, "tag": Tag, "tags": Tag},
		attributes: map[string]kind{"name": listed, "version_number": ordinal, "run_id": listed, "source_path": text},
		order:      []string{"creation_timestamp", "last_updated_timestamp", "name", "version_number"},
	}
}

// LoggedModels are the rules of the search for logged models.
func LoggedModels() Rules {
	attributes := map[string]kind{
		"model_id": listed, "name": listed, "model_type": listed, "source_run_id": listed, "status": listed,
		"creation_timestamp_ms": number, "last_updated_timestamp_ms": number, "artifact_location": listed, "lifecycle_stage": listed,
		"status_message": listed,
	}
	return Rules{
		entities:   map[string]Entity{"attributes": Attribute, "metrics": Metric, "params": Param, "tags": Tag},
		attributes: attributes,
		aliases: map[string]string{
			"creation_time": "creation_timestamp_ms", "creation_timestamp": "creation_timestamp_ms",
			"last_updated_timestamp": "last_updated_timestamp_ms",
		},
		inLists:  []Entity{Param, Tag},
		order:    slices.Sorted(maps.Keys(attributes)),
		ordering: []Entity{Metric},
		bare:     true,
		repeats:  true, // as the metric of several data sets
	}
}

// key returns what a key names. A name without an entity is an attribute; allowed lists the attributes that may be named here.
func (r Rules) key(n *keyNode, allowed []string) (Entity, string, error) {
	entity, key := Attribute, n.Word
	switch {
	case n.Alone != "":
		key = unquote(n.Alone)
	case n.Quoted != "":
		var err error
		if entity, err = r.entity(n.Word); err != nil {
			return "", "", err
		}
		key = unquote(n.Quoted)
	default:
		if name, rest, ok := strings.Cut(n.Word, "."); ok {
			var err error
			if entity, err = r.entity(name); err != nil {
				return "", "", err
			}
			key = rest
		}
	}
	if entity == Dataset && !slices.Contains(datasetKeys(), key) {
		return "", "", apperror.New(apperror.Invalid,
			"Invalid dataset key '%s' specified. Valid keys are '%s'", shorten(key), strings.Join(datasetKeys(), "', '"))
	}
	if entity != Attribute {
		return entity, key, nil
	}
	if alias, ok := r.aliases[key]; ok {
		key = alias
	}
	if !slices.Contains(allowed, key) {
		return "", "", apperror.New(apperror.Invalid,
			"Invalid attribute key '%s' specified. Valid keys are '%s'", shorten(key), strings.Join(allowed, "', '"))
	}
	return Attribute, key, nil
}

// datasetKeys are what datasets are searched by; context is the tag mlflow.data.context.
func datasetKeys() []string { return []string{"context", "digest", "name"} }

func (r Rules) entity(name string) (Entity, error) {
	if e, ok := r.entities[name]; ok {
		return e, nil
	}
	return "", apperror.New(apperror.Invalid,
		"Invalid entity type '%s'. Valid values are '%s'", shorten(name), strings.Join(slices.Sorted(maps.Keys(r.entities)), "', '"))
}

func unquote(s string) string { return s[1 : len(s)-1] }

// comparison checks a comparison and gives its value a type.
func (r Rules) comparison(n *comparisonNode) (Comparison, error) {
	entity, key, err := r.key(n.Left, slices.Sorted(maps.Keys(r.attributes)))
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Entity: entity, Key: key, Op: n.op()}
	if ops := r.operators(entity, key); !slices.Contains(ops, c.Op) {
		return Comparison{}, apperror.New(apperror.Invalid,
			"Invalid comparator '%s' for %s '%s'. Valid ones are %v", c.Op, entity, shorten(key), ops)
	}
	switch {
	case n.Null != nil:
		return c, nil
	case n.In != nil:
		c.List, err = n.In.texts()
	case r.isNumber(entity, key):
		c.Numeric = true
		c.Number, err = n.Right.number(entity, key, r.attributes[key] == ordinal && entity == Attribute)
	default:
		c.Text, err = n.Right.text(entity, key, r.bare)
	}
	if err == nil && entity == Attribute && r.attributes[key] == numeral {
		err = checkNumerals(&c)
	}
	return c, err
}

// checkNumerals refuses ids that are no numbers, and writes the others as the database does, without leading zeros or sign.
func checkNumerals(c *Comparison) error {
	list := []*string{&c.Text}
	if c.Op == In || c.Op == NotIn {
		list = nil
		for i := range c.List {
			list = append(list, &c.List[i])
		}
	}
	for _, s := range list {
		n, err := strconv.ParseInt(*s, 10, 64)
		if err != nil {
			return apperror.New(apperror.Invalid, "Invalid experiment ID '%s'. Experiment ID must be a valid integer.", shorten(*s))
		}
		*s = strconv.FormatInt(n, 10)
	}
	return nil
}

func (r Rules) isNumber(e Entity, key string) bool {
	return e == Metric || (e == Attribute && (r.attributes[key] == number || r.attributes[key] == ordinal))
}

// operators lists what a key may be compared with.
func (r Rules) operators(e Entity, key string) []Op {
	if r.isNumber(e, key) {
		return []Op{Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual}
	}
	if e == Attribute && r.attributes[key] == numeral {
		return []Op{Equal, NotEqual, In, NotIn}
	}
	ops := []Op{Equal, NotEqual, Like, ILike}
	if (e == Attribute && r.attributes[key] == listed) || e == Dataset || slices.Contains(r.inLists, e) {
		ops = append(ops, In, NotIn)
	}
	if slices.Contains(r.nullable, e) {
		ops = append(ops, IsNull, IsNotNull)
	}
	return ops
}

func (n *comparisonNode) op() Op {
	switch {
	case n.Null != nil && n.Null.Not:
		return IsNotNull
	case n.Null != nil:
		return IsNull
	case n.In != nil && n.In.Not:
		return NotIn
	case n.In != nil:
		return In
	}
	return Op(strings.ToUpper(n.Op))
}

func (n *inNode) texts() ([]string, error) {
	if len(n.List) == 0 {
		return nil, apperror.New(apperror.Invalid,
			"While parsing a list in the query, expected a non-empty list of string values, but got empty list")
	}
	out := make([]string, len(n.List))
	for i, v := range n.List {
		s, ok := v.quoted()
		if !ok {
			return nil, apperror.New(apperror.Invalid,
				"While parsing a list in the query, expected string values, but got %s", shorten(v.written()))
		}
		out[i] = s
	}
	return out, nil
}

func (n *valueNode) quoted() (string, bool) {
	switch {
	case n.Text != nil:
		return unquote(*n.Text), true
	case n.Double != nil:
		return unquote(*n.Double), true
	}
	return "", false
}

func (n *valueNode) written() string {
	for _, s := range []*string{n.Text, n.Double, n.Number, n.Other} {
		if s != nil {
			return *s
		}
	}
	return ""
}

func (n *valueNode) text(e Entity, key string, bare bool) (string, error) {
	s, ok := n.quoted()
	if !ok && bare {
		return n.written(), nil
	}
	if !ok {
		return "", apperror.New(apperror.Invalid,
			"Expected a quoted string value for %s '%s' (e.g. 'my-value'). Got value %s", e, shorten(key), shorten(n.written()))
	}
	return s, nil
}

// number returns a number; one that must be whole may be quoted too, as in MLflow.
func (n *valueNode) number(e Entity, key string, whole bool) (float64, error) {
	if s, ok := n.quoted(); ok && whole {
		n = &valueNode{Number: &s}
	}
	if n.Number == nil {
		return 0, apperror.New(apperror.Invalid,
			"Expected numeric value type for %s: %s. Found %s", e, shorten(key), shorten(n.written()))
	}
	v, err := strconv.ParseFloat(*n.Number, 64)
	if err != nil || (whole && v != math.Trunc(v)) {
		return 0, apperror.New(apperror.Invalid, "Invalid value for numeric %s '%s': %s", e, shorten(key), shorten(n.written()))
	}
	return v, nil
}
