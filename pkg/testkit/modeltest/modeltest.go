// Package modeltest trains small models for tests, on generated listings and by the code that trains the real ones.
package modeltest

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
	"tasador/pkg/features"
	"tasador/pkg/listinggen"
	"tasador/pkg/model"
	"tasador/pkg/property"
	"tasador/pkg/training"
)

// AsOf is the instant that the models are trained at.
func AsOf() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Listings returns n generated listings, gaps and odd values among them.
func Listings(seed uint64, n int) []property.Listing {
	g := listinggen.New(listinggen.Options{Seed: seed})
	out := make([]property.Listing, n)
	for i := range out {
		out[i] = g.Next()
	}
	return out
}

// File returns the path of a CSV file of listings: the one that the variable TEST_CSV names, else n generated ones.
func File(t testing.TB, seed uint64, n int) string {
	t.Helper()
	if path := os.Getenv("TEST_CSV"); path != "" {
		path, err := filepath.Abs(path)
		require.NoError(t, err)
		return path
	}
	path := filepath.Join(t.TempDir(), "listings.csv")
	out, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, listinggen.WriteCSV(context.Background(), out, listinggen.Options{Seed: seed}, n, nil))
	require.NoError(t, out.Close())
	return path
}

// Train returns a model that was trained on 3000 generated listings of a seed.
func Train(t testing.TB, seed uint64) *model.Model {
	t.Helper()
	return TrainOn(t, Listings(seed, 3000), "manual__2026-01-01T00:00:00+00:00")
}

// TrainOn returns a model that was trained on the listings, in their order.
func TrainOn(t testing.TB, listings []property.Listing, dagRunID string) *model.Model {
	t.Helper()
	a, b := dataset.Cuts(len(listings))
	parts := training.Parts{
		Train:      part{t, listings[:a]},
		Validation: part{t, listings[a:b]},
		Test:       part{t, listings[b:]},
	}
	result, err := training.Run(context.Background(), parts, training.Options{})
	require.NoError(t, err)
	m, err := model.New(result, dagRunID, AsOf())
	require.NoError(t, err)
	return m
}

// Folder writes the model's folder and returns its path.
func Folder(t testing.TB, m *model.Model) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, model.WriteFolder(dir, m, model.Meta{
		RunID:        "0123456789abcdef0123456789abcdef",
		ModelID:      "m-fedcba9876543210fedcba9876543210",
		ArtifactPath: "model",
		CreatedAt:    AsOf(),
	}))
	return dir
}

// part is one split of listings in memory.
type part struct {
	t        testing.TB
	listings []property.Listing
}

func (p part) cleaner() *features.Cleaner {
	var statuses []string
	for _, l := range p.listings {
		if l.Status.Valid && !slices.Contains(statuses, l.Status.Value) {
			statuses = append(statuses, l.Status.Value)
		}
	}
	c, err := features.NewCleaner(property.Columns(), statuses, AsOf())
	require.NoError(p.t, err)
	return c
}

func (p part) Columns() []string {
	columns := p.cleaner().Columns()
	return columns[:len(columns)-1]
}

func (p part) Each(_ context.Context, fn func(x []float64, price float64) error) error {
	c := p.cleaner()
	var row []float64
	for _, l := range p.listings {
		row = c.Clean(features.RawOf(l), row[:0])
		last := len(row) - 1
		if err := fn(row[:last], row[last]); err != nil {
			return err
		}
	}
	return nil
}

// Encode returns the features and prices of listings in their order, as training would see them as one split, for a model with these features.
func Encode(t testing.TB, names []string, listings []property.Listing) (x [][]float64, prices []float64) {
	t.Helper()
	p := part{t, listings}
	columns := p.Columns()
	require.NoError(t, p.Each(context.Background(), func(values []float64, price float64) error {
		row := make([]float64, len(names))
		for i, name := range names {
			if at := slices.Index(columns, name); at >= 0 {
				row[i] = values[at]
			}
		}
		x, prices = append(x, row), append(prices, price)
		return nil
	}))
	return x, prices
}

// Artifacts is where Upload puts files.
type Artifacts interface {
	PutArtifact(ctx context.Context, artifactURI, name string, r io.Reader) error
}

// Upload writes the model's folder and puts its files below an artifact URI.
func Upload(t testing.TB, to Artifacts, artifactURI string, m *model.Model) {
	t.Helper()
	dir := Folder(t, m)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		require.NoError(t, to.PutArtifact(context.Background(), artifactURI, e.Name(), bytes.NewReader(content)))
	}
}
