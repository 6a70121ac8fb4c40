package inference_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/drift"
	"tasador/pkg/inference"
	"tasador/pkg/model"
	"tasador/pkg/property"
	"tasador/pkg/registry"
	"tasador/pkg/testkit/modeltest"
)

func TestAReferenceIsAStageAnAliasOrANumber(t *testing.T) {
	for text, want := range map[string]inference.Ref{
		"Production": {Stage: registry.Production}, "staging": {Stage: registry.Staging}, "NONE": {Stage: registry.None},
		"champion": {Alias: "champion"}, "@champion": {Alias: "champion"}, "@Staging": {Alias: "Staging"}, "@7": {Alias: "7"},
		"7": {Version: "7"}, "1234567890": {Version: "1234567890"}, "07": {Alias: "07"},
	} {
		got, err := inference.ParseRef(text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
		again, err := inference.ParseRef(got.String())
		require.NoError(t, err)
		require.Equal(t, got, again, "what it prints it reads")
	}
	for _, text := range []string{"", "@", "a b", "a/b", "models:/x", "a@b", strings.Repeat("a", 256)} {
		_, err := inference.ParseRef(text)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), text)
	}
}

func TestAnAliasIsFollowed(t *testing.T) {
	s := &shelf{}
	s.add(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	s.add(modeltest.Folder(t, modeltest.Train(t, 2)), 2)
	opts := options(t, s)
	opts.Live = inference.Ref{Alias: "champion"}
	p := inference.New(opts)
	stop := run(t, p)
	_, err := p.Current()
	require.Equal(t, "no version of RealtorPriceModel has the alias champion yet; set it in tracking", apperror.MessageOf(err))
	for _, version := range []string{"2", "1", "2"} {
		s.alias("champion", version)
		requireVersion(t, p, version)
	}
	served, err := p.Current()
	require.NoError(t, err)
	require.Equal(t, inference.Champion, served.Role)
	require.Equal(t, registry.None, served.Stage)

	s.alias("champion", "")
	require.Eventually(t, func() bool { return p.Problem() != nil }, time.Minute, time.Millisecond)
	requireVersion(t, p, "2") // the last good one
	stop()
	requireVersion(t, inference.New(opts), "2")
}

// A version that changes its stage is not another version, but its answers name the stage that it is in.
func TestTheStageIsThatOfTheRegistry(t *testing.T) {
	s := &shelf{}
	s.add(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	s.alias("champion", "1")
	opts := options(t, s)
	opts.Live = inference.Ref{Alias: "champion"}
	p := inference.New(opts)
	p.Look(t.Context())
	s.mu.Lock()
	s.versions[0].Stage = registry.Staging
	s.mu.Unlock()
	p.Look(t.Context())
	served, err := p.Current()
	require.NoError(t, err)
	require.Equal(t, registry.Staging, served.Stage)
	require.EqualValues(t, 1, p.Swaps())
	require.EqualValues(t, 1, s.downloads.Load())
}

func TestAnyVersionCanBeAskedFor(t *testing.T) {
	s := &shelf{}
	first, second := modeltest.Train(t, 1), modeltest.Train(t, 2)
	s.add(modeltest.Folder(t, first), 1)
	s.promote(modeltest.Folder(t, second), 2)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	opts := options(t, s)
	opts.Now = func() time.Time { return now }
	p := inference.New(opts)
	p.Look(t.Context())
	require.EqualValues(t, 1, s.downloads.Load())

	t.Run("once for all who ask", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				served, err := p.Version(t.Context(), "1")
				if err != nil || served.Version != "1" || served.Role != inference.Requested {
					t.Errorf("got %v, %v", served, err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 2, s.downloads.Load())
		served, err := p.Version(t.Context(), "1")
		require.NoError(t, err)
		require.Equal(t, first, served.Model)
	})
	t.Run("the served one without fetching it again", func(t *testing.T) {
		served, err := p.Version(t.Context(), "2")
		require.NoError(t, err)
		require.Equal(t, [2]any{second, inference.Requested}, [2]any{served.Model, served.Role})
		require.EqualValues(t, 2, s.downloads.Load())
	})
	t.Run("from memory while tracking is away", func(t *testing.T) {
		s.setDown(true)
		defer s.setDown(false)
		_, err := p.Version(t.Context(), "1")
		require.NoError(t, err)
		now = now.Add(time.Hour)
		_, err = p.Version(t.Context(), "1")
		require.NoError(t, err)
		_, err = p.Version(t.Context(), "3")
		require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	})
	t.Run("one that is none is not looked for again", func(t *testing.T) {
		now = now.Add(time.Hour)
		before := s.asked.Load()
		for range 5 {
			_, err := p.Version(t.Context(), "77")
			require.Equal(t, "RealtorPriceModel has no version 77", apperror.MessageOf(err))
			require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
		}
		require.EqualValues(t, before+1, s.asked.Load())
		now = now.Add(time.Minute)
		s.add(modeltest.Folder(t, first), 77)
		_, err := p.Version(t.Context(), "77")
		require.NoError(t, err)
	})
	t.Run("what is no number is not even asked for", func(t *testing.T) {
		before := s.asked.Load()
		for _, number := range []string{"", "0", "-1", "1.0", "../1", "latest", "99999999999", "1\n"} {
			_, err := p.Version(t.Context(), number)
			require.Equal(t, apperror.NotFound, apperror.CodeOf(err), number)
		}
		require.Equal(t, before, s.asked.Load())
	})
	t.Run("one that tasador did not train says so", func(t *testing.T) {
		foreign := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(foreign, "MLmodel"), []byte("flavors: {}\n"), 0o600))
		s.add(foreign, 5)
		_, err := p.Version(t.Context(), "5")
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.Contains(t, apperror.MessageOf(err), "version 5 cannot be served: the model has no tasador.json")
	})
	t.Run("a registry made anew is noticed", func(t *testing.T) {
		_, err := p.Version(t.Context(), "1")
		require.NoError(t, err)
		s.add(modeltest.Folder(t, second), 1) // another version of the same number
		served, err := p.Version(t.Context(), "1")
		require.NoError(t, err)
		require.Equal(t, first, served.Model)
		now = now.Add(time.Hour)
		served, err = p.Version(t.Context(), "1")
		require.NoError(t, err)
		require.Equal(t, second, served.Model)
	})
	t.Run("few are kept", func(t *testing.T) {
		folder := modeltest.Folder(t, first)
		for number := 100; number < 120; number++ {
			s.add(folder, number)
			_, err := p.Version(t.Context(), strconv.Itoa(number))
			require.NoError(t, err)
			_, err = p.Version(t.Context(), "100") // in use all the time
			require.NoError(t, err)
		}
		kept := map[string]bool{}
		for _, served := range p.Kept() {
			kept[served.Version] = true
		}
		require.Len(t, kept, 8)
		require.True(t, kept["100"] && kept["119"])
		require.False(t, kept["101"])
	})
	t.Run("nothing is left on disk", func(t *testing.T) {
		entries, err := os.ReadDir(opts.Dir)
		require.NoError(t, err)
		require.Len(t, entries, 2) // current.json and the champion
	})
}

