package sqlstore

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"tasador/migrations"
	"tasador/pkg/apperror"
)

// Schema is that of one store in one database, for who steps it by hand.
type Schema struct {
	db    *gorm.DB
	store string
}

// OpenSchema opens the database that url names. Codes: as Open.
func OpenSchema(ctx context.Context, url, store string, log *slog.Logger) (*Schema, error) {
	db, err := Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	return &Schema{db, store}, nil
}

// RefuseForeign refuses a table with the name of one of ours that has not its columns: somebody else has made it, and the migrations would not make ours.
// The columns are those that the table had from its first version on. Codes: FailedPrecondition.
func RefuseForeign(ctx context.Context, db *gorm.DB, table string, columns ...string) error {
	m := db.WithContext(ctx).Migrator()
	if !m.HasTable(table) {
		return nil
	}
	types, err := m.ColumnTypes(table)
	if err != nil {
		return Explain(db, err)
	}
	has := map[string]bool{}
	for _, t := range types {
		has[t.Name()] = true
	}
	for _, column := range columns {
		if !has[column] {
			return apperror.New(apperror.FailedPrecondition, "there is a table %s that tasador did not make: it has no column %s; rename or drop it, or use another database",
				table, column)
		}
	}
	return nil
}

// Versions is SchemaVersions.
func (s *Schema) Versions(ctx context.Context) (Versions, error) {
	return SchemaVersions(ctx, s.db, s.store)
}

// Up is MigrateUp.
func (s *Schema) Up(ctx context.Context, version int64) error {
	return MigrateUp(ctx, s.db, s.store, version)
}

// Down is MigrateDown.
func (s *Schema) Down(ctx context.Context, version int64) error {
	return MigrateDown(ctx, s.db, s.store, version)
}

// DownSteps is what Down would do.
func (s *Schema) DownSteps(ctx context.Context, version int64) ([]DownStep, error) {
	return DownSteps(ctx, s.db, s.store, version)
}

// Close closes the database.
func (s *Schema) Close() error { return Close(s.db) }

// DownStep is one statement that MigrateDown would run.
type DownStep struct {
	Version   int64 // that it takes away
	Statement string
	Rows      int64 // of the table that it drops; -1 if it drops none
}

var (
	downMark  = regexp.MustCompile(`(?m)^-- \+goose Down\s*$`)
	dropTable = regexp.MustCompile(`(?i)^DROP TABLE (?:IF EXISTS )?([a-z_]+)$`)
)

// DownSteps says what MigrateDown to a version would run, and how many rows it would lose. Codes: as Migrate.
func DownSteps(ctx context.Context, db *gorm.DB, store string, version int64) ([]DownStep, error) {
	v, err := SchemaVersions(ctx, db, store)
	if err != nil {
		return nil, err
	}
	files, err := migrations.Of(store, string(EngineOf(db)))
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", store, err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", store, err)
	}
	var steps []DownStep
	for _, name := range slices.Backward(names) {
		number, _, _ := strings.Cut(name, "_")
		at, err := strconv.ParseInt(number, 10, 64)
		if err != nil || at > v.Have || at <= version {
			continue
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("migrations of %s: %w", store, err)
		}
		parts := downMark.Split(string(text), 2)
		for statement := range strings.SplitSeq(withoutComments(parts[len(parts)-1]), ";") {
			if statement = strings.Join(strings.Fields(statement), " "); statement != "" {
				steps = append(steps, DownStep{Version: at, Statement: statement, Rows: -1})
			}
		}
	}
	return steps, countRows(ctx, db, steps)
}

func withoutComments(sql string) string {
	var kept []string
	for line := range strings.Lines(sql) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func countRows(ctx context.Context, db *gorm.DB, steps []DownStep) error {
	for i, step := range steps {
		table := dropTable.FindStringSubmatch(step.Statement)
		if table == nil || !db.WithContext(ctx).Migrator().HasTable(table[1]) {
			continue
		}
		if err := db.WithContext(ctx).Table(table[1]).Count(&steps[i].Rows).Error; err != nil {
			return apperror.Wrap(apperror.CodeOf(err), err, "cannot count the rows of the table %s", table[1])
		}
	}
	return nil
}
