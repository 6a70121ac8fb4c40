// Package backup copies the data folder to another folder or to S3 while the roles run, and makes a data folder of such a copy again.
//
// # What a backup is
//
// Databases are taken first, each as it was at one moment, and all within milliseconds, in the order that makes the set usable: the pipeline's before all else, so
// that whatever its tasks did elsewhere is there or is done again, which tasks bear; then the files of the folder, with the payloads and the journal, before the
// databases into which they are carried, so that what leaves the one is in the other (or in both, and is known again by its name); then the other databases.
// Artifacts come last: tracking names no file before it has it.
//
// # Layout of a target
//
//	backups/<id>/manifest.json    says what the rest is; written last, so that a backup without it is none
//	backups/<id>/files.ndjson     one line for each file: its path in the data folder, size, SHA-256, time
//	backups/<id>/databases/…      the databases
//	objects/<ab>/<sha256>         all other files by their content, shared by the backups that have it
package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"tasador/pkg/apperror"
)

// format is the version of the layout.
const format = 1

// idLayout makes the id of a backup from the time at which it began, in UTC. Ids sort by time.
const idLayout = "20060102T150405.000Z"

const (
	backupsFolder = "backups"
	objectsFolder = "objects"
	manifestName  = "manifest.json"
	listName      = "files.ndjson"
)

// Manifest says what a backup is.
type Manifest struct {
	Format       int              `json:"format"`
	ID           string           `json:"id"`
	Begun        time.Time        `json:"begun"` // what was stored before is in the backup
	Ended        time.Time        `json:"ended"`
	Installation string           `json:"installation"` // of the data folder, and those that are restored from it
	Tasador      string           `json:"tasador"`      // version of the program
	Schemas      map[string]int64 `json:"schemas"`      // store → version of its schema
	Elsewhere    []string         `json:"elsewhere"`    // what the settings place on servers, and is not in the backup
	Files        int64            `json:"files"`
	Bytes        int64            `json:"bytes"`       // of the files
	Copied       int64            `json:"copied"`      // of them, the bytes that no earlier backup had
	ListSHA256   string           `json:"list_sha256"` // of files.ndjson
}

// File is a line of the list.
type File struct {
	Path     string `json:"path"` // below the data folder, with slashes
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Modified int64  `json:"modified,omitempty"` // nanoseconds since 1970
	At       string `json:"at,omitempty"`       // where its content is in the target, if not among the objects
}

// at is where the content of a file is in the target.
func (f File) at() string {
	if f.At != "" {
		return f.At
	}
	return path.Join(objectsFolder, f.SHA256[:2], f.SHA256)
}

// usable reports whether a line of a list names what can be in a target.
func (f File) usable() bool {
	sum, err := hex.DecodeString(f.SHA256)
	return err == nil && len(sum) == sha256.Size && f.Path != "" && f.Size >= 0
}

// sealed is the content of the file of a manifest.
type sealed struct {
	Manifest json.RawMessage `json:"manifest"`
	SHA256   string          `json:"sha256"` // of the bytes of the manifest
}

