package trackingstore

import (
	"context"
	"encoding/json"
	"errors"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// maxModelHistory bounds the tag that lists the models of a run, in characters.
const maxModelHistory = 100_000

// RecordModel adds a description of a model, a JSON object, to the list in the tag mlflow.log-model.history of an active run, as clients of
// MLflow 2 want it. Codes: Invalid, NotFound.
func (s *Store) RecordModel(ctx context.Context, runID string, model json.RawMessage) error {
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		if _, err := activeRun(locked(tx), runID); err != nil { // whoever records at the same time waits: nothing is lost
			return err
		}
		var tag runTagRow
		err := tx.Where("run_id = ? AND key = ?", runID, experiment.TagModelHistory).Take(&tag).Error
		if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return sqlstore.Translate(err, "run tags")
		}
		var list []json.RawMessage
		if tag.Value != "" && json.Unmarshal([]byte(tag.Value), &list) != nil {
			return apperror.New(apperror.Invalid, "The tag %s of run %s is not a JSON list; delete it, then log the model again.",
				experiment.TagModelHistory, runID)
		}
		value, err := json.Marshal(append(list, model))
		if err != nil {
			return err
		}
		if err := experiment.CheckLength("model_json", string(value), maxModelHistory); err != nil {
			return err
		}
		return setRunTags(tx, runID, []experiment.Tag{{Key: experiment.TagModelHistory, Value: string(value)}})
	})
}
