package inference_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tasador/pkg/apperror"
	"tasador/pkg/inference"
	"tasador/pkg/model"
	"tasador/pkg/registry"
	"tasador/pkg/testkit/modeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a registry in memory whose versions are folders. down makes every call fail.
type shelf struct {
	mu        sync.Mutex
	versions  []registry.Version
	folders   map[string]string
	aliases   map[string]string
	down      bool
	downloads atomic.Int64
	asked     atomic.Int64 // for a version by its number
}

func (s *shelf) LatestVersions(_ context.Context, name string, stages []registry.Stage) ([]registry.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, apperror.New(apperror.Unavailable, "the tracking server cannot be reached")
	}
	if len(s.folders) == 0 {
		return nil, apperror.New(apperror.NotFound, "there is no model %s", name)
	}
	var found []registry.Version
	for _, v := range s.versions {
		if v.Stage == stages[0] {
			found = append(found, v)
		}
	}
	return found, nil
}

func (s *shelf) Version(_ context.Context, name, version string) (*registry.Version, error) {
	s.asked.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, apperror.New(apperror.Unavailable, "the tracking server cannot be reached")
	}
	for _, v := range slices.Backward(s.versions) {
		if v.Version == version {
			return &v, nil
		}
	}
	return nil, apperror.New(apperror.NotFound, "there is no version %s of %s", version, name)
}

func (s *shelf) VersionByAlias(ctx context.Context, name, alias string) (*registry.Version, error) {
	s.mu.Lock()
	version, ok := s.aliases[alias]
	down := s.down
	s.mu.Unlock()
	if !ok && !down {
		return nil, apperror.New(apperror.Invalid, "Registered model alias %s not found.", alias)
	}
	return s.Version(ctx, name, version)
}

// alias moves an alias, or takes it away if the version is empty.
func (s *shelf) alias(name, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aliases == nil {
		s.aliases = map[string]string{}
	}
	s.aliases[name] = version
	if version == "" {
		delete(s.aliases, name)
	}
}

// add puts a version of a folder on the shelf, in no stage.
func (s *shelf) add(folder string, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folders == nil {
		s.folders = map[string]string{}
	}
	version := strconv.Itoa(number)
	s.folders[version] = folder
	s.versions = append(s.versions, registry.Version{
		Name: "RealtorPriceModel", Version: version, Stage: registry.None, RunID: "run" + version, CreationTimestamp: int64(len(s.versions)),
	})
}

func (s *shelf) DownloadFolder(_ context.Context, uri, dir string) error {
	s.downloads.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	return os.CopyFS(dir, os.DirFS(s.folders[strings.TrimPrefix(uri, "models:/RealtorPriceModel/")]))
}

// promote puts a new version of a folder in Production, or an old one if number says so.
func (s *shelf) promote(folder string, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folders == nil {
		s.folders = map[string]string{}
	}
	version := strconv.Itoa(number)
	s.folders[version] = folder
	for i := range s.versions {
		s.versions[i].Stage = registry.Archived
	}
	s.versions = append(s.versions, registry.Version{
		Name: "RealtorPriceModel", Version: version, Stage: registry.Production, RunID: "run" + version, CreationTimestamp: int64(len(s.versions)),
	})
}

func (s *shelf) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func options(t *testing.T, s *shelf) inference.Options {
	return inference.Options{
		Registry: s, Model: "RealtorPriceModel", Live: inference.Ref{Stage: registry.Production},
		Follow: 5 * time.Millisecond, Dir: filepath.Join(t.TempDir(), "model"), Log: slog.New(slog.DiscardHandler),
	}
}

// run follows until the test ends.
func run(t *testing.T, p *inference.Predictor) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- p.Run(ctx, func() { close(ready) }) }()
	<-ready
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

func requireVersion(t *testing.T, p *inference.Predictor, version string) {
	t.Helper()
	require.Eventually(t, func() bool {
		served, err := p.Current()
		return err == nil && served.Version == version
	}, time.Minute, time.Millisecond, "version %s is not served: %v", version, p.Problem())
}

func TestBeforeTheFirstPromotionItSaysWhatIsMissing(t *testing.T) {
	s := &shelf{}
	p := inference.New(options(t, s))
	run(t, p)
	_, _, err := p.Predict(model.Example(), modeltest.AsOf())
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Equal(t, "no version of RealtorPriceModel is in Production yet; run the DAG until it promotes one", apperror.MessageOf(err))
}

func TestAPromotionIsFollowed(t *testing.T) {
	s := &shelf{}
	p := inference.New(options(t, s))
	run(t, p)
	first, second := modeltest.Train(t, 1), modeltest.Train(t, 2)
	firstDir, secondDir := modeltest.Folder(t, first), modeltest.Folder(t, second)
	for _, step := range []struct {
		folder string
		number int
		model  *model.Model
	}{{firstDir, 1, first}, {secondDir, 2, second}, {firstDir, 10, first}, {secondDir, 9, second}} { // the last goes back
		s.promote(step.folder, step.number)
		requireVersion(t, p, strconv.Itoa(step.number))
		got, served, err := p.Predict(model.Example(), modeltest.AsOf())
		require.NoError(t, err)
		want, err := step.model.Predict(model.Example(), modeltest.AsOf())
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, "run"+strconv.Itoa(step.number), served.RunID)
	}
}