func TestWhoLeavesDoesNotSpoilTheFetchOfOthers(t *testing.T) {
	s := &shelf{}
	s.add(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	p := inference.New(options(t, s))
	gone, leave := context.WithCancel(t.Context())
	s.mu.Lock() // the registry is slow
	left := make(chan error, 1)
	go func() {
		_, err := p.Version(gone, "1")
		left <- err
	}()
	require.Eventually(t, func() bool { return s.asked.Load() == 1 }, time.Minute, time.Millisecond)
	leave()
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(<-left))
	s.mu.Unlock()
	_, err := p.Version(t.Context(), "1")
	require.NoError(t, err)
	require.EqualValues(t, 1, s.downloads.Load())
}

// Of many ids the challenger gets its share, within four standard deviations of a fair draw, whatever they look like; the same id goes to
// the same version always.
func TestTheShareIsExact(t *testing.T) {
	const n = 200_000
	ids := map[string]func(i int) string{
		"numbers": strconv.Itoa,
		"names":   func(i int) string { return fmt.Sprintf("load-test-%09d-retry", i) },
		"uuids":   func(int) string { return uuid.NewString() },
	}
	for name, id := range ids {
		for _, share := range []float64{0.01, 0.1, 0.5} {
			taken := 0
			for i := range n {
				if inference.Takes(share, id(i)) {
					taken++
				}
			}
			require.InDelta(t, share*n, taken, 4*math.Sqrt(n*share*(1-share)), "%s %v", name, share)
		}
	}
	for i := range 1000 {
		id := strconv.Itoa(i)
		require.False(t, inference.Takes(0, id))
		require.True(t, inference.Takes(1, id))
		require.False(t, inference.Takes(math.NaN(), id))
		if inference.Takes(0.1, id) {
			require.True(t, inference.Takes(0.2, id), "a larger share takes more, not others")
		}
	}
	// Every process, also of another version of tasador, must choose alike. The places were computed in Python from the definition.
	for id, place := range map[string]float64{
		"": 0.9576734252420561, "3": 0.5197732027690749, "7f3c2a10-0000-4000-8000-000000000001": 0.2507310592850246, "load-test": 0.40490158315677416,
	} {
		require.False(t, inference.Takes(place-1e-9, id), id)
		require.True(t, inference.Takes(place+1e-9, id), id)
	}
}

