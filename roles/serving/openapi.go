package serving

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"tasador/pkg/model"
)

// document is the OpenAPI description of the role, made once: as JSON for programs, as operations for the page /docs.
type document struct {
	json       []byte
	operations []operation
}

const (
	apiTitle       = "tasador serving"
	apiDescription = "Prices houses with the model version that is in production. Every answer is recorded before it is given, those of batches if asked."
)

// newDocument describes the API from the Go types of its requests and answers and from the fields of a listing. Only the description is
// huma's: its validation, errors and process-wide settings are not used. model is the one that is served.
func newDocument(version, model string) (document, error) {
	d := describer{model: model, schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)}
	d.schemas.Map()["Listing"] = listingSchema()
	operations := d.operations()
	api := &huma.OpenAPI{
		OpenAPI:    "3.1.0",
		Info:       &huma.Info{Title: apiTitle, Version: version, Description: apiDescription},
		Components: &huma.Components{Schemas: d.schemas},
	}
	for _, op := range operations {
		api.AddOperation(op)
	}
	out, err := json.MarshalIndent(api, "", " ")
	if err != nil {
		return document{}, fmt.Errorf("OpenAPI document: %w", err)
	}
	return document{json: out, operations: operationsOf(operations, d.schemas)}, nil
}

// oneOrList is what is sent or answered as one, or as a list of them.
func oneOrList(one *huma.Schema, longest *int) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{one, {Type: huma.TypeArray, Items: one, MaxItems: longest}}}
}

// predictOperations describe the two addresses that price a listing.
func predictOperations(answer func(string, reflect.Type) *huma.Response) []*huma.Operation {
	failure := reflect.TypeFor[Failure]()
	longest := maxList
	listings := oneOrList(&huma.Schema{Ref: "#/components/schemas/Listing"}, &longest)
	priced := answer("The price, recorded; of a list, the prices in its order.", reflect.TypeFor[Answer]())
	media := priced.Content[echo.MIMEApplicationJSON]
	media.Schema = oneOrList(media.Schema, nil)
	least, most := model.LeastLevel, model.MostLevel
	parameters := []*huma.Param{
		{Name: levelParam, In: "query", Description: "Probability with which the price lies in the interval.", Schema: &huma.Schema{Type: huma.TypeNumber, Minimum: &least, Maximum: &most}},
		{Name: explainParam, In: "query", Description: "false leaves the contributions out.", Schema: &huma.Schema{Type: huma.TypeBoolean}},
	}
	predict := func(id, path, summary string, further map[string]*huma.Response) *huma.Operation {
		o := &huma.Operation{
			OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, Parameters: parameters,
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
				echo.MIMEApplicationJSON: {Schema: listings, Example: exampleBody()},
			}},
			Responses: map[string]*huma.Response{
				"200": priced,
				"422": answer("Fields are wrong; each is named. Nothing is recorded.", reflect.TypeFor[ValidationError]()),
				"400": answer("The request cannot be read.", failure),
				"413": answer("The request is too long.", failure),
				"503": answer("No version is in production yet, or the prediction cannot be recorded.", failure),
			},
		}
		maps.Copy(o.Responses, further)
		return o
	}
	byNumber := predict("predict_with", "/models/{"+versionParam+"}/predict", "Price a listing, or each listing of a list, with a version.", map[string]*huma.Response{
		"404": answer("There is no such version.", failure),
		"409": answer("The version cannot be served.", failure),
		"503": answer("Tracking cannot be reached, or the prediction cannot be recorded.", failure),
	})
	byNumber.Parameters = append([]*huma.Param{{
		Name: versionParam, In: "path", Required: true, Description: "Number of the version.", Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[1-9][0-9]{0,9}$"},
	}}, parameters...)
	return []*huma.Operation{predict("predict", "/predict", "Price a listing, or each listing of a list.", nil), byNumber}
}

// Health is the body of GET /health.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

// listingSchema is the schema of the request, from the same fields that check it.
func listingSchema() *huma.Schema {
	s := &huma.Schema{
		Type: huma.TypeObject, Description: "A house as the data source lists it. Fields that are not known are ignored and named in the answer.",
		Properties: map[string]*huma.Schema{}, AdditionalProperties: true,
	}
	for _, f := range fields() {
		p := schemaOf(f)
		p.Description, p.Examples = f.Doc, []any{f.Example}
		s.Properties[f.Name] = p
		if f.Required {
			s.Required = append(s.Required, f.Name)
		}
	}
	return s
}

func schemaOf(f field) *huma.Schema {
	zero, length := 0.0, maxText
	limited := &huma.Schema{Type: huma.TypeNumber, Minimum: &zero, Maximum: &f.Max}
	plain := &huma.Schema{Type: huma.TypeString, MaxLength: &length}
	var s *huma.Schema
	switch f.Kind {
	case number:
		s = limited
	case numberOrID:
		s = &huma.Schema{OneOf: []*huma.Schema{limited, plain}}
	case textOrID:
		s = &huma.Schema{OneOf: []*huma.Schema{plain, wholeTo(maxID)}}
	case zipCode:
		s = &huma.Schema{OneOf: []*huma.Schema{plain, wholeTo(maxZip)}}
	case status:
		// Open: a model that was trained on further statuses takes those too.
		s = plain
	default:
		s = plain
	}
	if !f.Required {
		s = &huma.Schema{OneOf: append(alternatives(s), &huma.Schema{Type: "null"})}
	}
	return s
}

func alternatives(s *huma.Schema) []*huma.Schema {
	if s.OneOf != nil {
		return s.OneOf
	}
	return []*huma.Schema{s}
}

func wholeTo(limit float64) *huma.Schema {
	zero := 0.0
	return &huma.Schema{Type: huma.TypeInteger, Minimum: &zero, Maximum: &limit}
}

// exampleBody is the original's example.
func exampleBody() map[string]any {
	body := map[string]any{}
	for _, f := range fields() {
		if f.Name != asOfField {
			body[f.Name] = f.Example
		}
	}
	return body
}

// openAPI is GET /openapi.json.
func (r *role) openAPI(c echo.Context) error {
	return c.JSONBlob(http.StatusOK, r.document.json)
}
