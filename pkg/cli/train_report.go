package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"text/tabwriter"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/experiment"
	"tasador/pkg/training"
)

// trainReport is the result of `tasador train` in the shape of the reference results.
type trainReport struct {
	Rows  int    `json:"rows"`
	AsOf  string `json:"as_of"`
	Split struct {
		Train      splitReport `json:"train"`
		Validation splitReport `json:"validation"`
		Test       splitReport `json:"test"`
	} `json:"split"`
	Clean struct {
		Train      cleanReport `json:"train"`
		Validation cleanReport `json:"validation"`
		Test       cleanReport `json:"test"`
	} `json:"clean"`
	Features     []string     `json:"features"`
	ValRMSEAlpha namedNumbers `json:"val_rmse_alpha"`
	BestAlpha    number       `json:"best_alpha"`
	BestValRMSE  number       `json:"best_val_rmse"`
	Coefficients namedNumbers `json:"coefficients"`
	Intercept    number       `json:"intercept"`
	TestRMSE     number       `json:"test_rmse"`
	Seconds      struct {
		Read       float64 `json:"read"`
		Split      float64 `json:"split"`
		Preprocess float64 `json:"preprocess"`
		Train      float64 `json:"train"`
	} `json:"seconds"`
}

type splitReport struct {
	Rows              int      `json:"rows"`
	FirstRawPositions []uint32 `json:"first_raw_positions"`
	SHA256            string   `json:"sha256_of_positions"`
}

type cleanReport struct {
	Columns    []string     `json:"columns"`
	ColumnSums namedNumbers `json:"column_sums"`
}

// namedNumbers is a JSON object whose keys keep their order.
type namedNumbers struct {
	names  []string
	values []float64
}

// MarshalJSON implements json.Marshaler.
func (n namedNumbers) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range n.names {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := number(n.values[i]).MarshalJSON()
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// number is a double that is written as Python writes it.
type number float64

// MarshalJSON implements json.Marshaler.
func (v number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return nil, apperror.New(apperror.FailedPrecondition,
			"a result is too large for a number; check the number columns for absurd values")
	}
	return []byte(experiment.FormatFloat(float64(v))), nil
}

// describe fills in what training found.
func (r *trainReport) describe(parts training.TableParts, result training.Result) {
	r.Split.Train, r.Clean.Train = reportPart(parts.Train)
	r.Split.Validation, r.Clean.Validation = reportPart(parts.Validation)
	r.Split.Test, r.Clean.Test = reportPart(parts.Test)
	r.Features = result.Features
	for _, v := range result.ValRMSE {
		r.ValRMSEAlpha.names = append(r.ValRMSEAlpha.names, experiment.FormatFloat(v.Alpha))
		r.ValRMSEAlpha.values = append(r.ValRMSEAlpha.values, v.RMSE)
	}
	r.BestAlpha, r.BestValRMSE = number(result.BestAlpha), number(result.BestValRMSE)
	r.Coefficients = namedNumbers{result.Features, result.Coefficients}
	r.Intercept, r.TestRMSE = number(result.Intercept), number(result.TestRMSE)
}

// firstPositions is how many raw positions of a split are listed.
const firstPositions = 10

func reportPart(p *training.TablePart) (splitReport, cleanReport) {
	positions := p.Positions()
	return splitReport{
			Rows:              len(positions),
			FirstRawPositions: positions[:min(firstPositions, len(positions))],
			SHA256:            hashPositions(positions),
		}, cleanReport{
			Columns:    p.CleanColumns(),
			ColumnSums: namedNumbers{p.CleanColumns(), p.ColumnSums()},
		}
}

// hashPositions hashes the positions in decimal, one a line.
func hashPositions(positions []uint32) string {
	hash := sha256.New()
	line := make([]byte, 0, 64<<10)
	for i, p := range positions {
		if i > 0 {
			line = append(line, '\n')
		}
		line = strconv.AppendUint(line, uint64(p), 10)
		if len(line) > cap(line)-16 {
			hash.Write(line)
			line = line[:0]
		}
	}
	hash.Write(line)
	return hex.EncodeToString(hash.Sum(nil))
}

// write gives out the report: JSON where it was asked for, and the summary unless JSON takes its place.
func (t *Train) write(r *trainReport, out IO) error {
	if t.JSON == "" {
		return r.summarize(out.Out)
	}
	text, err := r.encode()
	if err != nil {
		return err
	}
	if t.JSON == "-" {
		_, err := out.Out.Write(text)
		return err
	}
	_, err = os.Stat(t.JSON)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err := os.WriteFile(t.JSON, text, 0o644); err != nil { // #nosec G306 -- a result that anyone may read
		if isNew {
			_ = os.Remove(t.JSON) // half a result is none
		}
		return cannotWrite("--json", t.JSON, err)
	}
	return r.summarize(out.Out)
}

// encode returns the report as JSON.
func (r *trainReport) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(r)
	var refused *json.MarshalerError
	if errors.As(err, &refused) {
		err = refused.Unwrap()
	}
	return b.Bytes(), err
}

// summarize prints what a person wants to know.
func (r *trainReport) summarize(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { _, _ = fmt.Fprintf(table, name+"\t"+format+"\n", args...) } // Flush tells
	line("rows", "%d (%s %d, %s %d, %s %d)", r.Rows, dataset.Train, r.Split.Train.Rows,
		dataset.Validation, r.Split.Validation.Rows, dataset.Test, r.Split.Test.Rows)
	line("as of", "%s", r.AsOf)
	line("features", "%d", len(r.Features))
	for i, alpha := range r.ValRMSEAlpha.names {
		line("val_rmse_alpha_"+alpha, "%.2f", r.ValRMSEAlpha.values[i])
	}
	line("best_alpha", "%s", experiment.FormatFloat(float64(r.BestAlpha)))
	line("best_val_rmse", "%.2f", float64(r.BestValRMSE))
	line("test_rmse", "%.2f", float64(r.TestRMSE))
	s := r.Seconds
	line("seconds", "%.2f (read %.2f, split %.2f, preprocess %.2f, train %.2f)",
		s.Read+s.Split+s.Preprocess+s.Train, s.Read, s.Split, s.Preprocess, s.Train)
	return table.Flush()
}
