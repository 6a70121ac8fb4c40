package tracking

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

// request holds the fields of a call: those of the query for GET, else those of the JSON body. Its accessors remember the first
// field that is wrong; err returns it.
type request struct {
	query url.Values // nil unless GET
	body  map[string]json.RawMessage
	path  map[string]string // parameters of the route
	first error
}

// readRequest reads the fields of a call. Codes: Invalid.
func readRequest(c echo.Context) (*request, error) {
	r := &request{path: map[string]string{}}
	for _, name := range c.ParamNames() {
		value := c.Param(name)
		if c.Request().URL.RawPath != "" { // echo then hands the parameters out as they were sent
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
		}
		if name == "*" {
			value = artifact.Tidy(value)
		}
		r.path[name] = value
	}
	if c.Request().Method == http.MethodGet {
		r.query = c.QueryParams()
		return r, nil
	}
	if err := checkContentType(c.Request()); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, apperror.Wrap(apperror.Invalid, err, "The request body broke off.")
	}
	return r, r.decode(body)
}

// checkContentType refuses changes by POST or PUT that a web page of another site could send without asking (text/plain and forms).
func checkContentType(r *http.Request) error {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	if err != nil || kind != echo.MIMEApplicationJSON {
		return apperror.New(apperror.Invalid, "Bad Request. Content-Type must be one of ['application/json'].")
	}
	return nil
}

// decode reads a JSON object; old clients send it as a JSON text. No body is an empty object.
func (r *request) decode(body []byte) error {
	if !utf8.Valid(body) { // the decoder would put other characters in its place
		return apperror.New(apperror.Invalid, "The request body is not UTF-8 text.")
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil
	}
	if body[0] == '"' {
		var text string
		if json.Unmarshal(body, &text) == nil {
			body = []byte(text)
		}
	}
	if holdsNUL(body) {
		return errNUL()
	}
	if hasCamelKey(body) {
		var err error
		if body, err = snakeKeys(body); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(body, &r.body); err != nil {
		return apperror.Wrap(apperror.Invalid, err, "The request body is not a JSON object.")
	}
	return nil
}

func errNUL() error {
	return apperror.New(apperror.Invalid, "A text holds the character U+0000 or is not UTF-8; databases cannot keep that.")
}

// holdsNUL reports whether a text in JSON holds U+0000, which JSON can only write as an escape.
func holdsNUL(body []byte) bool {
	if !bytes.Contains(body, []byte(`\u0000`)) {
		return false
	}
	for tokens := json.NewDecoder(bytes.NewReader(body)); ; {
		token, err := tokens.Token()
		if err != nil {
			return false // the end, or no JSON, which others find out
		}
		if text, ok := token.(string); ok && strings.Contains(text, "\x00") {
			return true
		}
	}
}

// checkAddress refuses texts that no database keeps in the path and the query. Codes: Invalid.
func checkAddress(c echo.Context) error {
	path := c.Request().URL.Path
	bad := !utf8.ValidString(path) || strings.Contains(path, "\x00")
	for name, values := range c.QueryParams() {
		for _, text := range append(values, name) {
			bad = bad || !utf8.ValidString(text) || strings.Contains(text, "\x00")
		}
	}
	if bad {
		return errNUL()
	}
	return nil
}

// names returns the fields that say what a change is about, as pairs of names and values.
func (r *request) names() []string {
	var pairs []string
	for _, field := range []string{"run_id", "run_uuid", "experiment_id", "model_id", "name", "new_name", "version", "stage", "alias"} {
		var text string
		if raw, given := r.body[field]; !given {
			continue
		} else if json.Unmarshal(raw, &text) != nil { // a number, as old clients send for versions
			text = string(raw)
		}
		if field == "run_uuid" && len(pairs) > 0 {
			continue // its old name, which clients send beside the new one
		}
		pairs = append(pairs, field, text)
	}
	return pairs
}

func (r *request) fail(err error) {
	if r.first == nil {
		r.first = err
	}
}

func (r *request) err() error { return r.first }

// raw returns a field as JSON; ok is false if it is absent or null.
func (r *request) raw(name string) (json.RawMessage, bool) {
	if r.query != nil {
		if !r.query.Has(name) {
			return nil, false
		}
		text, err := json.Marshal(r.query.Get(name))
		return text, err == nil
	}
	value, ok := r.body[name]
	return value, ok && string(value) != "null"
}

// typeNames are the names of JSON's types as MLflow's messages have them.
func typeName(value json.RawMessage) string {
	switch value[0] {
	case '"':
		return "str"
	case '{':
		return "dict"
	case '[':
		return "list"
	case 't', 'f':
		return "bool"
	}
	if bytes.ContainsAny(value, ".eE") {
		return "float"
	}
	return "int"
}

func (r *request) wrongType(name string, value json.RawMessage) {
	r.fail(experiment.InvalidValue(name, value, " Hint: Value was of type '"+typeName(value)+
		"'. See the API docs for more information about request parameters."))
}

// has reports whether a field was sent.
func (r *request) has(name string) bool {
	_, ok := r.raw(name)
	return ok
}

// text returns a text field, empty if it is absent.
func (r *request) text(name string) string {
	value, ok := r.raw(name)
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		r.wrongType(name, value)
	}
	return s
}

