package inference_test

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/inference"
	"tasador/pkg/model"
	"tasador/pkg/testkit/modeltest"
)

// swapsInTest is how often versions change in TestSwapsUnderLoad; make verify does it 10,000 times.
const swapsInTest = 100

func TestSwapsUnderLoad(t *testing.T) { swapUnderLoad(t, swapsInTest) }

// swapUnderLoad changes the champion, the challenger and the shadow again and again while requests are answered. Every answer must be the price
// of the version that it names, in the role that it names, with the interval of that version.
func swapUnderLoad(t *testing.T, swaps int) {
	s := &shelf{}
	models := []*model.Model{modeltest.Train(t, 1), modeltest.Train(t, 2)}
	folders := []string{modeltest.Folder(t, models[0]), modeltest.Folder(t, models[1])}
	var prices [2]float64
	var intervals [2]model.Interval
	for i, m := range models {
		prices[i] = m.SelfTest.Prediction
		p, err := m.Predict(model.Example(), modeltest.AsOf())
		require.NoError(t, err)
		prices[i] = p.Price
		intervals[i], err = m.Interval(p.Price, model.DefaultLevel)
		require.NoError(t, err)
	}
	require.NotEqual(t, prices[0], prices[1])
	opts := options(t, s)
	opts.Challenger, opts.Share, opts.Shadow = inference.Ref{Alias: "challenger"}, 0.5, inference.Ref{Alias: "shadow"}
	s.promote(folders[1], 1)
	p := inference.New(opts)
	p.Look(t.Context())

	var failed atomic.Pointer[string]
	var answered [2]atomic.Int64
	stop := make(chan struct{})
	ask := func(id string) error {
		served, err := p.Choose(id)
		if err != nil {
			return err
		}
		listing := model.Example()
		got, err := served.Model.Predict(listing, modeltest.AsOf())
		if err != nil {
			return err
		}
		interval, err := served.Model.Interval(got.Price, model.DefaultLevel)
		if err != nil {
			return err
		}
		p.Tell(&listing, modeltest.AsOf(), got.Price, served)
		number, _ := strconv.Atoi(served.Version)
		if got.Price != prices[number%2] || interval != intervals[number%2] || served.RunID != "run"+served.Version {
			return fmt.Errorf("version %s answered %v, %v", served.Version, got.Price, interval)
		}
		challenged := inference.Takes(0.5, id)
		if served.Role == inference.Challenger && !challenged {
			return fmt.Errorf("%s went to the challenger", id)
		}
		if served.Role == inference.Challenger {
			answered[1].Add(1)
		} else {
			answered[0].Add(1)
		}
		return nil
	}
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := ask(fmt.Sprint(worker, "-", i)); err != nil {
					text := err.Error()
					failed.CompareAndSwap(nil, &text)
				}
				runtime.Gosched()
			}
		})
	}
	for number := 2; number <= swaps+1; number++ {
		s.promote(folders[number%2], number)
		if number%10 == 2 {
			s.alias("challenger", strconv.Itoa(number-1))
			s.alias("shadow", strconv.Itoa(number/2))
		}
		p.Look(t.Context())
		served, err := p.Current()
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(number), served.Version)
	}
	close(stop)
	wg.Wait()
	p.StopShadow()
	if text := failed.Load(); text != nil {
		t.Fatal(*text)
	}
	require.EqualValues(t, swaps+1, p.Swaps())
	require.Positive(t, answered[0].Load())
	require.Positive(t, answered[1].Load())
	t.Logf("%d swaps, %d answers of the champion, %d of the challenger, %d by the shadow", swaps, answered[0].Load(), answered[1].Load(), p.ShadowReport().Compared)
}
