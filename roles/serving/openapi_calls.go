package serving

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

// Descriptions of statuses that mean the same wherever they come.
const (
	unreadable    = "The request cannot be read."
	tooLong       = "The request is too long."
	notTaken      = "The form of the body is not taken, or not packed so."
	notServed     = "The version cannot be served."
	notThere      = "There is no such model or version."
	notAcceptable = "None of the forms that Accept names can be had."
	noVersion     = "No version is in production yet, or the prediction cannot be recorded."
	wrongFields   = "Fields are wrong; each is named. Nothing is recorded."
	itIs          = "It does."
	priced        = "The prices, recorded."
)

// describer makes the operations of the document.
type describer struct {
	schemas huma.Registry
	model   string // that is served
}

type (
	statusCode = string
	answers    = map[statusCode]*huma.Response
)

// of is the schema of a Go type.
func (d describer) of(t reflect.Type) *huma.Schema { return d.schemas.Schema(t, true, "") }

// answer is an answer in JSON.
func (d describer) answer(description string, t reflect.Type) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{echo.MIMEApplicationJSON: {Schema: d.of(t)}}}
}

// with adds errors of one shape to answers.
func (d describer) with(a answers, shape reflect.Type, statuses ...statusCode) answers {
	descriptions := map[statusCode]string{
		"400": unreadable, "404": notThere, "409": notServed, "406": notAcceptable, "413": tooLong, "415": notTaken, "422": wrongFields, "503": noVersion,
	}
	for _, s := range statuses {
		a[s] = d.answer(descriptions[s], shape)
	}
	return a
}

// operations lists all that programs may ask, in the order of the page.
func (d describer) operations() []*huma.Operation {
	all := append(predictOperations(d.answer), d.batch(), d.invocations())
	all = append(all, d.oip()...)
	all = append(all, d.watching()...)
	for _, op := range all {
		d.codings(op)
	}
	return append(all, d.health()...)
}

// codings says what becomes of a body with a Content-Encoding.
func (d describer) codings(op *huma.Operation) {
	if op.RequestBody == nil {
		return
	}
	if op.Responses["415"] == nil {
		d.with(op.Responses, reflect.TypeFor[Failure](), "415")
	}
	op.Responses["415"].Headers = map[string]*huma.Param{
		echo.HeaderAcceptEncoding: {Schema: &huma.Schema{Type: huma.TypeString}, Description: "The Content-Encoding that is taken, if that was wrong."},
	}
}

// watching describes which versions answer, how they do, and how to tell what came of it.
func (d describer) watching() []*huma.Operation {
	told := reflect.TypeFor[FeedbackAnswer]()
	a := d.with(answers{
		"200": d.answer("The price is recorded with its prediction.", told),
		"202": d.answer("The price is recorded; whether there is such a prediction cannot be told now.", told),
	}, reflect.TypeFor[Failure](), "400", "413")
	a["404"] = d.answer("There is no such prediction.", reflect.TypeFor[Failure]())
	a["503"] = d.answer("The price cannot be recorded.", reflect.TypeFor[Failure]())
	return []*huma.Operation{
		{
			OperationID: "models", Method: http.MethodGet, Path: "/models", Summary: "Which versions answer.",
			Responses: answers{"200": d.answer("The versions, and how far the shadow is from the answers.", reflect.TypeFor[Models]())},
		},
		{
			OperationID: "drift", Method: http.MethodGet, Path: "/drift", Summary: "How far questions and answers are from training.",
			Responses: answers{"200": d.answer("Drift of each feature and of the predictions, and errors on feedback, over three windows.", reflect.TypeFor[Drift]())},
		},
		{
			OperationID: "feedback", Method: http.MethodPost, Path: "/feedback", Summary: "Tell what a house was sold for.",
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
				echo.MIMEApplicationJSON: {
					Schema:  d.of(reflect.TypeFor[Feedback]()),
					Example: Feedback{RequestID: "0d0f4c94-dbe6-431b-bae7-1573e5484714", SalePrice: 389000, SoldAt: "2026-02-01"},
				},
			}},
			Responses: d.with(a, reflect.TypeFor[ValidationError](), "422"),
		},
	}
}