// required returns a text field that must not be empty.
func (r *request) required(name string) string {
	s := r.text(name)
	if s == "" {
		r.fail(apperror.New(apperror.Invalid,
			"Missing value for required parameter '%s'. See the API docs for more information about request parameters.", name))
	}
	return s
}

// enum returns one of some names, empty if it is absent. Clients may send its number instead, counted from 1, as protobuf's JSON has it.
func (r *request) enum(name string, names ...string) string {
	value, ok := r.raw(name)
	if !ok {
		return ""
	}
	if n, err := mlflowapi.ParseInt(strings.Trim(string(value), `"`)); err == nil && n >= 1 && int(n) <= len(names) {
		return names[n-1]
	}
	return r.text(name)
}

// id returns a required text field that clients may also send as a number: ids of experiments and numbers of versions.
func (r *request) id(name string) string {
	if value, ok := r.raw(name); ok && typeName(value) == "int" {
		return string(value)
	}
	return r.required(name)
}

// runID returns the id of a run, which old clients call run_uuid.
func (r *request) runID() string {
	if !r.has("run_id") && r.has("run_uuid") {
		return r.required("run_uuid")
	}
	return r.required("run_id")
}

// integer returns a whole number; ok is false if it is absent.
func (r *request) integer(name string) (n int64, ok bool) {
	value, ok := r.raw(name)
	if !ok {
		return 0, false
	}
	var i mlflowapi.Int
	if json.Unmarshal(value, &i) != nil {
		r.wrongType(name, value)
	}
	return int64(i), true
}

func (r *request) requiredInteger(name string) int64 {
	n, ok := r.integer(name)
	if !ok {
		r.required(name)
	}
	return n
}

func (r *request) number(name string) float64 {
	value, ok := r.raw(name)
	if !ok {
		r.required(name)
		return 0
	}
	var f mlflowapi.Float
	if json.Unmarshal(value, &f) != nil {
		r.wrongType(name, value)
	}
	return float64(f)
}

// truth returns a boolean, false if it is absent.
func (r *request) truth(name string) bool {
	value, ok := r.raw(name)
	if !ok {
		return false
	}
	switch strings.ToLower(strings.Trim(string(value), `"`)) {
	case "true":
		return true
	case "false":
		return false
	}
	r.fail(apperror.New(apperror.Invalid, "Invalid boolean value: %s, must be 'true' or 'false'.", experiment.Shorten(string(value))))
	return false
}

// list decodes a field that is a list, nil if it is absent.
func list[T any](r *request, name string) []T {
	value, ok := r.raw(name)
	if !ok {
		return nil
	}
	var out []T
	if err := json.Unmarshal(value, &out); err != nil {
		r.wrongType(name, value)
	}
	return out
}

// texts returns a list of texts; in a query the name is repeated.
func (r *request) texts(name string) []string {
	if r.query != nil {
		return r.query[name]
	}
	return list[string](r, name)
}

// ids returns a list of ids, which may be numbers.
func (r *request) ids(name string) []string {
	if r.query != nil {
		return r.query[name]
	}
	values := list[json.RawMessage](r, name)
	out := make([]string, len(values))
	for i, value := range values {
		if typeName(value) == "int" {
			out[i] = string(value)
		} else if json.Unmarshal(value, &out[i]) != nil {
			r.wrongType(name, value)
		}
	}
	return out
}

type entry struct {
	Key   *string `json:"key"`
	Value *string `json:"value"`
}

// entries returns a list of names with texts; a missing text is empty.
func (r *request) entries(name string) []mlflowapi.KeyValue {
	sent := list[entry](r, name)
	out := make([]mlflowapi.KeyValue, len(sent))
	for i, e := range sent {
		if e.Key == nil || *e.Key == "" {
			r.fail(missingIn(name, i, "key"))
			continue
		}
		out[i].Key = *e.Key
		if e.Value != nil {
			out[i].Value = *e.Value
		}
	}
	return out
}

func (r *request) tags() []experiment.Tag { return mlflowapi.Tags(r.entries("tags")) }

func (r *request) params() []experiment.Param { return mlflowapi.Params(r.entries("params")) }

// tag returns the key and value of a call that sets one tag.
func (r *request) tag() experiment.Tag {
	return experiment.Tag{Key: r.required("key"), Value: r.text("value")}
}

// page returns the fields that every paged call has.
func (r *request) page() experiment.PageRequest {
	n, sent := r.integer("max_results")
	if sent && (n <= 0 || n > 1<<31) {
		r.fail(apperror.New(apperror.Invalid, "Invalid value %d for parameter 'max_results' supplied. It must be a positive integer", n))
	}
	return experiment.PageRequest{MaxResults: int(n), PageToken: r.text("page_token")}
}

// search returns the fields that every search has; view is the name of the field with the lifecycle stage.
func (r *request) search(view string) experiment.Search {
	return experiment.Search{
		PageRequest: r.page(), Filter: r.text("filter"), OrderBy: r.texts("order_by"),
		View: experiment.ViewType(r.enum(view, string(experiment.ActiveOnly), string(experiment.DeletedOnly), string(experiment.All))),
	}
}
