package trackingstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
)

// CreateVersion stores the next version in stage None. It takes over the run of the logged model that it comes from.
func (s *Store) CreateVersion(ctx context.Context, v registry.NewVersion) (*registry.Version, error) {
	if err := registry.CheckName(v.Name); err != nil {
		return nil, err
	}
	source, err := s.parseSource(v)
	if err != nil {
		return nil, err
	}
	if err := checkRegistryTags(v.Tags); err != nil {
		return nil, err
	}
	row, err := s.createVersion(ctx, v, source)
	if err != nil {
		return nil, err
	}
	return s.loadVersion(ctx, row)
}

// promptSource is what MLflow's client names as the source of a prompt, whose text is in a tag.
const promptSource = "dummy-source"

// namesNothing reports whether a source is what clients write for prompts, which have no files: MLflow's client, its server, and clients in Go,
// which name a folder after the prompt.
func namesNothing(v registry.NewVersion) bool {
	return v.Source == promptSource || v.Source == "prompt-template" || v.Source == "mlflow-artifacts:/"+v.Name
}

// parseSource checks the source. That of a prompt names nothing, and nothing is ever read there; any other is checked whatever the tags say.
// Codes: Invalid.
func (s *Store) parseSource(v registry.NewVersion) (registry.Source, error) {
	if namesNothing(v) && slices.Contains(v.Tags, isPrompt()) {
		return registry.Source{URI: v.Source, Location: promptSource}, nil
	}
	return registry.ParseSourceBelow(s.root, v.Source)
}

func (s *Store) createVersion(ctx context.Context, v registry.NewVersion, source registry.Source) (versionRow, error) {
	var row versionRow
	err := s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		model, err := findModel(locked(tx), v.Name) // so that each gets a number of its own
		if err != nil {
			return err
		}
		row, err = resolveSource(tx, v, source)
		if err != nil {
			return err
		}
		var newest *int64
		if err := tx.Model(&versionRow{}).Where("model_id = ?", model.ID).Select("MAX(version)").Scan(&newest).Error; err != nil {
			return sqlstore.Translate(err, "versions of "+v.Name)
		}
		row.ModelID, row.Version, row.Stage, row.Description = model.ID, 1, string(registry.None), v.Description
		row.CreationTime, row.LastUpdateTime = now, now
		if newest != nil {
			row.Version = *newest + 1
		}
		if err := tx.Create(&row).Error; err != nil {
			return sqlstore.Translate(err, "version "+strconv.FormatInt(row.Version, 10)+" of "+v.Name)
		}
		if err := setVersionTags(tx, row, v.Tags); err != nil {
			return sqlstore.Translate(err, "version tags")
		}
		if err := tx.Model(&modelRow{}).Where("id = ?", model.ID).Update("last_update_time", now).Error; err != nil {
			return sqlstore.Translate(err, "registered model "+v.Name)
		}
		return noteVersion(tx, row, v.Name)
	})
	return row, err
}

// resolveSource finds where the files are and which run and logged model they come from. Files behind this server must be in the
// folder of the run or the logged model that the request names, so that nobody registers what belongs to others.
func resolveSource(tx *gorm.DB, v registry.NewVersion, source registry.Source) (versionRow, error) {
	row := versionRow{Source: v.Source, StorageLocation: source.Location, RunID: v.RunID, LoggedModelID: v.ModelID}
	if v.RunID != "" {
		if err := experiment.CheckRunID(v.RunID); err != nil {
			return row, err
		}
	}
	switch {
	case source.Scheme == "models" && source.ModelID == "":
		return fromVersion(tx, row, source)
	case source.ModelID != "" && v.ModelID != "" && v.ModelID != source.ModelID:
		return row, foreignSource(v.Source, "model_id")
	case source.ModelID != "":
		row.LoggedModelID = source.ModelID
	case source.Scheme == "runs" && source.RunID != v.RunID:
		return row, foreignSource(v.Source, "run_id")
	}
	if row.LoggedModelID != "" {
		return fromLoggedModel(tx, row, source)
	}
	if !isOurs(source) {
		return row, nil
	}
	run, err := findRun(tx, v.RunID)
	if err != nil || !source.Within(run.ArtifactURI) {
		return row, foreignFiles(source, "run_id")
	}
	return row, nil
}

