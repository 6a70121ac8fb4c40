package backup_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/backup"
	"tasador/pkg/config"
	"tasador/pkg/sqlstore"
	"tasador/pkg/testkit/s3test"
)

// stores are the folders of migrations by the database that has them in a data folder.
var stores = map[string]string{"pipeline.db": "dagrun", "rawdata.db": "dataset", "cleandata.db": "cleandata", "predictions.db": "prediction", "tracking.db": "tracking", "auth.db": "auth"}

// dataFolder makes a data folder with databases of all stores, and with files, and returns the settings that name it.
func dataFolder(t *testing.T) *config.Config {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	for name, store := range stores {
		db, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(dir, name), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.NoError(t, sqlstore.Migrate(t.Context(), db, store))
		require.NoError(t, db.Exec("CREATE TABLE extra (word TEXT)").Error)
		require.NoError(t, db.Exec("INSERT INTO extra VALUES (?)", name).Error)
		require.NoError(t, sqlstore.Close(db))
	}
	for _, name := range []string{
		"artifacts/1/a/model/MLmodel", "artifacts/1/a.txt", "artifacts/1/a/odd %25 náme.txt", "payloads/manual__..%2F..%2Fx.json", "source.json",
		"serving/journal/0000000000000001.journal", "serving/journal/shipped", "serving/model/current.json", "serving/model/1/tasador.json", "later/kept.txt",
		// of no use to another process
		"pipeline-jobs.db", "pipeline.lock", "artifacts/.uploads/half", "payloads/fetch-1.tmp", "serving/model/.part-1/half", "serving/batch/batch-1", "work/spill", "serving/model/current.json.new",
	} {
		put(t, dir, name, "the content of "+name)
	}
	cfg := &config.Config{DataDir: dir}
	cfg.SetDefaults(config.DefaultRoles())
	return cfg
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
}

// content lists the files of a folder with what is in them; of databases, what a row says.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(file, ".lock") || strings.HasSuffix(file, "-wal") || strings.HasSuffix(file, "-shm") {
			return err
		}
		name, err := filepath.Rel(dir, file)
		require.NoError(t, err)
		if _, ok := stores[name]; ok {
			db, err := sqlstore.Open(t.Context(), "sqlite:"+file, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			var word string
			require.NoError(t, db.Raw("SELECT word FROM extra").Scan(&word).Error)
			require.NoError(t, sqlstore.Close(db))
			out[name] = word
			return nil
		}
		bytes, err := os.ReadFile(file)
		out[filepath.ToSlash(name)] = string(bytes)
		return err
	}))
	return out
}

func create(t *testing.T, target *backup.Target, cfg *config.Config, change func(*backup.Options)) (*backup.Manifest, error) {
	t.Helper()
	opts := backup.Options{Config: cfg, Tasador: "v1"}
	if change != nil {
		change(&opts)
	}
	return target.Create(t.Context(), opts)
}

func open(t *testing.T, address, endpoint string) *backup.Target {
	t.Helper()
	target, err := backup.MakeTarget(t.Context(), address, endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, target.Close()) })
	return target
}

// onTargets runs a test with a folder and with S3.
func onTargets(t *testing.T, test func(t *testing.T, target *backup.Target)) {
	t.Run("folder", func(t *testing.T) { test(t, open(t, filepath.Join(t.TempDir(), "new", "backups"), "")) })
	t.Run("s3", func(t *testing.T) {
		if testing.Short() {
			t.Skip("needs a server")
		}
		server := s3test.Start(t)
		server.SetEnv(t)
		server.MakeBucket(t, "safe")
		test(t, open(t, "s3://safe/of/home", server.Endpoint))
	})
}

