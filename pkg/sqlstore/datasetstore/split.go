package datasetstore

import (
	"context"
	"fmt"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/features"
	"tasador/pkg/killpoint"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// Progress is told how many rows of how many are done.
type Progress func(done, total int)

// progressRows is how often progress is told.
const progressRows = 10_000

// Observer is shown every row with the split that it goes into, once each, in the order of realtor_raw. It does not keep the row.
type Observer func(split dataset.SplitName, row *property.Listing)

// Split replaces train, validation and test by the shuffled rows of realtor_raw and returns how many rows each has.
//
// It reads realtor_raw once in insertion order into files of neighbouring shuffled positions, and writes each of them in order: the
// time is linear in the rows, and memory holds 8 bytes a row besides one file's rows. Observers see the rows on
// the way. Codes: FailedPrecondition (the claim is lost).
func (s *Store) Split(ctx context.Context, c Claim, progress Progress, observers ...Observer) (map[dataset.SplitName]int, error) {
	total, last, err := s.rawExtent(ctx)
	if err != nil {
		return nil, err
	}
	create := func(_ dataset.SplitName, table string) string { return s.raw.engine.createSplit(table) }
	load, err := s.raw.beginLoad(ctx, c, splitSet, create)
	if err != nil {
		return nil, err
	}
	files, err := newSpill(s.spillDir, total)
	if err != nil {
		return nil, err
	}
	defer files.remove()
	// Reading and writing a row count as half a row each.
	if err := s.spillRaw(ctx, files, total, last, func(done int) { progress(done/2, total) }, observers); err != nil {
		return nil, err
	}
	made := madeRow{RowCount: total, Statuses: map[string][]string{}}
	rows := make(map[dataset.SplitName]int)
	next := files.cursor()
	for _, split := range dataset.Splits() {
		from, to := dataset.Range(split, total)
		rows[split] = to - from
		var seen statusSet
		if err := loadSplit(ctx, load, split, next, to, &seen, func(done int) { progress((total+done)/2, total) }); err != nil {
			return nil, err
		}
		made.Statuses[string(split)] = seen.list
	}
	progress(total, total)
	killpoint.At(killpoint.BeforeSplitsSwap)
	if err := load.swap(ctx, made, func(sqlstore.Tx) error { return nil }); err != nil {
		return nil, err
	}
	killpoint.At(killpoint.AfterSplitsSwap)
	return rows, nil
}

// rawExtent returns how many rows realtor_raw has and the largest id.
func (s *Store) rawExtent(ctx context.Context) (rows int, last int64, err error) {
	var extent struct {
		N    int
		Last int64
	}
	err = s.raw.db.WithContext(ctx).Raw("SELECT count(*) AS n, coalesce(max(id), 0) AS last FROM realtor_raw").Scan(&extent).Error
	if err != nil {
		return 0, 0, fmt.Errorf("count the rows of realtor_raw: %w", err)
	}
	return extent.N, extent.Last, nil
}

// spillRaw puts every raw row into the file of its shuffled position.
func (s *Store) spillRaw(ctx context.Context, files *spill, total int, last int64, progress func(done int), observers []Observer) error {
	shuffled := inverse(dataset.Positions(total, dataset.Seed))
	done := 0
	err := s.eachRaw(ctx, last, func(r *rawRow) error {
		if done == total {
			return errRawChanged
		}
		for _, observe := range observers {
			observe(dataset.SplitAt(int(shuffled[done]), total), &r.listing)
		}
		if err := files.put(shuffled[done], r); err != nil {
			return err
		}
		if done++; done%progressRows == 0 {
			progress(done)
		}
		return nil
	})
	if err == nil && done != total {
		err = errRawChanged
	}
	return err
}

var errRawChanged = apperror.New(apperror.FailedPrecondition, "the rows of realtor_raw changed while they were read; run the task again")

// inverse turns shuffled → raw positions into raw → shuffled ones.
func inverse(positions []uint32) []uint32 {
	out := make([]uint32, len(positions))
	for shuffled, raw := range positions {
		out[raw] = uint32(shuffled) // #nosec G115 -- as many as positions, which are uint32
	}
	return out
}

// eachRaw streams realtor_raw up to the id last, in insertion order. The row is overwritten by the next.
func (s *Store) eachRaw(ctx context.Context, last int64, each func(*rawRow) error) error {
	columns := append(append([]column{{"id", integer}}, listingTableColumns()...), column{"fetched_at", text})
	query := fmt.Sprintf("SELECT %s FROM realtor_raw WHERE id <= %d ORDER BY id", quoteAll(s.raw.engine, columns), last)
	var r rawRow
	return s.raw.engine.stream(ctx, s.raw, query, kindsOf(columns), func(v *values) error {
		r.id, r.listing, r.fetchedAt = v.integers[0], v.listing(1), v.texts[len(columns)-1].Value
		return each(&r)
	})
}

func kindsOf(columns []column) []kind {
	kinds := make([]kind, len(columns))
	for i, c := range columns {
		kinds[i] = c.kind
	}
	return kinds
}

// loadSplit loads the rows of a split: those that next gives up to the shuffled position to.
func loadSplit(ctx context.Context, load *load, split dataset.SplitName, next *spillCursor, to int, seen *statusSet, progress func(done int)) error {
	rows := load.rows(ctx, split, splitColumns(), killpoint.LoadSplits)
	err := func() error {
		for next.position < to {
			position := next.position
			r, err := next.row()
			if err != nil {
				return err
			}
			seen.add(r.listing.Status)
			to := rows.row()
			to.integer(int64(position))
			to.integer(r.id)
			addListing(to, &r.listing)
			to.text(property.NewText(r.fetchedAt))
			if err := rows.endRow(); err != nil {
				return err
			}
			if (position+1)%progressRows == 0 {
				progress(position + 1)
			}
		}
		return nil
	}()
	if finished := rows.finish(); err == nil {
		err = finished
	}
	return err
}

// statusSet collects the statuses of a split; an empty one counts as missing. It takes one more than can be trained on.
type statusSet struct {
	list []string
	seen map[string]bool
}

func (s *statusSet) add(t property.Text) {
	if !t.Valid || t.Value == "" || len(s.list) > features.MaxStatusColumns+1 || s.seen[t.Value] {
		return
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[t.Value] = true
	s.list = append(s.list, t.Value)
}
