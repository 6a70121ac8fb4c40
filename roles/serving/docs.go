package serving

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

// operation is one call as /docs shows it.
type operation struct {
	Method, Path, Summary string
	Params                []schemaField
	Forms                 string // media types of the body
	Body                  []schemaField
	Example               string
	Answers               []answerView
}

type answerView struct {
	Status, Description string
	Fields              []schemaField
}

type schemaField struct {
	Name, Type, Doc string
	Required        bool
}

// docsPage is the content of /docs.
type docsPage struct {
	Title, Description string
	Base               string // address of this server as the reader knows it
	Operations         []operation
}

// docs is GET /docs: the OpenAPI document for people, from this server alone.
func (r *role) docs(c echo.Context) error {
	return r.site.Write(c.Response(), c.Request(), http.StatusOK, "docs", r.page(c, "API", docsPage{
		Title: apiTitle, Description: apiDescription, Base: c.Scheme() + "://" + c.Request().Host, Operations: r.document.operations,
	}))
}

// operationsOf turns the document into what the page shows.
func operationsOf(all []*huma.Operation, schemas huma.Registry) []operation {
	out := make([]operation, len(all))
	for i, op := range all {
		out[i] = operationOf(op, schemas)
	}
	return out
}

func operationOf(op *huma.Operation, schemas huma.Registry) operation {
	o := operation{Method: op.Method, Path: op.Path, Summary: op.Summary}
	for _, p := range op.Parameters {
		o.Params = append(o.Params, schemaField{Name: p.Name, Type: typeOf(p.Schema), Doc: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		o.Forms = strings.Join(slices.Sorted(maps.Keys(op.RequestBody.Content)), ", ")
		media := op.RequestBody.Content[echo.MIMEApplicationJSON]
		o.Body = fieldsOf(media.Schema, schemas)
		if example, err := json.MarshalIndent(media.Example, "", "  "); err == nil && media.Example != nil {
			o.Example = string(example)
		}
	}
	statuses := make([]string, 0, len(op.Responses))
	for status := range op.Responses {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	for _, status := range statuses {
		answer := op.Responses[status]
		view := answerView{Status: status, Description: answer.Description}
		if media := answer.Content[echo.MIMEApplicationJSON]; media != nil && media.Schema != nil {
			view.Fields = fieldsOf(media.Schema, schemas)
		}
		o.Answers = append(o.Answers, view)
	}
	return o
}

// fieldsOf lists the properties of an object, the required ones first.
func fieldsOf(s *huma.Schema, schemas huma.Registry) []schemaField {
	if s = resolved(s, schemas); s.Items != nil { // a list of them
		s = resolved(s.Items, schemas)
	}
	var out []schemaField
	for name, p := range s.Properties {
		out = append(out, schemaField{Name: name, Type: typeOf(p), Doc: p.Description, Required: slices.Contains(s.Required, name)})
	}
	slices.SortFunc(out, func(a, b schemaField) int {
		if a.Required != b.Required {
			return map[bool]int{true: -1, false: 1}[a.Required]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

func resolved(s *huma.Schema, schemas huma.Registry) *huma.Schema {
	if len(s.OneOf) > 0 { // one, or a list of them
		return resolved(s.OneOf[0], schemas)
	}
	if s.Ref == "" {
		return s
	}
	return schemas.Map()[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
}

func typeOf(s *huma.Schema) string {
	switch {
	case s.OneOf != nil:
		var names []string
		for _, one := range s.OneOf {
			if one.Type != "null" {
				names = append(names, typeOf(one))
			}
		}
		return strings.Join(names, " / ")
	case s.Type == huma.TypeArray && s.Items != nil:
		return "list of " + typeOf(s.Items)
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/components/schemas/")
	case s.Type == "":
		return "any"
	default:
		return s.Type
	}
}
