package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/dataset"
	"tasador/pkg/listingcsv"
	"tasador/pkg/property"
	"tasador/pkg/realtor"
)

// step is one DAG run of the demonstration and what it has to show.
type step struct {
	title    string
	runID    string
	batch    string          // what the source hands out, in the words of --source.batches; empty when it is exhausted
	conf     json.RawMessage // for runs whose gate must differ
	decision string          // task that the DAG must go on with
	reason   string          // what the reason must contain
}

// plan is a whole demonstration.
type plan struct {
	steps []step
	gate  config.Gate
	notes []string // what was set because the file needs it
}

// batches joins what the steps want from the source.
func (p plan) batches() string {
	var parts []string
	for _, s := range p.steps {
		if s.batch != "" {
			parts = append(parts, s.batch)
		}
	}
	return strings.Join(parts, ",")
}

const (
	trainRows     = 15000 // more than the gate's minimum
	fewRows       = 800
	spoilRows     = 12000
	minNewRecords = 10000 // the original's minimum
	minFileRows   = 6     // one row for each spoiled batch and three to train on
	spoilShare    = 50    // a file's batch for one of the other paths has one row of this many
	nullShare     = 0.1   // rows that nulls=COLUMN spoils, see listinggen.ParsePlan
)

// generated is the demonstration on made-up listings, at the original's gate.
func generated() plan {
	return plan{
		gate:  config.Gate{MinNewRecords: minNewRecords},
		steps: steps(sizes{few: fewRows, train: trainRows, spoil: spoilRows}, config.Gate{MinNewRecords: minNewRecords}, "bath", nil),
	}
}

type sizes struct{ few, train, spoil int }

func steps(n sizes, gate config.Gate, nullColumn string, nullConf json.RawMessage) []step {
	return []step{
		{title: "nothing new", runID: "demo__1_empty", batch: "0",
			decision: realtor.DecisionNoTrain, reason: "0 new records"},
		{title: "too few rows", runID: "demo__2_few", batch: fmt.Sprint(n.few),
			decision: realtor.DecisionNoTrain, reason: fmt.Sprintf("%d nuevos ≤ %d", n.few, gate.MinNewRecords)},
		{title: "train and promote", runID: "demo__3_train", batch: fmt.Sprint(n.train),
			decision: realtor.DecisionTrain, reason: fmt.Sprintf("%d nuevos > %d", n.train, gate.MinNewRecords)},
		{title: "nulls", runID: "demo__4_nulls", batch: fmt.Sprintf("%d:nulls=%s", n.spoil, nullColumn), conf: nullConf,
			decision: realtor.DecisionNoTrain, reason: "Nulos en: ["},
		{title: "a missing column", runID: "demo__5_missing", batch: fmt.Sprintf("%d:missing=%s", n.spoil, property.Bed),
			decision: realtor.DecisionNoTrain, reason: "Faltan columnas: ['bed']"},
		{title: "exhausted", runID: "demo__6_exhausted",
			decision: realtor.DecisionReset, reason: realtor.ReasonReset},
	}
}

// fromFile is the demonstration on the rows of a CSV file, with a gate that lets its rows through.
func fromFile(ctx context.Context, path string) (plan, error) {
	rows, err := profile(ctx, path, 0, -1)
	if err != nil {
		return plan{}, err
	}
	if missing := rows.MissingColumns(); len(missing) > 0 {
		return plan{}, apperror.New(apperror.Invalid, "%s has no column %s; nothing can be trained on it", path, strings.Join(missing, ", "))
	}
	if rows.Rows() < minFileRows {
		return plan{}, apperror.New(apperror.Invalid, "%s has %d rows; the demonstration needs %d", path, rows.Rows(), minFileRows)
	}
	spoil := max(1, rows.Rows()/spoilShare)
	n := sizes{few: spoil, train: rows.Rows() - 3*spoil, spoil: spoil}
	train, err := profile(ctx, path, n.few, n.few+n.train)
	if err != nil {
		return plan{}, err
	}
	fitting := train.FittingGate()
	p := plan{gate: config.Gate{Nullable: fitting.Nullable, MaxInvalidRatio: fitting.MaxInvalidRatio, MinNewRecords: minNewRecords}}
	if n.train <= minNewRecords {
		p.gate.MinNewRecords = n.few
	}
	p.note()
	column, conf := p.spoiler()
	p.steps = steps(n, p.gate, column, conf)
	return p, nil
}

// note says which settings differ from their defaults, and why.
func (p *plan) note() {
	if len(p.gate.Nullable) > 0 {
		p.notes = append(p.notes, fmt.Sprintf("--gate.nullable=%s, because the file has gaps in them", strings.Join(p.gate.Nullable, ",")))
	}
	if p.gate.MaxInvalidRatio > 0 {
		p.notes = append(p.notes, fmt.Sprintf("--gate.max-invalid-ratio=%v, because some values are out of range", p.gate.MaxInvalidRatio))
	}
	if p.gate.MinNewRecords != minNewRecords {
		p.notes = append(p.notes, fmt.Sprintf("--gate.min-new-records=%d, because the file is small", p.gate.MinNewRecords))
	}
}

// spoiler chooses the column whose nulls the gate must refuse; where the file's gate would let them pass, the run gets a strict one.
func (p *plan) spoiler() (column string, conf json.RawMessage) {
	for _, c := range []string{property.Bath, property.Bed, property.HouseSize, property.AcreLot, property.Price, property.Status, property.PrevSoldDate} {
		if !slices.Contains(p.gate.Nullable, c) && p.gate.MaxInvalidRatio < nullShare {
			return c, nil
		}
	}
	p.notes = append(p.notes, `the run with nulls has the conf {"gate": {"nullable": [], "max_invalid_ratio": 0}}, because the file's gate would let them pass`)
	return property.Bath, json.RawMessage(`{"gate": {"nullable": [], "max_invalid_ratio": 0}}`)
}

// profile counts the defects of the rows [from, to) of a file; to < 0 means all that follow.
func profile(ctx context.Context, path string, from, to int) (*dataset.Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, apperror.Wrap(apperror.NotFound, err, "cannot read %s; check the path", path)
	}
	defer func() { _ = f.Close() }() // only read from
	rd, err := listingcsv.NewReader(f, listingcsv.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p := dataset.NewProfiler(nil)
	p.AddColumns(rd.Columns()...)
	i := 0
	err = listingcsv.EachListing(ctx, rd, func(l property.Listing) error {
		if i >= from && (to < 0 || i < to) {
			p.Add(&l)
		}
		i++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p.Profile(), nil
}