func TestNoRequestFailsWhileVersionsChange(t *testing.T) {
	s := &shelf{}
	models := []*model.Model{modeltest.Train(t, 1), modeltest.Train(t, 2)}
	folders := []string{modeltest.Folder(t, models[0]), modeltest.Folder(t, models[1])}
	var prices [2]float64
	for i, m := range models {
		p, err := m.Predict(model.Example(), modeltest.AsOf())
		require.NoError(t, err)
		prices[i] = p.Price
	}
	require.NotEqual(t, prices[0], prices[1])
	s.promote(folders[1], 1)
	p := inference.New(options(t, s))
	run(t, p)

	stop := make(chan struct{})
	var wg sync.WaitGroup
	var failed atomic.Pointer[string]
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, served, err := p.Predict(model.Example(), modeltest.AsOf())
				number, _ := strconv.Atoi(served.Version)
				if err != nil || got.Price != prices[number%2] {
					text := "a price of another version than " + served.Version
					failed.Store(&text)
				}
			}
		})
	}
	for number := 2; number <= 12; number++ {
		s.promote(folders[number%2], number)
		requireVersion(t, p, strconv.Itoa(number))
	}
	close(stop)
	wg.Wait()
	require.Nil(t, failed.Load())
	require.EqualValues(t, 12, p.Swaps())
}

func TestTheLastGoodModelGoesOn(t *testing.T) {
	s := &shelf{}
	opts := options(t, s)
	s.promote(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	p := inference.New(opts)
	stop := run(t, p)
	requireVersion(t, p, "1")

	t.Run("when tracking is away", func(t *testing.T) {
		s.setDown(true)
		require.Eventually(t, func() bool { return p.Problem() != nil }, time.Minute, time.Millisecond)
		requireVersion(t, p, "1")
	})
	stop()
	t.Run("after a restart without tracking", func(t *testing.T) {
		again := inference.New(opts)
		requireVersion(t, again, "1") // before it asked anybody
		stopAgain := run(t, again)
		requireVersion(t, again, "1")
		require.Zero(t, again.Swaps())
		stopAgain()
	})
	t.Run("without fetching it again", func(t *testing.T) {
		s.setDown(false)
		before := s.downloads.Load()
		again := inference.New(opts)
		stopAgain := run(t, again)
		requireVersion(t, again, "1")
		stopAgain()
		require.Equal(t, before, s.downloads.Load())
	})
	t.Run("when a version is spoiled", func(t *testing.T) {
		spoiled := modeltest.Folder(t, modeltest.Train(t, 2))
		require.NoError(t, os.WriteFile(filepath.Join(spoiled, model.FileName), []byte(`{"format":1}`), 0o600))
		again := inference.New(opts)
		stopAgain := run(t, again)
		before := s.downloads.Load()
		s.promote(spoiled, 2)
		require.Eventually(t, func() bool { return again.Problem() != nil }, time.Minute, time.Millisecond)
		requireVersion(t, again, "1")
		require.ErrorContains(t, again.Problem(), "version 2 cannot be served")
		s.promote(modeltest.Folder(t, modeltest.Train(t, 3)), 3)
		requireVersion(t, again, "3")
		stopAgain()
		require.Equal(t, before+2, s.downloads.Load(), "the spoiled version was fetched more than once")
	})
	t.Run("only the current version is kept on disk", func(t *testing.T) {
		entries, err := os.ReadDir(opts.Dir)
		require.NoError(t, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		require.Equal(t, []string{"3", "current.json", "seen"}, names)
	})
}

func TestADamagedModelOnDiskIsFetchedAgain(t *testing.T) {
	s := &shelf{}
	opts := options(t, s)
	s.promote(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	p := inference.New(opts)
	stop := run(t, p)
	requireVersion(t, p, "1")
	stop()
	require.NoError(t, os.Truncate(filepath.Join(opts.Dir, "1", model.FileName), 100))
	again := inference.New(opts)
	_, err := again.Current()
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	run(t, again)
	requireVersion(t, again, "1")
}

func TestAModelThatTasadorDidNotTrainIsNamed(t *testing.T) {
	s := &shelf{}
	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "MLmodel"), []byte("flavors: {}\n"), 0o600))
	s.promote(foreign, 1)
	p := inference.New(options(t, s))
	run(t, p)
	_, err := p.Current()
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Contains(t, apperror.MessageOf(err), "tasador did not train it")
}

func TestAnUnwritableFolderIsNamed(t *testing.T) {
	s := &shelf{}
	opts := options(t, s)
	require.NoError(t, os.WriteFile(opts.Dir, nil, 0o600))
	s.promote(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	p := inference.New(opts)
	run(t, p)
	_, err := p.Current()
	require.Contains(t, apperror.MessageOf(err), opts.Dir)
}
