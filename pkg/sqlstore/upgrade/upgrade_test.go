// Package upgrade_test brings databases that hold rows of every version of every schema up to the newest, and reads the rows through the stores.
package upgrade_test

import (
	"embed"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"tasador/migrations"
	"tasador/pkg/sqlstore"
	"tasador/pkg/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

//go:embed testdata/*.sql
var testdata embed.FS

// rows are what a version of a schema has room for, as it would hold them, and what must become of them.
type rows struct {
	file  string                           // of testdata
	check func(t *testing.T, db *database) // when the schema is the newest; nil if others tell
	until int64                            // last version that holds them in this form, 0 for the newest
}

// database is one whose schema was brought up to date.
type database struct {
	url  string
	from int64 // version that it had when its rows were written
}

// versions are the rows by the files of migrations, store/dialect/file.
func versions() map[string][]rows {
	first := rows{"tracking_first.sql", checkTracking, 0}
	latest := rows{"tracking_latest.sql", checkMetricSearch, 0}
	datasets := rows{"tracking_datasets.sql", checkDatasets, 0}
	moves := rows{"tracking_moves.sql", checkMoves, 0}
	verified := rows{"tracking_verified.sql", checkVerified, 0}
	garbage := rows{"tracking_garbage.sql", checkGarbage, 0}
	modelDatasets := rows{"tracking_model_datasets.sql", checkModelDatasets, 0}
	imports := rows{"tracking_imports.sql", checkImports, 0}
	dagRuns := rows{"dagrun_first.sql", checkDAGRuns, 0}
	backfills := rows{"dagrun_backfills.sql", checkBackfills, 0}
	users := rows{"dagrun_users.sql", checkTriggeringUser, 0}
	listings := rows{"dataset_rows.sql", checkListings, 0}
	batches := rows{"dataset_batches.sql", checkBatch, 0}
	fences := rows{"dataset_fences.sql", checkFence, 0}
	loads := rows{"dataset_loads.sql", nil, 0}
	made := rows{"dataset_made.sql", checkMade, 0}
	notes := rows{"dataset_notes.sql", checkNotes, 0}
	seen := func(dialect string) rows { return rows{"dataset_seen_" + dialect + ".sql", checkSeen, 0} }
	fileImports := rows{"dataset_imports.sql", checkFileImports, 0}
	columns := rows{"cleandata_columns.sql", nil, 0} // they count when it is known who made them
	cleanMade := rows{"cleandata_made.sql", checkPart, 0}
	cleanFences := rows{"cleandata_fences.sql", checkCleanFence, 0}
	cleanLoads := rows{"cleandata_loads.sql", nil, 0}
	predictions := rows{"prediction_first.sql", checkPredictions, 0}
	journal := rows{"prediction_journal.sql", checkJournal, 0}
	accounts := rows{"auth_first.sql", checkUsers, 0}
	return map[string][]rows{
		"auth/sqlite/00001_auth.sql":   {accounts},
		"auth/postgres/00001_auth.sql": {accounts},

		"tracking/sqlite/00001_tracking.sql":         {first, {"tracking_latest_first.sql", checkMetricSearch, 2}},
		"tracking/sqlite/00002_datasets.sql":         {datasets},
		"tracking/sqlite/00003_metric_search.sql":    {latest},
		"tracking/sqlite/00004_moves.sql":            {moves},
		"tracking/sqlite/00005_garbage.sql":          {garbage},
		"tracking/sqlite/00006_model_datasets.sql":   {modelDatasets},
		"tracking/sqlite/00007_imports.sql":          {imports},
		"tracking/sqlite/00008_verified.sql":         {verified},
		"tracking/postgres/00001_tracking.sql":       {first, latest, datasets},
		"tracking/postgres/00002_moves.sql":          {moves},
		"tracking/postgres/00003_garbage.sql":        {garbage},
		"tracking/postgres/00004_model_datasets.sql": {modelDatasets},
		"tracking/postgres/00005_imports.sql":        {imports},
		"tracking/postgres/00006_verified.sql":       {verified},

		"dagrun/sqlite/00001_dag_runs.sql":    {dagRuns},
		"dagrun/sqlite/00002_backfills.sql":   {backfills},
		"dagrun/sqlite/00003_users.sql":       {users},
		"dagrun/postgres/00001_dag_runs.sql":  {dagRuns},
		"dagrun/postgres/00002_backfills.sql": {backfills},
		"dagrun/postgres/00003_users.sql":     {users},

		"dataset/sqlite/00001_raw.sql":            {batches, fences, {"dataset_table_sets.sql", nil, 1}, listings},
		"dataset/sqlite/00002_made.sql":           {loads, made},
		"dataset/sqlite/00003_profile.sql":        {notes, seen("sqlite")},
		"dataset/sqlite/00004_imports.sql":        {fileImports},
		"dataset/postgres/00001_raw.sql":          {batches, fences, loads, made, listings},
		"dataset/postgres/00002_profile.sql":      {notes, seen("postgres")},
		"dataset/postgres/00003_imports.sql":      {fileImports},
		"dataset/mysql/00001_realtor_raw.sql":     {listings},
		"dataset/mysql/00002_raw_batches.sql":     {batches},
		"dataset/mysql/00003_task_fences.sql":     {fences},
		"dataset/mysql/00004_table_loads.sql":     {loads},
		"dataset/mysql/00005_split_made.sql":      {made},
		"dataset/mysql/00006_batch_notes.sql":     {notes},
		"dataset/mysql/00007_seen_rows.sql":       {seen("sqlite")},
		"dataset/mysql/00008_raw_imports.sql":     {fileImports},
		"cleandata/sqlite/00001_clean.sql":        {columns, cleanFences, {"cleandata_table_sets.sql", checkNobodysPart, 1}},
		"cleandata/sqlite/00002_made.sql":         {cleanLoads, cleanMade},
		"cleandata/postgres/00001_clean.sql":      {columns, cleanFences, cleanLoads, cleanMade},
		"cleandata/mysql/00001_clean_columns.sql": {columns},
		"cleandata/mysql/00002_clean_made.sql":    {cleanMade},
		"cleandata/mysql/00003_task_fences.sql":   {cleanFences},
		"cleandata/mysql/00004_table_loads.sql":   {cleanLoads},

		"prediction/sqlite/00001_predictions.sql":   {predictions},
		"prediction/sqlite/00002_journal.sql":       {journal},
		"prediction/postgres/00001_predictions.sql": {predictions},
		"prediction/postgres/00002_journal.sql":     {journal},
		"prediction/mysql/00001_predictions.sql":    {predictions},
		"prediction/mysql/00002_journal.sql":        {journal},
	}
}

// stepsOf lists the files of migrations of a store in a dialect, in their order; the first makes version 1.
func stepsOf(t *testing.T, store, dialect string) (steps []string) {
	t.Helper()
	files, err := migrations.Of(store, dialect)
	require.NoError(t, err)
	names, err := fs.Glob(files, "*.sql")
	require.NoError(t, err)
	slices.Sort(names)
	for _, name := range names {
		steps = append(steps, path.Join(store, dialect, name))
	}
	return steps
}

// TestEachMigrationHasRows fails when a migration is added without the rows that its version would hold.
func TestEachMigrationHasRows(t *testing.T) {
	known := versions()
	for _, store := range migrations.Stores() {
		for _, dialect := range migrations.Dialects(store) {
			for _, step := range stepsOf(t, store, dialect) {
				require.NotEmpty(t, known[step], "say in versions what rows a database of the version of %s holds, and what must become of them", step)
				delete(known, step)
			}
		}
	}
	require.Empty(t, slices.Collect(maps.Keys(known)), "there are no such migrations")
}

// TestRowsOfEachVersionSurvive writes, for each version of each schema, the rows that it holds, brings the schema up to the newest at once, and looks for them.
func TestRowsOfEachVersionSurvive(t *testing.T) {
	known := versions()
	for _, store := range migrations.Stores() {
		for _, dialect := range migrations.Dialects(store) {
			steps := stepsOf(t, store, dialect)
			for n := range steps {
				t.Run(strings.TrimSuffix(steps[n], ".sql"), func(t *testing.T) {
					if testing.Short() && dialect != testkit.SQLiteEngine {
						t.Skip("needs a server")
					}
					d := &database{url: testkit.NewDatabase(t, dialect), from: int64(n + 1)}
					var held []rows
					for _, step := range steps[:d.from] {
						held = append(held, known[step]...)
					}
					held = slices.DeleteFunc(held, func(r rows) bool { return r.until > 0 && r.until < d.from })
					fill(t, d, store, held)
					for _, r := range held {
						if r.check != nil {
							r.check(t, d)
						}
					}
				})
			}
		}
	}
}

// fill goes up to the version of a database, writes its rows, and then goes up to the newest.
func fill(t *testing.T, d *database, store string, held []rows) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), d.url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, sqlstore.Close(db)) }()
	require.NoError(t, sqlstore.MigrateUp(t.Context(), db, store, d.from))
	for _, r := range held {
		insert(t, db, r.file)
	}
	require.NoError(t, sqlstore.Migrate(t.Context(), db, store))
}

func insert(t *testing.T, db *gorm.DB, file string) {
	t.Helper()
	text, err := testdata.ReadFile("testdata/" + file)
	require.NoError(t, err)
	for statement := range strings.SplitSeq(string(text), ";\n") {
		if strings.TrimSpace(statement) != "" {
			require.NoError(t, db.Exec(statement).Error, "%s", file)
		}
	}
}