// isOurs reports whether files are behind this server or on its disk.
func isOurs(source registry.Source) bool {
	return source.Scheme == "mlflow-artifacts" || source.Scheme == "file"
}

func foreignSource(source, parameter string) error {
	return apperror.New(apperror.Invalid, "Invalid model version source: '%s'. The %s request parameter must identify the resource that contains the source.",
		experiment.Shorten(source), parameter)
}

// foreignFiles is foreignSource for files that are behind this server or on its disk.
func foreignFiles(source registry.Source, parameter string) error {
	if source.Scheme == "file" {
		return registry.LocalSource(source.URI, parameter)
	}
	return foreignSource(source.URI, parameter)
}

func fromLoggedModel(tx *gorm.DB, row versionRow, source registry.Source) (versionRow, error) {
	m, err := findLoggedModel(tx, row.LoggedModelID)
	if apperror.CodeOf(err) == apperror.NotFound {
		return row, apperror.Wrap(apperror.Invalid, err, "Invalid model version source: '%s'. Logged model with ID '%s' not found.",
			experiment.Shorten(row.Source), experiment.Shorten(row.LoggedModelID))
	}
	if err != nil {
		return row, err
	}
	switch {
	case source.ModelID != "":
		row.StorageLocation = m.ArtifactURI
	case source.Scheme == "runs":
		return row, foreignSource(row.Source, "model_id")
	case isOurs(source) && !source.Within(m.ArtifactURI):
		return row, foreignFiles(source, "model_id")
	}
	if row.RunID == "" {
		row.RunID = m.SourceRunID
	}
	return row, nil
}

// fromVersion copies a version of another registered model: models:/name/version.
func fromVersion(tx *gorm.DB, row versionRow, source registry.Source) (versionRow, error) {
	if len(source.Parts) != 2 {
		return row, foreignSource(row.Source, "model_id")
	}
	from, err := versionByName(tx, source.Parts[0], source.Parts[1])
	if err != nil {
		return row, err
	}
	if (row.RunID != "" && row.RunID != from.RunID) || (row.LoggedModelID != "" && row.LoggedModelID != from.LoggedModelID) {
		return row, apperror.New(apperror.Invalid, "Invalid model version source: '%s'. The run_id and model_id request parameters must "+
			"match the referenced model version.", experiment.Shorten(row.Source))
	}
	row.StorageLocation, row.RunID, row.LoggedModelID = from.StorageLocation, from.RunID, from.LoggedModelID
	return row, nil
}

// noteVersion adds a version to the tag of its logged model that lists them.
func noteVersion(tx *gorm.DB, row versionRow, name string) error {
	if row.LoggedModelID == "" {
		return nil
	}
	type entry struct {
		Name    string `json:"name"`
		Version int64  `json:"version"`
	}
	var tag loggedModelTagRow
	err := tx.Where("model_id = ? AND key = ?", row.LoggedModelID, experiment.TagModelVersions).Limit(1).Find(&tag).Error
	if err != nil {
		return sqlstore.Translate(err, "tags of a logged model")
	}
	var list []entry
	if tag.Value != "" && json.Unmarshal([]byte(tag.Value), &list) != nil {
		return nil // a client wrote something of its own there: leave it
	}
	texts := make([]string, 0, len(list)+1)
	for _, e := range append(list, entry{name, row.Version}) {
		quoted, err := json.Marshal(e.Name)
		if err != nil {
			return nil //nolint:nilerr // a note for people, not worth failing for
		}
		texts = append(texts, fmt.Sprintf(`{"name": %s, "version": %d}`, quoted, e.Version)) // with the spaces that Python writes
	}
	text := "[" + strings.Join(texts, ", ") + "]"
	if len(text) > experiment.MaxRunTagValue {
		return nil
	}
	return setLoggedModelTags(tx, row.LoggedModelID, []experiment.Tag{{Key: experiment.TagModelVersions, Value: text}})
}
