package datasetstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/killpoint"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// Progress is told how many rows of how many are done.
type Progress func(done, total int)

// Split replaces train, validation and test by the shuffled rows of realtor_raw and returns how many rows each has.
//
// It reads realtor_raw once in insertion order into files of neighbouring shuffled positions, and writes each of them in order: the
// time is linear in the rows, and memory holds 8 bytes a row besides one file's rows. Codes: FailedPrecondition (the claim is lost).
func (s *Store) Split(ctx context.Context, c Claim, progress Progress) (map[dataset.SplitName]int, error) {
	total, last, err := s.rawExtent(ctx)
	if err != nil {
		return nil, err
	}
	create := func(_ dataset.SplitName, table string) string { return s.raw.dialect.createSplit(table) }
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
	if err := s.spillRaw(ctx, files, total, last, func(done int) { progress(done/2, total) }); err != nil {
		return nil, err
	}
	if err := s.loadSplits(ctx, load, files, total, func(done int) { progress((total+done)/2, total) }); err != nil {
		return nil, err
	}
	killpoint.At(killpoint.BeforeSplitsSwap)
	if err := load.swap(ctx, total, func(*gorm.DB) error { return nil }); err != nil {
		return nil, err
	}
	killpoint.At(killpoint.AfterSplitsSwap)
	rows := make(map[dataset.SplitName]int)
	for _, split := range dataset.Splits() {
		from, to := dataset.Range(split, total)
		rows[split] = to - from
	}
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
func (s *Store) spillRaw(ctx context.Context, files *spill, total int, last int64, progress func(done int)) error {
	shuffled := inverse(dataset.Positions(total, dataset.Seed))
	done := 0
	err := s.eachRaw(ctx, last, func(r rawRow) error {
		if done == total {
			return errRawChanged
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

// progressRows is how often progress is told.
const progressRows = 10_000

// inverse turns shuffled → raw positions into raw → shuffled ones.
func inverse(positions []uint32) []uint32 {
	out := make([]uint32, len(positions))
	for shuffled, raw := range positions {
		out[raw] = uint32(shuffled) // #nosec G115 -- as many as positions, which are uint32
	}
	return out
}

// eachRaw streams realtor_raw up to the id last, in insertion order.
func (s *Store) eachRaw(ctx context.Context, last int64, each func(rawRow) error) error {
	query := fmt.Sprintf("SELECT id, %s, fetched_at FROM realtor_raw WHERE id <= ? ORDER BY id", strings.Join(property.Columns(), ", "))
	var r rawRow
	var target listingTarget
	dests := append(append([]any{&r.id}, target.dests()...), &r.fetchedAt)
	return s.raw.stream(ctx, query, []any{last}, dests, func() error {
		r.listing = target.listing()
		return each(r)
	})
}

// stream runs a query, scans every row into dests and calls each.
func (d *database) stream(ctx context.Context, query string, args, dests []any, each func() error) error {
	pool, err := sqlstore.Pool(d.db)
	if err != nil {
		return err
	}
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: read rows: %w", d.label, err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	for rows.Next() {
		if err := rows.Scan(dests...); err != nil {
			return fmt.Errorf("%s: read a row: %w", d.label, err)
		}
		if err := each(); err != nil {
			return err
		}
	}
	return d.readError(rows)
}

func (d *database) readError(rows *sql.Rows) error {
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: read rows: %w", d.label, err)
	}
	return nil
}

// loadSplits writes file after file into the staged tables, one transaction each.
func (s *Store) loadSplits(ctx context.Context, load *load, files *spill, total int, progress func(done int)) error {
	columns := append(append([]string{"position", "raw_id"}, property.Columns()...), "fetched_at")
	done := 0
	for i := range files.count() {
		rows, err := files.rows(i)
		if err != nil {
			return err
		}
		err = load.write(ctx, func(tx *gorm.DB) error {
			for _, split := range dataset.Splits() {
				b := newBulk(ctx, tx.Statement.ConnPool, s.raw.dialect, staged(tableOf(splitSet, split)), columns)
				if err := insertSplit(b, rows, done, split, total); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		done += len(rows)
		progress(done)
	}
	return nil
}

// insertSplit writes those of the rows, which begin at the shuffled position first, that fall into the split.
func insertSplit(b *bulk, rows []rawRow, first int, split dataset.SplitName, total int) error {
	defer b.close()
	from, to := dataset.Range(split, total)
	for position := max(from, first); position < min(to, first+len(rows)); position++ {
		r := &rows[position-first]
		args := appendListing(append(b.next(), position, r.id), &r.listing)
		killpoint.At(killpoint.LoadSplits)
		if err := b.added(append(args, r.fetchedAt)); err != nil {
			return err
		}
	}
	return b.flush()
}