func seal(m *Manifest) ([]byte, error) {
	content, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return json.Marshal(sealed{content, sumOf(content)})
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// longestManifest bounds what is read for a manifest, in bytes.
const longestManifest = 1 << 20

func (t *Target) manifest(ctx context.Context, id string) (*Manifest, error) {
	content, err := t.read(ctx, path.Join(backupsFolder, id, manifestName), longestManifest)
	if err != nil {
		return nil, err
	}
	damaged := apperror.New(apperror.FailedPrecondition, "the manifest of the backup %s in %s is damaged; take another backup with --at", id, t.name)
	var s sealed
	if json.Unmarshal(content, &s) != nil || s.SHA256 != sumOf(s.Manifest) {
		return nil, damaged
	}
	m := &Manifest{}
	if json.Unmarshal(s.Manifest, m) != nil || m.ID != id {
		return nil, damaged
	}
	if m.Format > format {
		return nil, apperror.New(apperror.FailedPrecondition, "the backup %s in %s was made by a newer tasador (%s), whose form this one does not know; use that one", id, t.name, m.Tasador)
	}
	return m, nil
}

// Entry is a backup of a target, or why it cannot be used.
type Entry struct {
	ID       string
	Manifest *Manifest // nil if it is damaged or not finished
	Err      error
}

// List returns the backups of a target that were finished, the oldest first. Codes: those of the target.
func (t *Target) List(ctx context.Context) ([]Entry, error) {
	finished, _, err := t.ids(ctx)
	entries := make([]Entry, 0, len(finished))
	for _, id := range finished {
		m, err := t.manifest(ctx, id)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		entries = append(entries, Entry{id, m, err})
	}
	return entries, err
}

// ids returns those of the backups that have a manifest and of those that have none, each the oldest first.
func (t *Target) ids(ctx context.Context) (finished, unfinished []string, err error) {
	folders, err := t.store.List(ctx, backupsFolder)
	if err != nil {
		return nil, nil, err
	}
	for _, folder := range folders {
		id := path.Base(folder.Path)
		if _, err := time.Parse(idLayout, id); err != nil || !folder.IsDir {
			continue // somebody else's
		}
		files, err := t.store.List(ctx, folder.Path)
		if err != nil {
			return nil, nil, err
		}
		whole := slices.ContainsFunc(files, func(f fileInfo) bool { return path.Base(f.Path) == manifestName })
		if whole {
			finished = append(finished, id)
		} else {
			unfinished = append(unfinished, id)
		}
	}
	return finished, unfinished, nil
}

// Choose returns the newest backup that began at a time or before, or the newest of all if the time is zero. Codes: NotFound, FailedPrecondition if it is
// damaged, those of the target.
func (t *Target) Choose(ctx context.Context, at time.Time) (*Manifest, error) {
	finished, unfinished, err := t.ids(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Backward(finished) {
		if begun, _ := time.Parse(idLayout, id); at.IsZero() || !begun.After(at) { // it was parsed before
			return t.manifest(ctx, id)
		}
	}
	switch {
	case len(finished) > 0:
		return nil, apperror.New(apperror.NotFound, "there is no backup of %s or before in %s; the oldest is %s", at.UTC().Format(time.RFC3339), t.name, finished[0])
	case len(unfinished) > 0:
		return nil, apperror.New(apperror.NotFound, "the backups in %s were never finished, so none can be used", t.name)
	}
	return nil, apperror.New(apperror.NotFound, "there is no backup in %s; check --from", t.name)
}

// ParseTime reads a time as --at has it: the id of a backup, or a time with its zone. Codes: Invalid.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range []string{idLayout, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, apperror.New(apperror.Invalid, "--at=%s is not understood; write a time as 2026-01-31T12:00:00Z, or the id of a backup", text)
}

// each reads the list of a backup and calls fn with each file. The list is checked as a whole before the first call. Codes: FailedPrecondition if it is damaged,
// those of the target and of fn.
func (t *Target) each(ctx context.Context, m *Manifest, fn func(File) error) error {
	list, err := t.spool(ctx, path.Join(backupsFolder, m.ID, listName), m.ListSHA256)
	if err != nil {
		return err
	}
	defer list.drop()
	dec := json.NewDecoder(list.reader())
	for {
		var f File
		err := dec.Decode(&f)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || !f.usable() {
			return t.damaged(m.ID, listName)
		}
		if err := fn(f); err != nil {
			return err
		}
	}
}

func (t *Target) damaged(id, file string) error {
	return apperror.New(apperror.FailedPrecondition, "the backup %s in %s is damaged: %s is not as it was written; take another backup with --at", id, t.name, file)
}

func (t *Target) missing(id, file string) error {
	return apperror.New(apperror.FailedPrecondition, "the backup %s in %s is damaged: %s is missing; take another backup with --at", id, t.name, file)
}

// encodeLine is a line of the list.
func encodeLine(f File) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(f)
	return b.Bytes(), err
}
