package dagrunstore

import (
	"context"
	"encoding/json"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
)

// MaxLogLines bounds the lines kept of one try.
const MaxLogLines = 10_000

// maxLogText bounds a message and its attributes, in bytes.
const maxLogText = 64 << 10

// LogLine is one line of the log of a try.
type LogLine struct {
	Key        int64 // grows
	At         time.Time
	Level      string
	Message    string
	Attributes json.RawMessage // a JSON object
}

// AppendLog stores a line; it is there after a kill.
func (s *Store) AppendLog(ctx context.Context, instance int64, try int, line LogLine) error {
	if len(line.Message) > maxLogText {
		line.Message = line.Message[:maxLogText] + "…"
	}
	line.Message = sqlstore.Clean(line.Message) // also of a character that was cut
	if len(line.Attributes) == 0 || len(line.Attributes) > maxLogText {
		line.Attributes = json.RawMessage("{}")
	}
	row := logRow{InstanceKey: instance, Try: try, LoggedAt: micros(line.At), Level: line.Level, Message: line.Message, Attributes: sqlstore.Clean(string(line.Attributes))}
	return sqlstore.Translate(s.db.WithContext(ctx).Create(&row).Error, "a log line")
}

// Log returns lines of a try in order, from after the key given, at most limit.
func (s *Store) Log(ctx context.Context, instance int64, try int, after int64, limit int) ([]LogLine, error) {
	var rows []logRow
	err := s.db.WithContext(ctx).Where("instance_key = ? AND try = ? AND line_key > ?", instance, try, after).Order("line_key").Limit(limit).Find(&rows).Error
	lines := make([]LogLine, len(rows))
	for i, r := range rows {
		lines[i] = LogLine{Key: r.LineKey, At: moment(r.LoggedAt), Level: r.Level, Message: r.Message, Attributes: json.RawMessage(r.Attributes)}
	}
	return lines, sqlstore.Translate(err, "the log of a try")
}

// XCom is a value that a task passed on.
type XCom struct {
	Key      string
	Value    json.RawMessage
	PushedAt time.Time
}

// PushXCom stores a value of the claim's task. Codes: FailedPrecondition if the claim has been lost, Invalid for a key or value with
// characters that no database takes.
func (s *Store) PushXCom(ctx context.Context, c Claim, key string, value json.RawMessage, now time.Time) error {
	if !sqlstore.Storable(key, string(value)) {
		return apperror.New(apperror.Invalid, "the XCom %q of the task %s holds a NUL character or is not UTF-8; write such bytes as base64", key, c.TaskID)
	}
	err := sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		// Touching the row holds the claim until the value is in.
		res := held(tx, c).Update("fence", c.Fence)
		if res.Error == nil && res.RowsAffected == 0 {
			return apperror.New(apperror.FailedPrecondition, "task %s has lost its lease, so its value %s is not stored", c.TaskID, key)
		}
		if res.Error != nil {
			return res.Error
		}
		return tx.Save(&xcomRow{InstanceKey: c.Instance, XComKey: key, Value: string(value), PushedAt: micros(now)}).Error
	})
	return sqlstore.Translate(err, "the XCom "+key)
}

// XComOf returns a value of a task of the run with the given key. Codes: NotFound.
func (s *Store) XComOf(ctx context.Context, runKey int64, taskID, key string) (XCom, error) {
	if !sqlstore.Storable(taskID, key) {
		return XCom{}, apperror.New(apperror.NotFound, "the XCom %q of the task %q does not exist", key, taskID)
	}
	var row xcomRow
	err := s.db.WithContext(ctx).Joins("JOIN task_instance ON task_instance.instance_key = xcom.instance_key").
		Where("task_instance.run_key = ? AND task_instance.task_id = ? AND xcom.xcom_key = ?", runKey, taskID, key).Take(&row).Error
	return row.toXCom(), sqlstore.Translate(err, "the XCom "+key+" of the task "+taskID)
}

// XComs returns all values of a task instance, by key.
func (s *Store) XComs(ctx context.Context, instance int64) ([]XCom, error) {
	var rows []xcomRow
	err := s.db.WithContext(ctx).Where("instance_key = ?", instance).Order("xcom_key").Find(&rows).Error
	out := make([]XCom, len(rows))
	for i, r := range rows {
		out[i] = r.toXCom()
	}
	return out, sqlstore.Translate(err, "XComs")
}

func (r xcomRow) toXCom() XCom {
	return XCom{Key: r.XComKey, Value: json.RawMessage(r.Value), PushedAt: moment(r.PushedAt)}
}
