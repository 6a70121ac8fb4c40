package serving

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

// uploadPath is where the form of the first page sends a file to if there is no script.
const uploadPath = "/batch"

// maxFormField is how long a field of that form may be beside the file, in bytes.
const maxFormField = 64

// upload is POST /batch: POST /predict/batch for a form. The answer is the file that it gives.
func (r *role) upload(c echo.Context) error {
	asked := c.Request()
	file, query, err := uploaded(asked)
	if err != nil {
		return err
	}
	form := formOfFile(file)
	if form == "" {
		return apperror.New(apperror.Invalid, "choose a file whose name ends in .csv, .ndjson or .json")
	}
	inner := asked.Clone(asked.Context())
	inner.URL.RawQuery, inner.Body = query.Encode(), file
	inner.Header.Set(echo.HeaderContentType, form)
	inner.Header.Set(echo.HeaderAccept, form)
	h := c.Response().Header()
	h.Set(echo.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": pricedName(file.FileName())}))
	c.SetRequest(inner)
	b := &batch{role: r, now: recordable(time.Now()), tell: r.site.Teller(c.Response(), asked)}
	err = b.serve(c)
	c.SetRequest(asked) // whoever shows an error asks what the browser wants
	outcome := outcomeOf(err)
	var problem *fieldError
	if errors.As(err, &problem) {
		outcome, err = outcomeInvalid, apperror.New(apperror.Invalid, problem.Format, problem.Args...)
	}
	r.answered(protocolBatch, b.version, outcome, b.summary.OK, b.now)
	if err != nil && !c.Response().Committed {
		h.Del(echo.HeaderContentDisposition)
	}
	return err
}

// uploaded reads the form up to its file, whose content is read as it comes. Codes: Invalid.
func uploaded(req *http.Request) (*multipart.Part, url.Values, error) {
	unreadable := func(err error) error {
		return apperror.Wrap(apperror.Invalid, err, "the form cannot be read; send it as a browser does")
	}
	parts, err := req.MultipartReader()
	if err != nil {
		return nil, nil, unreadable(err)
	}
	query := url.Values{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, nil, apperror.New(apperror.Invalid, "choose a file whose name ends in .csv, .ndjson or .json")
		}
		if err != nil {
			return nil, nil, unreadable(err)
		}
		if part.FormName() == "file" {
			return part, query, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxFormField))
		if err != nil {
			return nil, nil, unreadable(err)
		}
		if part.FormName() == "record" {
			query.Set("record", string(value))
		}
	}
}

// formOfFile is the form of a file by its name, or by what the browser says of it.
func formOfFile(file *multipart.Part) string {
	switch strings.ToLower(path.Ext(file.FileName())) {
	case ".csv":
		return mimeCSV
	case ".ndjson", ".jsonl":
		return mimeNDJSON
	case ".json":
		return echo.MIMEApplicationJSON
	}
	kind, _, err := mime.ParseMediaType(file.Header.Get(echo.HeaderContentType))
	if err != nil {
		return ""
	}
	return formOf(kind)
}

// pricedName names the answer after the file: houses.csv becomes houses-priced.csv.
func pricedName(name string) string {
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "-priced" + ext
}

// requiredFields names the columns that a file must have.
func requiredFields() string {
	var names []string
	for _, f := range fields() {
		if f.Required {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, ", ")
}