// plainText is a body that is described in words.
func plainText(description string) *huma.MediaType {
	return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: description}}
}

func (d describer) batch() *huma.Operation {
	ok := d.answer("The prices, row by row; the version is in the headers, and the counts are in the trailers.", reflect.TypeFor[BatchAnswer]())
	ok.Content[mimeNDJSON] = plainText("A BatchRow on each line; on the last one an object with the member summary.")
	ok.Content[mimeCSV] = plainText("The columns that came, or the number of the row, then prediction and error.")
	text := func(description string) *huma.Param {
		return &huma.Param{Schema: &huma.Schema{Type: huma.TypeString}, Description: description}
	}
	ok.Headers = map[string]*huma.Param{
		headerModelName: text("Registered model that answered."), headerModelVersion: text("Its version."),
	}
	a := d.with(answers{"200": ok}, reflect.TypeFor[Failure](), "400", "406", "415", "503")
	listings := &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Ref: "#/components/schemas/Listing"}}
	return &huma.Operation{
		OperationID: "predictBatch", Method: http.MethodPost, Path: batchPath, Summary: "Price a stream of listings of any length.",
		Description: "The body may have the Content-Encoding gzip. Sentences are in English or Spanish, as Accept-Language asks.",
		Parameters: []*huma.Param{
			{Name: asOfField, In: "query", Description: fieldTable[atAsOf].Doc, Schema: &huma.Schema{Type: huma.TypeString}},
			{Name: "record", In: "query", Description: "Whether to record the predictions.", Schema: &huma.Schema{Type: huma.TypeBoolean}},
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			echo.MIMEApplicationJSON: {Schema: listings, Example: []any{exampleBody()}},
			mimeNDJSON:               plainText("A listing as a JSON object on each line."),
			mimeCSV:                  plainText("A line with the names of the columns, then a listing on each line."),
		}},
		Responses: d.with(a, reflect.TypeFor[ValidationError](), "422"),
	}
}

func (d describer) invocations() *huma.Operation {
	a := d.with(answers{"200": d.answer(priced, reflect.TypeFor[Predictions]())}, reflect.TypeFor[MLflowError](), "400", "413", "503")
	a["415"] = &huma.Response{Description: notTaken, Content: map[string]*huma.MediaType{echo.MIMETextPlain: plainText("")}}
	frame := reflect.TypeFor[Invocation]()
	return &huma.Operation{
		OperationID: "invocations", Method: http.MethodPost, Path: invocationsPath, Summary: "Price the rows of a data frame, as MLflow's scoring server does.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			echo.MIMEApplicationJSON: {Schema: d.of(frame), Example: map[string]any{"dataframe_records": []any{exampleBody()}}},
			mimeCSV:                  plainText("A line with the names of the columns, then a row on each line."),
		}},
		Responses: a,
	}
}

