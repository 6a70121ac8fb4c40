package serving

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

// operation is one call as /docs shows it.
type operation struct {
	Method, Path, Summary string
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
func operationsOf(api *huma.OpenAPI, schemas huma.Registry) []operation {
	var out []operation
	paths := make([]string, 0, len(api.Paths))
	for path := range api.Paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	slices.Reverse(paths) // predict before health
	for _, path := range paths {
		item := api.Paths[path]
		for _, op := range []*huma.Operation{item.Post, item.Get} {
			if op != nil {
				out = append(out, operationOf(op, schemas))
			}
		}
	}
	return out
}

func operationOf(op *huma.Operation, schemas huma.Registry) operation {
	o := operation{Method: op.Method, Path: op.Path, Summary: op.Summary}
	if op.RequestBody != nil {
		media := op.RequestBody.Content[echo.MIMEApplicationJSON]
		o.Body = fieldsOf(media.Schema, schemas)
		if example, err := json.MarshalIndent(media.Example, "", "  "); err == nil {
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
		o.Answers = append(o.Answers, answerView{
			Status: status, Description: answer.Description, Fields: fieldsOf(answer.Content[echo.MIMEApplicationJSON].Schema, schemas),
		})
	}
	return o
}

// fieldsOf lists the properties of an object, the required ones first.
func fieldsOf(s *huma.Schema, schemas huma.Registry) []schemaField {
	s = resolved(s, schemas)
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
