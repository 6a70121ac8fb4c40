package predictionstore

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// feedbackRow is a line of prediction_feedback.
type feedbackRow struct {
	ID         int64
	RequestID  string
	Item       int
	SalePrice  float64
	SoldAt     *string
	ReceivedAt string
}

// TableName names the table for gorm.
func (feedbackRow) TableName() string { return "prediction_feedback" }

// Sale is the price that a house was sold for, as it was told of a prediction.
type Sale struct {
	Price  float64       // dollars
	SoldAt property.Text // as it was told
	ToldAt time.Time
}

// place names an item of a request.
type place struct {
	id   string
	item int
}

// withSales gives records the sales that were told of them. A sale belongs to the newest prediction of its request and item that is not younger than it, and the
// last told of a prediction counts.
func (s *Store) withSales(ctx context.Context, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	var ids []string
	byPlace := map[place][]*Record{}
	for i := range records {
		at := place{records[i].RequestID, records[i].Item}
		if byPlace[at] == nil {
			ids = append(ids, at.id)
		}
		byPlace[at] = append(byPlace[at], &records[i])
	}
	var rows []feedbackRow
	db := s.db.WithContext(ctx)
	if err := db.Where("request_id IN ?", ids).Order("received_at, id").Find(&rows).Error; err != nil {
		return sqlstore.Translate(err, "feedback")
	}
	for _, r := range rows {
		told, err := time.Parse(timeForm, r.ReceivedAt)
		if err != nil {
			return fmt.Errorf("feedback %d: %w", r.ID, err)
		}
		sale := &Sale{Price: r.SalePrice, ToldAt: told}
		if r.SoldAt != nil {
			sale.SoldAt = property.NewText(*r.SoldAt)
		}
		meant, err := s.meant(db, byPlace[place{r.RequestID, r.Item}], r)
		if err != nil {
			return err
		}
		if meant != nil {
			meant.Sale = sale
		}
	}
	return nil
}

// meant returns the record that a sale belongs to, nil if it is none of these. Of a request id that was used once, which is nearly always so, it is the one; of
// others the table is asked.
func (s *Store) meant(db *gorm.DB, candidates []*Record, r feedbackRow) (*Record, error) {
	if len(candidates) == 0 {
		return nil, nil //nolint:nilnil // it is told of a prediction that is not looked at
	}
	var newest []int64
	err := db.Model(&row{}).Where("request_id = ? AND item = ? AND predicted_at <= ?", r.RequestID, r.Item, r.ReceivedAt).
		Order("predicted_at DESC, id DESC").Limit(1).Pluck("id", &newest).Error
	if err != nil {
		return nil, sqlstore.Translate(err, "predictions")
	}
	for _, c := range candidates {
		if len(newest) == 1 && c.ID == newest[0] {
			return c, nil
		}
	}
	return nil, nil //nolint:nilnil // as above
}

// Newest returns the newest prediction of an item of a request, with its sale; nil if none is recorded.
func (s *Store) Newest(ctx context.Context, requestID string, item int) (*Record, error) {
	if !sqlstore.Storable(requestID) {
		return nil, nil //nolint:nilnil // nothing is recorded under such an id
	}
	var rows []row
	err := s.db.WithContext(ctx).Where("request_id = ? AND item = ?", requestID, item).Order("predicted_at DESC, id DESC").Limit(1).Find(&rows).Error
	if err != nil {
		return nil, sqlstore.Translate(err, "predictions")
	}
	if len(rows) == 0 || rows[0].RequestID != requestID { // MySQL takes no notice of blanks at the end
		return nil, nil //nolint:nilnil // as said
	}
	records, err := s.recordsOf(ctx, rows)
	if err != nil {
		return nil, err
	}
	return &records[0], nil
}