// oip describes the Open Inference Protocol.
func (d describer) oip() []*huma.Operation {
	failure, root := reflect.TypeFor[OIPError](), "oip"
	get := func(id, path, summary string, a answers) *huma.Operation {
		return &huma.Operation{OperationID: root + id, Method: http.MethodGet, Path: oipPath + path, Summary: summary, Responses: a}
	}
	all := []*huma.Operation{
		get("Server", "", "What the server is.", answers{"200": d.answer("Its name and version.", reflect.TypeFor[OIPServer]())}),
		get("Live", "/health/live", "Whether the server runs.", answers{"200": d.answer(itIs, reflect.TypeFor[OIPLive]())}),
		get("Ready", "/health/ready", "Whether a model is loaded.", answers{
			"200": d.answer("One is.", reflect.TypeFor[OIPReady]()), "503": d.answer("None is yet.", reflect.TypeFor[OIPReady]()),
		}),
		get("Models", "/models", "The models that can be asked.", answers{"200": d.answer("Their names.", reflect.TypeFor[OIPModels]())}),
	}
	name := pathParam("model", "Name of the model.")
	name.Schema = &huma.Schema{Type: huma.TypeString, Enum: []any{d.model}}
	for _, at := range []struct {
		id, path string
		params   []*huma.Param
	}{
		{"Model", "/models/{model}", []*huma.Param{pathParam("model", "Name of the model.")}},
		{"Version", "/models/{model}/versions/{version}", []*huma.Param{pathParam("model", "Name of the model."), pathParam("version", "Number of the version.")}},
	} {
		metadata := get(at.id, at.path, "What a model takes and gives.",
			d.with(answers{"200": d.answer("Its tensors.", reflect.TypeFor[OIPMetadata]())}, failure, "404", "409", "503"))
		ready := get(at.id+"Ready", at.path+"/ready", "Whether a model can be asked.", d.with(answers{
			"200": d.answer("It can.", reflect.TypeFor[OIPModelReady]()), "503": d.answer("It cannot yet.", reflect.TypeFor[OIPModelReady]()),
		}, failure, "404", "409"))
		infer := &huma.Operation{
			OperationID: root + at.id + "Infer", Method: http.MethodPost, Path: oipPath + at.path + "/infer", Summary: "Price the rows of tensors.",
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
				echo.MIMEApplicationJSON: {Schema: d.of(reflect.TypeFor[InferRequest]()), Example: exampleTensors()},
			}},
			Responses: d.with(answers{"200": d.answer(priced, reflect.TypeFor[OIPAnswer]())}, failure, "400", "404", "409", "413", "415", "503"),
		}
		for _, op := range []*huma.Operation{metadata, ready, infer} {
			op.Parameters = at.params
			all = append(all, op)
		}
	}
	return all
}

func pathParam(name, description string) *huma.Param {
	least := 1
	return &huma.Param{Name: name, In: "path", Required: true, Description: description, Schema: &huma.Schema{Type: huma.TypeString, MinLength: &least}}
}

// exampleTensors is the example as tensors of one row.
func exampleTensors() map[string]any {
	var inputs []any
	for _, f := range fieldTable {
		if !f.Required && f.Kind != date {
			continue
		}
		datatype := fp64
		if f.Kind != number {
			datatype = oipBytes
		}
		inputs = append(inputs, map[string]any{"name": f.Name, "shape": []int{1}, "datatype": datatype, "data": []any{f.Example}})
	}
	return map[string]any{"inputs": inputs}
}

// health describes what watches over the server.
func (d describer) health() []*huma.Operation {
	get := func(id, path, summary string, a answers) *huma.Operation {
		return &huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Responses: a}
	}
	// MLflow calls a line end and a bare version JSON; that has no schema.
	called := func(description string) *huma.Response {
		return &huma.Response{Description: description, Content: map[string]*huma.MediaType{echo.MIMEApplicationJSON: {}}}
	}
	ok, ready := reflect.TypeFor[Health](), reflect.TypeFor[Readiness]()
	return []*huma.Operation{
		get("health", "/health", "Whether the server runs.", answers{"200": d.answer(itIs, ok)}),
		get("ping", "/ping", "Whether a model is loaded.", answers{"200": called("One is."), "404": called("None is yet.")}),
		get("version", "/version", "Version of MLflow whose scoring protocol is spoken.", answers{"200": called("The version, as bare text.")}),
		get("healthz", "/healthz", "Whether the server runs.", answers{"200": d.answer(itIs, ok)}),
		get("readyz", "/readyz", "Whether the server can answer.", answers{"200": d.answer("It can.", ready), "503": d.answer("It cannot yet.", ready)}),
		get("buildinfo", "/buildinfo", "Which build of tasador runs.", answers{"200": d.answer("The build.", reflect.TypeFor[BuildInfo]())}),
		get("metrics", "/metrics", "Metrics for Prometheus.", answers{
			"200": {Description: "The metrics as text.", Content: map[string]*huma.MediaType{"text/plain": plainText("")}},
		}),
		get("openapi", "/openapi.json", "This document.", answers{"200": called("The document.")}),
	}
}