func TestAShareGoesToTheChallenger(t *testing.T) {
	s := &shelf{}
	s.promote(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	s.add(modeltest.Folder(t, modeltest.Train(t, 2)), 2)
	opts := options(t, s)
	opts.Challenger, opts.Share = inference.Ref{Alias: "challenger"}, 0.25
	p := inference.New(opts)
	count := func() map[string]int {
		n := map[string]int{}
		for i := range 10_000 {
			served, err := p.Choose(strconv.Itoa(i))
			require.NoError(t, err)
			again, err := p.Choose(strconv.Itoa(i))
			require.NoError(t, err)
			require.Same(t, served, again)
			n[string(served.Role)+served.Version]++
		}
		return n
	}
	p.Look(t.Context())
	require.Equal(t, map[string]int{"champion1": 10_000}, count(), "there is no challenger yet")
	require.Error(t, p.Followed()[1].Problem)
	s.alias("challenger", "2")
	p.Look(t.Context())
	n := count()
	require.InDelta(t, 2500, n["challenger2"], 180)
	require.Equal(t, 10_000, n["challenger2"]+n["champion1"])
	s.setDown(true)
	p.Look(t.Context())
	require.Equal(t, n, count(), "tracking is away")
	s.setDown(false)
	s.alias("challenger", "")
	p.Look(t.Context())
	require.Equal(t, map[string]int{"champion1": 10_000}, count(), "the challenger was taken away")
}

// withShadow is a predictor whose shadow is version 2.
func withShadow(t *testing.T) *inference.Predictor {
	s := &shelf{}
	s.promote(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	s.add(modeltest.Folder(t, modeltest.Train(t, 2)), 2)
	opts := options(t, s)
	opts.Shadow = inference.Ref{Version: "2"}
	return inference.New(opts)
}

// answer prices a listing as a request does, and tells the shadow.
func answer(t *testing.T, p *inference.Predictor, l property.Listing) float64 {
	t.Helper()
	got, served, err := p.Predict(l, modeltest.AsOf())
	require.NoError(t, err)
	p.Tell(&l, modeltest.AsOf(), got.Price, served)
	return got.Price
}

func TestTheShadowIsComparedWithTheAnswers(t *testing.T) {
	p := withShadow(t)
	stop := run(t, p)
	second := modeltest.Train(t, 2)
	var absolute, relative float64
	listings := modeltest.Listings(9, 500)
	for _, l := range listings {
		price := answer(t, p, l)
		other, err := second.Predict(l, modeltest.AsOf())
		require.NoError(t, err)
		absolute += math.Abs(other.Price-price) / float64(len(listings))
		relative += math.Abs(other.Price-price) / max(math.Abs(price), 1) / float64(len(listings))
	}
	require.Eventually(t, func() bool { return p.ShadowReport().Compared == 500 }, time.Minute, time.Millisecond)
	r := p.ShadowReport()
	require.InEpsilon(t, absolute, r.Differences.Absolute.Mean, 1e-9)
	require.InEpsilon(t, relative, r.Differences.Relative.Mean, 1e-9)
	require.Equal(t, [2]string{"1", "2"}, r.Versions)
	require.Zero(t, r.Dropped+r.Failed)
	served, err := p.Version(t.Context(), "2")
	require.NoError(t, err)
	l := model.Example()
	p.Tell(&l, modeltest.AsOf(), 1, served) // nobody is compared with an answer that is not the champion's
	stop()
	require.EqualValues(t, 500, p.ShadowReport().Compared)
}

// TestTheShadowIsAskedAboutFeatures tells it features that came encoded: one that has the same computes a price from them.
func TestTheShadowIsAskedAboutFeatures(t *testing.T) {
	s := &shelf{}
	first, second := modeltest.Train(t, 1), modeltest.Train(t, 2)
	other := modeltest.Train(t, 2)
	slices.Reverse(other.Schema.Features)
	slices.Reverse(other.Coefficients)
	slices.Reverse(other.Training.Statistics)
	slices.Reverse(other.SelfTest.Features)
	s.promote(modeltest.Folder(t, first), 1)
	s.add(modeltest.Folder(t, second), 2)
	s.add(modeltest.Folder(t, other), 3)
	s.alias("next", "2")
	opts := options(t, s)
	opts.Shadow = inference.Ref{Alias: "next"}
	p := inference.New(opts)
	run(t, p)
	served, err := p.Current()
	require.NoError(t, err)
	var absolute float64
	listings := modeltest.Listings(9, 300)
	tell := func() {
		absolute = 0
		for _, l := range listings {
			x, err := first.Schema.Encode(l, modeltest.AsOf())
			require.NoError(t, err)
			price, err := first.PriceOf(x)
			require.NoError(t, err)
			shadows, err := second.PriceOf(x)
			require.NoError(t, err)
			absolute += math.Abs(shadows-price) / float64(len(listings))
			p.TellEncoded(x, price, served)
			clear(x) // they are the caller's
		}
	}
	tell()
	require.Eventually(t, func() bool { return p.ShadowReport().Compared == 300 }, time.Minute, time.Millisecond)
	require.InEpsilon(t, absolute, p.ShadowReport().Differences.Absolute.Mean, 1e-9)

	s.alias("next", "3")
	require.Eventually(t, func() bool { return p.Followed()[1].Served.Version == "3" }, time.Minute, time.Millisecond)
	tell()
	l := model.Example()
	p.Tell(&l, modeltest.AsOf(), 1, served) // behind the others, if there are any
	require.Eventually(t, func() bool { return p.ShadowReport().Compared == 301 }, time.Minute, time.Millisecond)
}

func TestAShadowThatPanicsHarmsNothing(t *testing.T) {
	p := withShadow(t)
	var asked atomic.Int64
	p.SetShadow(func(*inference.Served, *property.Listing, time.Time) (float64, error) {
		if asked.Add(1)%2 == 0 {
			return 0, errors.New("no price")
		}
		panic("the shadow stumbles")
	})
	run(t, p)
	for _, l := range modeltest.Listings(9, 200) {
		answer(t, p, l)
	}
	require.Eventually(t, func() bool { return p.ShadowReport().Failed == 200 }, time.Minute, time.Millisecond)
	require.Zero(t, p.ShadowReport().Compared)
}

func TestAShadowThatHangsHarmsNothing(t *testing.T) {
	p := withShadow(t)
	release, entered := make(chan struct{}), make(chan struct{}, 1)
	p.SetShadow(func(served *inference.Served, _ *property.Listing, _ time.Time) (float64, error) {
		if served.Version == "2" {
			entered <- struct{}{}
			<-release
		}
		return 1, nil
	})
	stop := run(t, p)
	l := model.Example()
	price := answer(t, p, l)
	<-entered
	for range 5000 { // more than can wait
		require.Equal(t, price, answer(t, p, l))
	}
	r := p.ShadowReport()
	require.EqualValues(t, 5000-2048, r.Dropped)
	require.Zero(t, r.Compared)

	stop() // does not wait for it either
	close(release)
}

// A shadow that hangs is replaced by the next version, which works.
func TestTheNextShadowWorksWhileTheLastOneHangs(t *testing.T) {
	s := &shelf{}
	s.promote(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	folder := modeltest.Folder(t, modeltest.Train(t, 2))
	s.add(folder, 2)
	s.add(folder, 3)
	s.alias("next", "2")
	now := atomic.Int64{}
	now.Store(modeltest.AsOf().UnixNano())
	opts := options(t, s)
	opts.Shadow = inference.Ref{Alias: "next"}
	opts.Now = func() time.Time { return time.Unix(0, now.Load()) }
	p := inference.New(opts)
	release, entered := make(chan struct{}), make(chan struct{}, 1)
	p.SetShadow(func(served *inference.Served, _ *property.Listing, _ time.Time) (float64, error) {
		if served.Version == "2" {
			entered <- struct{}{}
			<-release
		}
		return 1, nil
	})
	run(t, p)
	l := model.Example()
	answer(t, p, l)
	<-entered
	require.False(t, p.ShadowReport().Hangs)
	now.Add(int64(time.Minute))
	require.True(t, p.ShadowReport().Hangs)
	require.ErrorContains(t, p.Followed()[1].Problem, "longer than 10s")
	s.alias("next", "3")
	require.Eventually(t, func() bool { return p.Followed()[1].Served.Version == "3" }, time.Minute, time.Millisecond)
	answer(t, p, l)
	require.Eventually(t, func() bool { return p.ShadowReport().Compared == 1 }, time.Minute, time.Millisecond)
	require.Equal(t, [2]string{"1", "3"}, p.ShadowReport().Versions)
	require.False(t, p.ShadowReport().Hangs)
	close(release)
}

// What was seen goes on in the next process, of every version, also if that is asked for only later; what cannot be read begins anew.
func TestWhatWasSeenOutlivesTheProcess(t *testing.T) {
	s := &shelf{}
	s.promote(modeltest.Folder(t, modeltest.Train(t, 1)), 1)
	s.add(modeltest.Folder(t, modeltest.Train(t, 2)), 2)
	opts := options(t, s)
	opts.Now = modeltest.AsOf
	begin := func() (*inference.Predictor, func(), [2]*drift.Monitor) {
		p := inference.New(opts)
		stop := run(t, p)
		first, err := p.Current()
		require.NoError(t, err)
		second, err := p.Version(t.Context(), "2")
		require.NoError(t, err)
		return p, stop, [2]*drift.Monitor{first.Watch, second.Watch}
	}
	reports := func(watched [2]*drift.Monitor) (all string) { // as text, because NaN is not NaN
		for _, m := range watched {
			for _, window := range drift.Windows() {
				all += fmt.Sprintf("%+v\n", m.Report(window, modeltest.AsOf()))
			}
		}
		return all
	}
	p, stop, watched := begin()
	x, err := modeltest.Train(t, 1).Schema.Encode(model.Example(), modeltest.AsOf())
	require.NoError(t, err)
	for i, m := range watched {
		for n := range 300 {
			m.Observe(x, float64(n)*1e6, modeltest.AsOf().Add(time.Duration(n-299-i)*time.Hour/4))
		}
	}
	require.True(t, p.Learn("1", 5e5, 4e5, 0.9))
	want, week, hour := reports(watched), watched[0].Report(drift.Week, modeltest.AsOf()), watched[0].Report(drift.Hour, modeltest.AsOf())
	require.EqualValues(t, 300, week.Predictions)
	require.Less(t, hour.Predictions, uint64(10))
	require.EqualValues(t, 1, hour.Errors.Count)
	stop()

	p = inference.New(opts) // in which nobody asks for version 2
	run(t, p)()
	_, stop, watched = begin()
	require.Equal(t, want, reports(watched))
	stop()

	require.NoError(t, os.WriteFile(filepath.Join(opts.Dir, "seen"), []byte("what is this"), 0o600))
	_, _, watched = begin()
	require.Zero(t, watched[0].Report(drift.Week, modeltest.AsOf()).Predictions)
}

// What was seen of a version goes on when it comes back.
func TestWhatWasSeenOfAVersionIsKept(t *testing.T) {
	s := &shelf{}
	folders := []string{modeltest.Folder(t, modeltest.Train(t, 1)), modeltest.Folder(t, modeltest.Train(t, 2))}
	p := inference.New(options(t, s))
	s.add(folders[0], 1)
	s.add(folders[1], 2)
	for i, version := range []string{"1", "2", "1"} {
		s.mu.Lock()
		for j := range s.versions {
			s.versions[j].Stage = registry.None
			if s.versions[j].Version == version {
				s.versions[j].Stage = registry.Production
			}
		}
		s.mu.Unlock()
		p.Look(t.Context())
		got, served, err := p.Predict(model.Example(), modeltest.AsOf())
		require.NoError(t, err)
		require.Equal(t, version, served.Version)
		served.Watch.Observe(got.Features, got.Price, modeltest.AsOf())
		require.EqualValues(t, 1+i/2, p.Watch(version).Report(drift.Hour, modeltest.AsOf()).Predictions)
	}
	require.Len(t, p.Watched(), 2)
	interval, err := modeltest.Train(t, 2).Interval(5e5, 0.9)
	require.NoError(t, err)
	require.True(t, p.Learn("2", 5e5, interval.High-1, 0.9))
	require.True(t, p.Learn("2", 5e5, interval.High+1, 0.9))
	require.False(t, p.Learn("9", 5e5, 5e5, 0.9))
	learned := p.Watch("2").Report(drift.Hour, time.Now()).Errors
	require.EqualValues(t, 2, learned.Count)
	require.InDelta(t, 0.5, learned.Coverage, 1e-12)
	require.Nil(t, p.Watch("9"))
}