func TestABackupIsRestored(t *testing.T) {
	onTargets(t, func(t *testing.T, target *backup.Target) {
		cfg := dataFolder(t)
		first, err := create(t, target, cfg, nil)
		require.NoError(t, err)
		require.Len(t, first.Schemas, len(stores))
		require.Equal(t, sqlstore.NewestSchema("tracking"), first.Schemas["tracking"])
		require.Equal(t, first.Bytes, first.Copied)

		put(t, cfg.DataDir, "artifacts/1/b.txt", "newer")
		put(t, cfg.DataDir, "artifacts/1/a.txt", "changed")
		require.NoError(t, os.Remove(filepath.Join(cfg.DataDir, "later", "kept.txt")))
		second, err := create(t, target, cfg, nil)
		require.NoError(t, err)
		var databases int64
		for name := range stores {
			info, err := os.Stat(filepath.Join(cfg.DataDir, name))
			require.NoError(t, err)
			databases += info.Size()
		}
		require.Equal(t, databases+int64(len("newer"+"changed")), second.Copied, "only what is new was copied, and databases")

		for _, m := range []*backup.Manifest{first, second} {
			require.NoError(t, target.Verify(t.Context(), m, nil))
			dir := filepath.Join(t.TempDir(), "restored")
			require.NoError(t, target.Restore(t.Context(), m, dir, nil))
			got := content(t, dir)
			require.Equal(t, int(m.Files), len(got))
			require.Equal(t, "tracking.db", got["tracking.db"])
			for name := range stores {
				require.NoError(t, sqlstore.CheckFile(t.Context(), filepath.Join(dir, name)))
			}
			require.Equal(t, "the content of payloads/manual__..%2F..%2Fx.json", got["payloads/manual__..%2F..%2Fx.json"])
			for _, none := range []string{"pipeline-jobs.db", "artifacts/.uploads/half", "payloads/fetch-1.tmp", "serving/batch/batch-1", "work/spill", "restore.unfinished", "serving/model/.part-1/half"} {
				require.NotContains(t, got, none)
			}
			if m == second {
				all := content(t, cfg.DataDir)
				for name, want := range got {
					require.Equal(t, all[name], want, name)
				}
				require.Equal(t, "changed", got["artifacts/1/a.txt"])
				require.NotContains(t, got, "later/kept.txt")
				continue
			}
			require.Equal(t, "the content of artifacts/1/a.txt", got["artifacts/1/a.txt"])
			require.Equal(t, "the content of later/kept.txt", got["later/kept.txt"])
			require.NotContains(t, got, "artifacts/1/b.txt")
		}
		at, err := target.Choose(t.Context(), second.Begun.Add(-time.Millisecond))
		require.NoError(t, err)
		require.Equal(t, first.ID, at.ID)

		// A restored folder goes on with the same series, and with what is in it already.
		dir := filepath.Join(t.TempDir(), "restored")
		require.NoError(t, target.Restore(t.Context(), second, dir, nil))
		again := &config.Config{DataDir: dir}
		again.SetDefaults(config.DefaultRoles())
		third, err := create(t, target, again, func(o *backup.Options) { o.Keep = 1 })
		require.NoError(t, err)
		require.Less(t, third.Copied, third.Bytes)
		entries, err := target.List(t.Context())
		require.NoError(t, err)
		require.Len(t, entries, 1, "the older ones had to go")
		require.NoError(t, target.Verify(t.Context(), third, nil), "and took nothing with them that this one needs")
	})
}

func TestWhatOnlyOldBackupsHadGoesWithThem(t *testing.T) {
	place := t.TempDir()
	target, cfg := open(t, place, ""), dataFolder(t)
	_, err := create(t, target, cfg, nil)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(cfg.DataDir, "artifacts")))
	m, err := create(t, target, cfg, func(o *backup.Options) { o.Keep = 1 })
	require.NoError(t, err)
	var objects int64
	for name := range content(t, filepath.Join(place, "objects")) {
		objects++
		require.NotEmpty(t, name)
	}
	require.Equal(t, m.Files-int64(len(stores)), objects, "all but the databases")
}

func TestADamagedBackupIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, place, folder string)
		says   string
	}{
		"a bit of a database":   {func(t *testing.T, _, folder string) { flip(t, filepath.Join(folder, "databases", "tracking.db")) }, "tracking.db is not as it was written"},
		"a bit of an object":    {func(t *testing.T, place, _ string) { flip(t, firstFile(t, filepath.Join(place, "objects"))) }, "is not as it was written"},
		"a bit of the list":     {func(t *testing.T, _, folder string) { flip(t, filepath.Join(folder, "files.ndjson")) }, "files.ndjson is not as it was written"},
		"a bit of the manifest": {func(t *testing.T, _, folder string) { flip(t, filepath.Join(folder, "manifest.json")) }, "the manifest of the backup"},
		"a database that is gone": {func(t *testing.T, _, folder string) {
			require.NoError(t, os.Remove(filepath.Join(folder, "databases", "rawdata.db")))
		}, "rawdata.db is missing"},
		"an object that is gone": {func(t *testing.T, place, _ string) {
			require.NoError(t, os.Remove(firstFile(t, filepath.Join(place, "objects"))))
		}, "is missing"},
		"a list that is gone": {func(t *testing.T, _, folder string) {
			require.NoError(t, os.Remove(filepath.Join(folder, "files.ndjson")))
		}, "files.ndjson is missing"},
		"a database that is cut": {func(t *testing.T, _, folder string) {
			require.NoError(t, os.Truncate(filepath.Join(folder, "databases", "rawdata.db"), 4096))
		}, "rawdata.db is not as it was written"},
	} {
		t.Run(name, func(t *testing.T) {
			place := t.TempDir()
			target, cfg := open(t, place, ""), dataFolder(t)
			m, err := create(t, target, cfg, nil)
			require.NoError(t, err)
			c.damage(t, place, filepath.Join(place, "backups", m.ID))
			dir := t.TempDir()
			verify := func(ctx context.Context, m *backup.Manifest) error { return target.Verify(ctx, m, nil) }
			restore := func(ctx context.Context, m *backup.Manifest) error { return target.Restore(ctx, m, dir, nil) }
			for _, use := range []func(context.Context, *backup.Manifest) error{verify, restore} {
				m, err := target.Choose(t.Context(), time.Time{})
				if err == nil {
					err = use(t.Context(), m)
				}
				require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err), "%v", err)
				require.ErrorContains(t, err, c.says)
			}
			require.Empty(t, content(t, dir), "nothing of it may stay")
			require.NoError(t, backup.CheckFolder(dir))

			// The next backup is none the worse for it, if it is told not to trust what is there.
			m, err = create(t, target, cfg, func(o *backup.Options) { o.Full = true })
			require.NoError(t, err)
			require.NoError(t, target.Verify(t.Context(), m, nil))
		})
	}
}

func flip(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	content[len(content)/2] ^= 1
	require.NoError(t, os.WriteFile(file, content, 0o600))
}

func firstFile(t *testing.T, dir string) (first string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		first = file
		return filepath.SkipAll
	}))
	return first
}

func TestABackupOfANewerSchemaIsRefused(t *testing.T) {
	target, cfg := open(t, t.TempDir(), ""), dataFolder(t)
	db, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(cfg.DataDir, "tracking.db"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, db.Exec("INSERT INTO schema_versions_tracking (version_id, is_applied) VALUES (99, 1)").Error)
	require.NoError(t, sqlstore.Close(db))
	m, err := create(t, target, cfg, nil)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "new")
	err = target.Restore(t.Context(), m, dir, nil)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	require.ErrorContains(t, err, "was made by tasador v1, whose tracking database has schema version 99; this tasador knows only ")
	require.NoDirExists(t, dir)
}

func TestATargetIsThatOfOneDataFolder(t *testing.T) {
	place := t.TempDir()
	target := open(t, place, "")
	_, err := create(t, target, dataFolder(t), nil)
	require.NoError(t, err)
	_, err = create(t, target, dataFolder(t), nil)
	require.ErrorContains(t, err, "has backups of another data folder")

	_, err = target.Choose(t.Context(), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	require.ErrorContains(t, err, "there is no backup of 2020-01-01T00:00:00Z or before")
	_, err = create(t, target, &config.Config{DataDir: filepath.Join(place, "none")}, nil)
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
	empty := &config.Config{DataDir: t.TempDir()}
	empty.SetDefaults(config.DefaultRoles())
	_, err = create(t, open(t, t.TempDir(), ""), empty, nil)
	require.ErrorContains(t, err, "there is nothing to back up in "+empty.DataDir)
}

func TestWhatIsOnServersOrElsewhereIsSaid(t *testing.T) {
	cfg := dataFolder(t)
	elsewhere := filepath.Join(t.TempDir(), "own.db")
	require.NoError(t, os.Rename(filepath.Join(cfg.DataDir, "tracking.db"), elsewhere))
	cfg.Tracking.DB = "sqlite:" + elsewhere
	cfg.RawData.URL = "postgres://ana:hunter2@db/raw"
	cfg.Artifacts.URL = "s3://bucket/artifacts"
	target := open(t, t.TempDir(), "")
	m, err := create(t, target, cfg, nil)
	require.NoError(t, err)
	said, err := json.Marshal(m.Elsewhere)
	require.NoError(t, err)
	require.JSONEq(t, `["rawdata: postgres://ana:xxxxx@db/raw", "artifacts: s3://bucket/artifacts"]`, string(said))
	dir := filepath.Join(t.TempDir(), "new")
	require.NoError(t, target.Restore(t.Context(), m, dir, nil))
	require.Equal(t, "tracking.db", content(t, dir)["tracking.db"])
}
