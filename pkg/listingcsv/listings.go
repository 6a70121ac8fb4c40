package listingcsv

import (
	"context"

	"tasador/pkg/property"
)

// Listings is a Batch of whole listings.
type Listings struct{ rows []property.Listing }

// Add keeps a copy of r.
func (l *Listings) Add(r *Record) { l.rows = append(l.rows, r.Listing()) }

// Reset empties the batch.
func (l *Listings) Reset() { l.rows = l.rows[:0] }

// EachListing reads all records as listings and calls fn with one after the other, in the order of the file. Errors are those of Each.
func EachListing(ctx context.Context, rd *Reader, fn func(property.Listing) error) error {
	return Each(ctx, rd, func() *Listings { return &Listings{} }, func(batch *Listings) error {
		for i := range batch.rows {
			if err := fn(batch.rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
