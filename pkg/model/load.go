package model

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"slices"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/features"
)

// maxSize bounds tasador.json: a model has at most a few hundred features.
const maxSize = 16 << 20

// tolerance is how far two computations of one prediction may be apart, relative to the larger.
const tolerance = 1e-9

// Load reads tasador.json and checks it. Codes: FailedPrecondition with a sentence that says what is wrong with the file.
func Load(r io.Reader) (*Model, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "%s cannot be read", FileName)
	}
	if len(content) > maxSize {
		return nil, bad("it is larger than %d bytes", maxSize)
	}
	// The format comes first: of another one, nothing else can be judged.
	var head struct {
		Format *int    `json:"format"`
		Recipe *Recipe `json:"recipe"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return nil, apperror.Wrap(apperror.FailedPrecondition, err, "%s is not a model: it is not JSON of the expected shape", FileName)
	}
	switch {
	case head.Format == nil:
		return nil, bad("it does not name its format")
	case !readable(*head.Format):
		return nil, bad("it has format %d, and this tasador reads formats %d to %d; serve it with the tasador that made it, or train again", *head.Format, FirstFormat, Format)
	}
	m := new(Model)
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return nil, apperror.Wrap(apperror.FailedPrecondition, err, "%s is not a model: it is not JSON of the expected shape", FileName)
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	return m, nil
}

func readable(format int) bool { return format >= FirstFormat && format <= Format }

// bad is an error about the content of a model.
func bad(format string, args ...any) error {
	return apperror.New(apperror.FailedPrecondition, "%s is not a usable model: %s", FileName, apperror.Sentence{Format: format, Args: args})
}

// Check reports what makes the model unusable. Codes: FailedPrecondition.
func (m *Model) Check() error {
	switch {
	case !readable(m.Format):
		return bad("it has format %d, and this tasador reads formats %d to %d", m.Format, FirstFormat, Format)
	case m.Recipe.Name != features.Recipe:
		return bad("its recipe is %q, and this tasador knows %q", m.Recipe.Name, features.Recipe)
	case m.Recipe.Version != RecipeVersion:
		return bad("its recipe %s has version %d, and this tasador knows version %d", m.Recipe.Name, m.Recipe.Version, RecipeVersion)
	case m.AsOfRule != AsOfRequest:
		return bad("its as-of rule is %q, and this tasador knows %q", m.AsOfRule, AsOfRequest)
	}
	if err := m.checkNumbers(); err != nil {
		return err
	}
	if err := m.checkSamples(); err != nil {
		return err
	}
	if _, err := m.Schema.Encode(Example(), time.Unix(0, 0)); err != nil {
		return err
	}
	return m.checkSelfTest()
}

func (m *Model) checkNumbers() error {
	names := m.Schema.Features
	switch {
	case len(names) == 0:
		return bad("it has no features")
	case len(m.Coefficients) != len(names):
		return bad("it has %d features but %d coefficients", len(names), len(m.Coefficients))
	case len(m.Training.Statistics) != len(names):
		return bad("it has %d features but statistics of %d", len(names), len(m.Training.Statistics))
	case !finite(m.Intercept):
		return bad("its intercept is not a finite number")
	}
	for i, name := range names {
		switch {
		case slices.Index(names, name) != i:
			return bad("it names the feature %q twice", name)
		case !finite(m.Coefficients[i]):
			return bad("the coefficient of %q is not a finite number", name)
		case m.Training.Statistics[i].Name != name:
			return bad("statistics of %q stand where those of %q should", m.Training.Statistics[i].Name, name)
		}
	}
	return nil
}

// checkSamples checks what the format says of the rows that the model was made from.
func (m *Model) checkSamples() error {
	switch {
	case m.Format == FirstFormat && (m.Residuals != nil || m.Reference != nil || m.SelfTest.Interval != nil):
		return bad("it has format %d, which knows no residuals and no distributions", FirstFormat)
	case m.Format == FirstFormat:
		return nil
	case m.Residuals == nil || m.Reference == nil:
		return bad("it lacks the residuals or the distributions that format %d has", Format)
	}
	if err := m.Residuals.check(); err != nil {
		return err
	}
	if err := m.Reference.Check(); err != nil {
		return bad("%s", apperror.SentenceOf(err))
	}
	return nil
}

func (m *Model) checkSelfTest() error {
	x, want := m.SelfTest.Features, m.SelfTest.Prediction
	if len(x) != len(m.Coefficients) {
		return bad("its self-test has %d features, and the model %d", len(x), len(m.Coefficients))
	}
	if got := m.price(x); !near(got, want, m.scale(x)) {
		return bad("its self-test gives %v instead of %v", got, want)
	}
	interval, err := m.Interval(want, DefaultLevel)
	switch given := m.SelfTest.Interval; {
	case (err == nil) != (given != nil):
		return bad("its self-test does not agree on whether there is an interval")
	case given != nil && (given.Level != DefaultLevel || !near(interval.Low, given.Low, m.scale(x)) || !near(interval.High, given.High, m.scale(x))):
		return bad("its self-test gives the interval from %v to %v instead of %v to %v", interval.Low, interval.High, given.Low, given.High)
	}
	return nil
}

// scale is the largest number that the price of x is a sum of: rounding errors are relative to it.
func (m *Model) scale(x []float64) float64 {
	largest := math.Abs(m.Intercept)
	for i, v := range x {
		largest = max(largest, math.Abs(v*m.Coefficients[i]))
	}
	return largest
}

func near(a, b, scale float64) bool { return math.Abs(a-b) <= tolerance*scale || a == b }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Number is a float64 that may be anything: what is not finite is null in JSON, and null reads as NaN.
type Number float64

// MarshalJSON writes n.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); finite(v) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads a number or null.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}
