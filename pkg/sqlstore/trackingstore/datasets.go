package trackingstore

import (
	"cmp"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/experiment"
	"tasador/pkg/experiment/filter"
	"tasador/pkg/sqlstore"
)

type datasetRow struct {
	ID           string `gorm:"primaryKey"`
	ExperimentID int64
	Name         string
	Digest       string
	SourceType   string
	Source       string
	Schema       string
	Profile      string
}

type runDatasetRow struct {
	RunID     string `gorm:"primaryKey"`
	DatasetID string `gorm:"primaryKey"`
}

type runDatasetTagRow struct {
	RunID     string `gorm:"primaryKey"`
	DatasetID string `gorm:"primaryKey"`
	Key       string `gorm:"primaryKey"`
	Value     string
}

func (datasetRow) TableName() string       { return "datasets" }
func (runDatasetRow) TableName() string    { return "run_datasets" }
func (runDatasetTagRow) TableName() string { return "run_dataset_tags" }

// addDatasets records that a run used datasets. An experiment keeps one row for each name and digest; a dataset that the run has
// already keeps its tags.
func addDatasets(tx *gorm.DB, run runRow, datasets []experiment.DatasetInput) error {
	nothing := clause.OnConflict{DoNothing: true}
	// In sorted order, so that two calls never wait for each other crosswise.
	for _, d := range slices.SortedFunc(slices.Values(datasets), compareDatasets) {
		row := datasetRow{
			ID: newID(), ExperimentID: run.ExperimentID, Name: d.Dataset.Name, Digest: d.Dataset.Digest, SourceType: d.Dataset.SourceType,
			Source: d.Dataset.Source, Schema: d.Dataset.Schema, Profile: d.Dataset.Profile,
		}
		if err := tx.Clauses(nothing).Create(&row).Error; err != nil {
			return sqlstore.Translate(err, "dataset "+row.Name)
		}
		var kept datasetRow // the one that was there before, if there was one
		err := tx.Where("experiment_id = ? AND name = ? AND digest = ?", row.ExperimentID, row.Name, row.Digest).Take(&kept).Error
		if err != nil {
			return sqlstore.Translate(err, "dataset "+row.Name)
		}
		used := tx.Clauses(nothing).Create(&runDatasetRow{RunID: run.ID, DatasetID: kept.ID})
		if used.Error != nil {
			return sqlstore.Translate(used.Error, "dataset "+row.Name)
		}
		if used.RowsAffected == 0 {
			continue
		}
		for _, t := range lastTags(d.Tags) {
			if err := tx.Create(&runDatasetTagRow{RunID: run.ID, DatasetID: kept.ID, Key: t.Key, Value: t.Value}).Error; err != nil {
				return sqlstore.Translate(err, "dataset "+row.Name)
			}
		}
	}
	return nil
}

func compareDatasets(a, b experiment.DatasetInput) int {
	return cmp.Or(strings.Compare(a.Dataset.Name, b.Dataset.Name), strings.Compare(a.Dataset.Digest, b.Dataset.Digest))
}

// datasetCondition is the SQL of a comparison with a dataset that a run used.
func (s *Store) datasetCondition(c filter.Comparison) (string, []any) {
	if c.Key == "context" {
		sql, args := s.compare("f.value", c)
		return "EXISTS (SELECT 1 FROM run_dataset_tags f WHERE f.run_id = runs.id AND f.key = ? AND " + sql + ")",
			append([]any{experiment.TagDataContext}, args...)
	}
	sql, args := s.compare(map[string]string{"name": "d.name", "digest": "d.digest"}[c.Key], c)
	return "EXISTS (SELECT 1 FROM run_datasets f JOIN datasets d ON d.id = f.dataset_id WHERE f.run_id = runs.id AND " + sql + ")", args
}
