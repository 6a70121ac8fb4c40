package predictionstore

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"tasador/pkg/journal"
	"tasador/pkg/sqlstore"
)

// statementRows is how many rows one statement takes; 24 values each stay below every dialect's limit of parameters.
const statementRows = 200

// predictionColumns and feedbackColumns are those that are filled, in the order of values.
const (
	predictionColumns = "request_id, item, predicted_at, model_name, model_version, model_run_id, as_of, prediction, " +
		"brokered_by, status, price, bed, bath, acre_lot, street, city, state, zip_code, house_size, prev_sold_date, journal, sequence"
	feedbackColumns = "request_id, item, sale_price, sold_at, received_at, journal, sequence"
)

// Store records what entries of a journal hold, in one transaction. What it has of them already stays as it is. refused are the indexes of entries that this
// version does not know. Codes: Unavailable.
func (s *Store) Store(ctx context.Context, entries []journal.Entry) (refused []int, err error) {
	predictions, feedback := inserts(s.db, "predictions", predictionColumns), inserts(s.db, "prediction_feedback", feedbackColumns)
	for i, e := range entries {
		records, told, err := decode(e.Payload)
		if err != nil {
			refused = append(refused, i)
			continue
		}
		for _, r := range records {
			predictions.values = append(predictions.values, rowOf(r).values(e)...)
		}
		if told != nil {
			feedback.values = append(feedback.values, sqlstore.Clean(told.RequestID), told.Item, told.SalePrice, text(told.SoldAt), told.ReceivedAt.UTC().Format(timeForm),
				e.Segment, e.Sequence)
		}
	}
	if err := sqlstore.InPlace(s.db); err != nil {
		return nil, err
	}
	err = s.db.WithContext(ctx).Connection(func(conn *gorm.DB) error {
		if sqlstore.EngineOf(conn) == sqlstore.SQLite {
			// The journal forgets what is committed here, so a commit must be on the disk; else the file is flushed now and then.
			if err := conn.Exec("PRAGMA synchronous = FULL").Error; err != nil {
				return err
			}
		}
		return sqlstore.InTx(ctx, conn, func(tx *gorm.DB) error {
			if err := predictions.run(tx); err != nil {
				return err
			}
			return feedback.run(tx)
		})
	})
	return refused, sqlstore.Explain(s.db, err)
}

// values are those of predictionColumns.
func (r row) values(e journal.Entry) []any {
	return []any{
		r.RequestID, r.Item, r.PredictedAt, r.ModelName, r.ModelVersion, r.ModelRunID, r.AsOf, r.Prediction,
		r.BrokeredBy, r.Status, r.Price, r.Bed, r.Bath, r.AcreLot, r.Street, r.City, r.State, r.ZipCode, r.HouseSize, r.PrevSoldDate, e.Segment, e.Sequence,
	}
}

// insert is rows for a table.
type insert struct {
	head, row, tail string
	columns         int
	values          []any
}

func inserts(db *gorm.DB, table, columns string) insert {
	n := strings.Count(columns, ",") + 1
	i := insert{head: fmt.Sprintf("INSERT INTO %s (%s) VALUES ", table, columns), row: "(?" + strings.Repeat(",?", n-1) + ")", columns: n}
	// Not INSERT IGNORE, which would let broken values pass.
	if i.tail = " ON CONFLICT DO NOTHING"; sqlstore.EngineOf(db) == sqlstore.MySQL {
		i.tail = " ON DUPLICATE KEY UPDATE journal = journal"
	}
	return i
}

// run inserts the rows that are not there yet.
func (i insert) run(tx *gorm.DB) error {
	for values := i.values; len(values) > 0; {
		n := min(statementRows, len(values)/i.columns)
		statement := i.head + i.row + strings.Repeat(","+i.row, n-1) + i.tail
		if err := tx.Exec(statement, values[:n*i.columns]...).Error; err != nil {
			return err
		}
		values = values[n*i.columns:]
	}
	return nil
}
