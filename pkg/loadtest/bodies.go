package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"tasador/pkg/apperror"
	"tasador/pkg/listingcsv"
	"tasador/pkg/listinggen"
	"tasador/pkg/property"
)

// generatedBodies is how many different requests are generated, and mostListings how many listings of a file are kept: enough that no
// cache helps, and little memory.
const (
	generatedBodies = 1000
	mostListings    = 100_000
)

// required are the fields that POST /predict insists on.
func required() []string {
	return []string{property.Status, property.Bed, property.Bath, property.AcreLot, property.HouseSize}
}

// Generated returns the bodies of generated listings, so many in each: an object for one, a list for more.
func Generated(seed uint64, perBody int) ([][]byte, error) {
	g := listinggen.New(listinggen.Options{Seed: seed, Complete: true})
	listings := make([]property.Listing, generatedBodies*perBody)
	for i := range listings {
		listings[i] = g.Next()
	}
	return bodies(listings, perBody)
}

var errEnough = errors.New("enough listings")

// FromCSV returns the bodies of the first 100,000 listings of a file, so many in each; if those of the last body do not suffice, it begins
// again at the first. Listings without a field that a prediction needs are left out and counted. Codes: Invalid.
func FromCSV(ctx context.Context, r io.Reader, perBody int) (all [][]byte, leftOut int, err error) {
	reader, err := listingcsv.NewReader(r, listingcsv.Options{})
	if err != nil {
		return nil, 0, err
	}
	var listings []property.Listing
	err = listingcsv.EachListing(ctx, reader, func(l property.Listing) error {
		if !complete(&l) {
			leftOut++
			return nil
		}
		listings = append(listings, l)
		if len(listings) == mostListings {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, 0, err
	}
	if len(listings) == 0 {
		return nil, 0, apperror.New(apperror.Invalid, "no listing of the file has all fields that a prediction needs: status, bed, bath, acre_lot and house_size")
	}
	for whole := len(listings); len(listings)%perBody != 0; {
		listings = append(listings, listings[len(listings)%whole])
	}
	all, err = bodies(listings, perBody)
	return all, leftOut, err
}

// complete reports whether a listing has every field that a prediction needs.
func complete(l *property.Listing) bool {
	values := fieldsOf(l)
	for _, name := range required() {
		if _, there := values[name]; !there {
			return false
		}
	}
	return true
}

// fieldsOf returns what a listing has, by name.
func fieldsOf(l *property.Listing) map[string]any {
	values := map[string]any{}
	for _, f := range property.Fields() {
		if f.Text != nil {
			if text := *f.Text(l); text.Valid {
				values[f.Name] = text.Value
			}
		} else if v := *f.Number(l); !property.IsNull(v) {
			values[f.Name] = v
		}
	}
	return values
}

func bodies(listings []property.Listing, perBody int) ([][]byte, error) {
	var all [][]byte
	for from := 0; from < len(listings); from += perBody {
		var rows []map[string]any
		for i := range perBody {
			rows = append(rows, fieldsOf(&listings[from+i]))
		}
		var content any = rows
		if perBody == 1 {
			content = rows[0]
		}
		body, err := json.Marshal(content)
		if err != nil { // an infinite number
			return nil, apperror.Wrap(apperror.Invalid, err, "a listing cannot be written as JSON")
		}
		all = append(all, body)
	}
	return all, nil
}
