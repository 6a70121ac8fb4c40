package serving

import (
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

// Types of the Open Inference Protocol that a column may have; FP16 has no form in JSON of its own and is taken as a number.
const (
	fp64     = "FP64"
	oipBool  = "BOOL"
	oipBytes = "BYTES"
)

func isDatatype(name string) bool {
	return slices.Contains([]string{oipBool, oipBytes, fp64, "FP32", "FP16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"}, name)
}

// inferRequest is a request of the Open Inference Protocol.
type inferRequest struct {
	id      string
	asOf    value // of the parameters
	inputs  []tensor
	outputs int // asked for
}

// tensor is one input.
type tensor struct {
	name, datatype string
	shape          []int
	data           []value // row by row
}

// readInfer reads the body of a request. Codes: Invalid.
func readInfer(c echo.Context) (*inferRequest, error) {
	header := c.Request().Header
	kind, params, err := mime.ParseMediaType(header.Get(echo.HeaderContentType))
	charset := params["charset"]
	if header.Get(echo.HeaderContentType) != "" && (err != nil || kind != echo.MIMEApplicationJSON || charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return nil, &statusError{http.StatusUnsupportedMediaType, apperror.New(apperror.Invalid, "send the request as application/json in UTF-8")}
	}
	if header.Get("Inference-Header-Content-Length") != "" {
		return nil, apperror.New(apperror.Invalid, "binary tensors are an extension that this server does not have; send the data as JSON (binary_data=False)")
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, err
	}
	return parseInfer(string(body))
}

func parseInfer(body string) (*inferRequest, error) {
	p := &jsonScanner{s: body}
	if !utf8.ValidString(body) {
		return nil, apperror.New(apperror.Invalid, "the body is not UTF-8 text")
	}
	if err := p.whole(); err != nil {
		return nil, apperror.New(apperror.Invalid, "the body is not JSON: %s at byte %s", err.Error(), strconv.Itoa(p.at))
	}
	p.at = 0
	if p.token() != '{' {
		return nil, apperror.New(apperror.Invalid, "the body must be a JSON object with inputs")
	}
	req := &inferRequest{}
	err := p.members(func(name string) error {
		switch c := p.token(); {
		case name == "inputs" && c == '[':
			req.inputs = nil
			return p.elements(func(int) error { return p.tensor(req) })
		case name == "inputs" || name == "outputs" && c != '[' && c != 'n':
			return apperror.New(apperror.Invalid, "%s must be a list", name)
		case name == "outputs" && c == '[':
			return p.elements(func(int) error { return p.output(req) })
		case name == "parameters" && c == '{':
			return p.members(func(name string) error {
				v, err := p.value(0)
				if name == asOfField {
					req.asOf = v
				}
				return err
			})
		}
		v, err := p.value(0)
		if name == "id" {
			req.id = shortened(v.text)
			if v.kind != isText && v.kind != isMissing {
				return apperror.New(apperror.Invalid, "id must be a text")
			}
		}
		return err
	})
	if err == nil && len(req.inputs) == 0 {
		err = apperror.New(apperror.Invalid, "inputs is missing or empty; it must be a list of tensors")
	}
	return req, err
}

// output reads a tensor that is asked for.
func (p *jsonScanner) output(req *inferRequest) error {
	if p.token() != '{' {
		return apperror.New(apperror.Invalid, "outputs must be a list of objects with a name")
	}
	name := ""
	err := p.members(func(member string) error {
		v, err := p.value(0)
		if member == "name" {
			name = v.text
		}
		return err
	})
	if err != nil {
		return err
	}
	if req.outputs++; name != oipName || req.outputs > 1 {
		return apperror.New(apperror.Invalid, "the only output is %s, and it can be named once", oipName)
	}
	return nil
}

// tensor reads an input.
func (p *jsonScanner) tensor(req *inferRequest) error {
	if p.token() != '{' {
		return apperror.New(apperror.Invalid, "every input must be an object with name, shape, datatype and data")
	}
	if len(req.inputs) == maxColumns {
		return apperror.New(apperror.Invalid, "there are more than %s inputs", strconv.Itoa(maxColumns))
	}
	var t tensor
	cells := 0
	for i := range req.inputs {
		cells += len(req.inputs[i].data)
	}
	err := p.members(func(member string) error {
		switch c := p.token(); {
		case member == "shape" && c == '[':
			t.shape = nil
			return p.elements(func(int) error { return p.dimension(&t) })
		case member == "data" && c == '[':
			t.data = nil
			return p.flatten(&t, cells, 0)
		}
		v, err := p.value(0)
		switch member {
		case "name":
			t.name = v.text
		case "datatype":
			t.datatype = v.text
		case "shape", "data":
			return apperror.New(apperror.Invalid, "%s of an input must be a list", member)
		}
		return err
	})
	if err != nil {
		return err
	}
	req.inputs = append(req.inputs, t)
	return t.check()
}

func (p *jsonScanner) dimension(t *tensor) error {
	v, err := p.value(0)
	if err != nil {
		return err
	}
	if v.kind != isNumber || v.number != math.Trunc(v.number) || v.number < 0 || v.number > maxCells || len(t.shape) == 3 {
		return apperror.New(apperror.Invalid, "the shape of an input must be one or two whole numbers")
	}
	t.shape = append(t.shape, int(v.number))
	return nil
}

// flatten reads data, which may be nested as the shape is or flat.
func (p *jsonScanner) flatten(t *tensor, cells, depth int) error {
	return p.elements(func(int) error {
		if p.token() == '[' && depth < 3 {
			return p.flatten(t, cells, depth+1)
		}
		v, err := p.value(0)
		if err != nil {
			return err
		}
		if cells+len(t.data) >= maxCells {
			return apperror.New(apperror.Invalid, "the data have more than %s values; send fewer rows at once, or all of them to /predict/batch", strconv.Itoa(maxCells))
		}
		t.data = append(t.data, v)
		return nil
	})
}

// check holds a tensor to what it says of itself.
func (t *tensor) check() error {
	name := shortened(t.name)
	if t.name == "" || !isDatatype(t.datatype) {
		return apperror.New(apperror.Invalid, "the input %q must have a name and a datatype of the protocol, such as FP64, INT64 or BYTES; it has %q", name, shortened(t.datatype))
	}
	elements := 1
	for _, n := range t.shape {
		elements *= n
	}
	if len(t.shape) == 0 || len(t.shape) > 2 || elements != len(t.data) {
		return apperror.New(apperror.Invalid, "the input %q has %s values, and its shape says otherwise", name, strconv.Itoa(len(t.data)))
	}
	for _, v := range t.data {
		if !t.fits(v) {
			return apperror.New(apperror.Invalid, "the input %q has a value that is not of its datatype %s", name, t.datatype)
		}
	}
	return nil
}

func (t *tensor) fits(v value) bool {
	switch {
	case v.kind == isMissing:
		return true // null, or an empty text
	case t.datatype == oipBytes:
		return v.kind == isText
	case t.datatype == oipBool:
		return v.kind == isOther && v.text != "" || v.kind == isNumber && (v.number == 0 || v.number == 1)
	case strings.HasPrefix(t.datatype, "FP"):
		return v.kind == isNumber
	}
	return v.kind == isNumber && v.number == math.Trunc(v.number) && (v.number >= 0 || t.datatype[0] != 'U')
}

// frame puts the inputs together: one tensor for each column, or a single one of all features in the order of the model.
func (req *inferRequest) frame(schema []string) (*frame, error) {
	f := &frame{}
	if one := req.inputs[0]; len(req.inputs) == 1 && len(one.shape) == 2 && !slices.Contains(schema, one.name) {
		if one.shape[1] != len(schema) {
			return nil, apperror.New(apperror.Invalid, "the input %q has %s columns, and the model %s features: %s", shortened(one.name), strconv.Itoa(one.shape[1]),
				strconv.Itoa(len(schema)), strings.Join(schema, ", "))
		}
		f.names, f.columns = schema, make([][]value, len(schema))
		for i, v := range one.data {
			if err := f.set(i%len(schema), i/len(schema), v); err != nil {
				return nil, err
			}
		}
		return f, nil
	}
	for i := range req.inputs {
		t := &req.inputs[i]
		if len(t.shape) == 2 && t.shape[1] != 1 {
			return nil, apperror.New(apperror.Invalid, "the input %q is a column, so its shape must be [rows] or [rows, 1]", shortened(t.name))
		}
		if slices.Contains(f.names, t.name) || len(t.data) != len(req.inputs[0].data) {
			return nil, apperror.New(apperror.Invalid, "the input %q comes twice, or has another number of rows than the first", shortened(t.name))
		}
		if _, err := f.column(t.name); err != nil {
			return nil, err
		}
		f.columns[i], f.rows = t.data, len(t.data)
	}
	return f, nil
}
