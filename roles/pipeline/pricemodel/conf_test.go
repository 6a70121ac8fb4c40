package pricemodel_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/roles/pipeline/pricemodel"
)

func TestConfIsChecked(t *testing.T) {
	for _, good := range []string{
		"", "null", "{}", `{"as_of": "2026-01-31"}`, `{"as_of": "2026-01-31T12:00:00.5+02:00", "gate": {}}`,
		`{"gate": {"nullable": [], "max_invalid_ratio": 1, "min_new_records": 0}}`, `{"gate": {"nullable": ["bed", "prev_sold_date"]}}`,
	} {
		require.NoError(t, pricemodel.ValidateConf(json.RawMessage(good)), good)
	}
	for bad, want := range map[string]string{
		`[1]`:                      "conf is not a JSON object; its keys are as_of, gate",
		`{"as-of": "2026-01-31"}`:  `conf has the unknown key "as-of"; its keys are as_of, gate`,
		`{"AS_OF": "2026-01-31"}`:  `conf has the unknown key "AS_OF"; its keys are as_of, gate`,
		`{"as_of": "soon"}`:        `conf as_of "soon" is not a date or an instant; write it as 2026-01-31 or 2026-01-31T12:00:00+00:00`,
		`{"as_of": 5}`:             `conf as_of 5 is not a date or an instant; write it as 2026-01-31 or 2026-01-31T12:00:00+00:00`,
		`{"gate": 3}`:              "conf gate is not a JSON object; its keys are nullable, max_invalid_ratio, min_new_records",
		`{"gate": {"nulable": 1}}`: `conf gate has the unknown key "nulable"; its keys are nullable, max_invalid_ratio, min_new_records`,
		`{"gate": {"nullable": ["city"]}}`: `conf gate.nullable is ["city"]; it must be a list of the columns ` +
			"status, bed, bath, acre_lot, house_size, prev_sold_date, price",
		`{"gate": {"nullable": "bed"}}`:         `conf gate.nullable is "bed"; it must be a list of the columns status, bed, bath, acre_lot, house_size, prev_sold_date, price`,
		`{"gate": {"max_invalid_ratio": 1.01}}`: "conf gate.max_invalid_ratio is 1.01; it must be a number from 0 to 1",
		`{"gate": {"min_new_records": -1}}`:     "conf gate.min_new_records is -1; it must be a whole number that is not negative",
		`{"gate": {"min_new_records": 1.5}}`:    "conf gate.min_new_records is 1.5; it must be a whole number that is not negative",
	} {
		err := pricemodel.ValidateConf(json.RawMessage(bad))
		require.EqualError(t, err, want)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	}
}
