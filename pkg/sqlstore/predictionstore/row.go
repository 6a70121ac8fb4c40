package predictionstore

import (
	"database/sql"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// timeForm is how times are stored: UTC, to the microsecond, in the order of text.
const timeForm = "2006-01-02T15:04:05.000000Z"

// row is a line of the table.
type row struct {
	ID           int64 `gorm:"primaryKey;autoIncrement"`
	RequestID    string
	PredictedAt  string
	ModelName    string
	ModelVersion string
	ModelRunID   string
	AsOf         string
	Prediction   float64
	BrokeredBy   sql.NullFloat64
	Status       sql.NullString
	Price        sql.NullFloat64
	Bed          sql.NullFloat64
	Bath         sql.NullFloat64
	AcreLot      sql.NullFloat64
	Street       sql.NullString
	City         sql.NullString
	State        sql.NullString
	ZipCode      sql.NullString
	HouseSize    sql.NullFloat64
	PrevSoldDate sql.NullString
	Item         int
}

// TableName names the table for gorm.
func (row) TableName() string { return "predictions" }

// columnsOf are the columns of the table.
func columnsOf(db *gorm.DB) ([]string, error) {
	statement := &gorm.Statement{DB: db}
	if err := statement.Parse(&row{}); err != nil {
		return nil, fmt.Errorf("columns of predictions: %w", err)
	}
	return statement.Schema.DBNames, nil
}

// firstColumns are those that the table had from its first version on.
func firstColumns(columns []string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return name == "item" })
}

func rowOf(r Record) row {
	l := r.Listing
	return row{
		RequestID:    sqlstore.Clean(r.RequestID),
		PredictedAt:  r.PredictedAt.UTC().Format(timeForm),
		ModelName:    r.ModelName,
		ModelVersion: r.ModelVersion,
		ModelRunID:   r.ModelRunID,
		AsOf:         r.AsOf.UTC().Format(timeForm),
		Prediction:   r.Prediction,
		BrokeredBy:   number(l.BrokeredBy),
		Status:       text(l.Status),
		Price:        number(l.Price),
		Bed:          number(l.Bed),
		Bath:         number(l.Bath),
		AcreLot:      number(l.AcreLot),
		Street:       text(r.Street),
		City:         text(l.City),
		State:        text(l.State),
		ZipCode:      text(l.ZipCode),
		HouseSize:    number(l.HouseSize),
		PrevSoldDate: text(l.PrevSoldDate),
		Item:         r.Item,
	}
}

func (r row) record() (Record, error) {
	predictedAt, err := time.Parse(timeForm, r.PredictedAt)
	if err != nil {
		return Record{}, fmt.Errorf("prediction %d: %w", r.ID, err)
	}
	asOf, err := time.Parse(timeForm, r.AsOf)
	if err != nil {
		return Record{}, fmt.Errorf("prediction %d: %w", r.ID, err)
	}
	return Record{
		RequestID: r.RequestID, PredictedAt: predictedAt, ModelName: r.ModelName, ModelVersion: r.ModelVersion,
		ModelRunID: r.ModelRunID, AsOf: asOf, Prediction: r.Prediction,
		Listing: property.Listing{
			BrokeredBy: value(r.BrokeredBy), Status: property.Text{Value: r.Status.String, Valid: r.Status.Valid}, Price: value(r.Price),
			Bed: value(r.Bed), Bath: value(r.Bath), AcreLot: value(r.AcreLot), Street: property.Null(),
			City:         property.Text{Value: r.City.String, Valid: r.City.Valid},
			State:        property.Text{Value: r.State.String, Valid: r.State.Valid},
			ZipCode:      property.Text{Value: r.ZipCode.String, Valid: r.ZipCode.Valid},
			HouseSize:    value(r.HouseSize),
			PrevSoldDate: property.Text{Value: r.PrevSoldDate.String, Valid: r.PrevSoldDate.Valid},
		},
		Street: property.Text{Value: r.Street.String, Valid: r.Street.Valid},
		Item:   r.Item, ID: r.ID,
	}, nil
}

func number(v float64) sql.NullFloat64 {
	return sql.NullFloat64{Float64: v, Valid: !property.IsNull(v)}
}

func value(v sql.NullFloat64) float64 {
	if !v.Valid {
		return property.Null()
	}
	return v.Float64
}

// text keeps what was asked also where it holds what no database takes; serving refuses such texts.
func text(t property.Text) sql.NullString {
	return sql.NullString{String: sqlstore.Clean(t.Value), Valid: t.Valid}
}
