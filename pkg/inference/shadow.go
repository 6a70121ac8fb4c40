package inference

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/drift"
	"tasador/pkg/property"
)

const (
	// shadowQueue is how many questions wait for the shadow at most: half a megabyte of them.
	shadowQueue = 2048
	// shadowHangs is how long one question may take before the shadow counts as hanging.
	shadowHangs = 10 * time.Second
)

// shadow asks a version what others have answered already, in one goroutine beside all requests, and measures how far the answers differ.
type shadow struct {
	track *track
	log   *slog.Logger
	now   func() time.Time
	price func(*Served, *property.Listing, time.Time) (float64, error)

	bench    atomic.Pointer[bench]
	compared atomic.Uint64
	dropped  atomic.Uint64
	failed   atomic.Uint64

	mu         sync.Mutex
	pair       [2]Identity // whose prices are compared now: of the answer, of the shadow
	comparison *drift.Comparison
}

// bench is where one version of the shadow works. A version that hangs keeps its own; the next one gets another.
type bench struct {
	served *Served
	queue  chan job
	done   chan struct{} // closed when the version is replaced
	begun  atomic.Int64  // when the question at hand was begun, nanoseconds since 1970; 0 between questions
	failed atomic.Bool   // once
}

// job is a question that was answered.
type job struct {
	listing property.Listing
	asOf    time.Time
	encoded []float64 // nil, or the features that came instead of a listing
	price   float64
	by      *Served
}

func newShadow(t *track, opts Options) *shadow {
	return &shadow{track: t, log: opts.Log, now: opts.Now, comparison: drift.NewComparison(),
		price: func(s *Served, l *property.Listing, asOf time.Time) (float64, error) {
			price, _, err := s.Price(l, asOf, nil)
			return price, err
		}}
}

// work lets another version work, or none.
func (s *shadow) work(served *Served) {
	var next *bench
	if served != nil {
		next = &bench{served: served, queue: make(chan job, shadowQueue), done: make(chan struct{})}
		go s.run(next)
	}
	if before := s.bench.Swap(next); before != nil {
		close(before.done)
	}
}

// stop ends the work.
func (s *shadow) stop() { s.work(nil) }

// Tell lets the shadow price what the champion answered, if there is a shadow. It never waits: what finds the queue full is dropped and counted.
// It keeps nothing of the listing but copies of what prices are computed from.
func (p *Predictor) Tell(listing *property.Listing, asOf time.Time, price float64, by *Served) {
	b := p.shadow.listens(by)
	if b == nil {
		return
	}
	l := *listing
	// The texts may hang on the whole body of a request.
	l.City, l.State, l.ZipCode = property.Text{}, property.Text{}, property.Text{}
	l.Status.Value, l.PrevSoldDate.Value = strings.Clone(l.Status.Value), strings.Clone(l.PrevSoldDate.Value)
	p.shadow.tell(b, job{listing: l, asOf: asOf, price: price, by: by})
}

// TellEncoded is Tell for features that came instead of a listing. A shadow with other features, or in another order, is not told: it would need the listing.
func (p *Predictor) TellEncoded(x []float64, price float64, by *Served) {
	b := p.shadow.listens(by)
	if b == nil || !slices.Equal(b.served.Model.Schema.Features, by.Model.Schema.Features) {
		return
	}
	p.shadow.tell(b, job{encoded: slices.Clone(x), price: price, by: by})
}

// listens returns where the shadow works, nil if there is none or it is not compared with what a version answers.
func (s *shadow) listens(by *Served) *bench {
	if by.Role != Champion {
		return nil
	}
	return s.bench.Load()
}

func (s *shadow) tell(b *bench, j job) {
	select {
	case b.queue <- j:
	default:
		s.dropped.Add(1)
	}
}

func (s *shadow) run(b *bench) {
	for {
		select {
		case <-b.done: // before whatever waits
			return
		default:
		}
		select {
		case <-b.done:
			return
		case j := <-b.queue:
			b.begun.Store(s.now().UnixNano())
			s.compare(b, &j)
			b.begun.Store(0)
		}
	}
}

// compare asks for one price. Whatever goes wrong is counted, and told once for a version.
func (s *shadow) compare(b *bench, j *job) {
	defer func() {
		if fault := recover(); fault != nil {
			s.fail(b, fmt.Errorf("panic: %v", fault))
		}
	}()
	price, err := s.priceOf(b.served, j)
	if err != nil {
		s.fail(b, err)
		return
	}
	select {
	case <-b.done: // it was replaced meanwhile
		return
	default:
	}
	s.compared.Add(1)
	s.between(j.by.Identity, b.served.Identity).Add(j.price, price)
}

func (s *shadow) priceOf(served *Served, j *job) (float64, error) {
	if j.encoded != nil {
		return served.Model.PriceOf(j.encoded)
	}
	return s.price(served, &j.listing, j.asOf)
}

func (s *shadow) fail(b *bench, err error) {
	s.failed.Add(1)
	if !b.failed.Swap(true) {
		s.log.Warn("the shadow fails; further failures of this version are only counted", "version", b.served.Version, "error", err)
	}
}

// between returns what compares two versions, a fresh one if others were compared before.
func (s *shadow) between(answer, shadow Identity) *drift.Comparison {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pair := [2]Identity{answer, shadow}; s.pair != pair {
		s.pair, s.comparison = pair, drift.NewComparison()
	}
	return s.comparison
}

// ShadowReport says what came of asking the shadow. The counts are since the process began, the differences between two versions.
type ShadowReport struct {
	Compared, Dropped, Failed uint64
	Hangs                     bool
	Versions                  [2]string // compared: of the answers, and of the shadow; empty before the first
	Differences               drift.Differences
}

// ShadowReport returns what came of asking the shadow so far.
func (p *Predictor) ShadowReport() ShadowReport {
	s := p.shadow
	r := ShadowReport{Compared: s.compared.Load(), Dropped: s.dropped.Load(), Failed: s.failed.Load(), Hangs: s.hangs()}
	s.mu.Lock()
	comparison := s.comparison
	r.Versions = [2]string{s.pair[0].Version, s.pair[1].Version}
	s.mu.Unlock()
	r.Differences = comparison.Differences()
	return r
}

func (s *shadow) hangs() bool {
	b := s.bench.Load()
	if b == nil {
		return false
	}
	begun := b.begun.Load()
	return begun != 0 && s.now().Sub(time.Unix(0, begun)) > shadowHangs
}

// Followed is what a role follows and what answers in it.
type Followed struct {
	Role    Role
	Follows string  // as ParseRef reads it
	Served  *Served // nil if there is none
	Problem error   // why the last look at the registry led to nothing
}

// Followed returns what is followed: the champion first, then the challenger and the shadow where they are.
func (p *Predictor) Followed() []Followed {
	var all []Followed
	for _, t := range p.tracks() {
		f := Followed{Role: t.role, Follows: t.ref.String(), Served: t.current.Load(), Problem: t.lastProblem()}
		if t == p.shadow.track && f.Problem == nil && p.shadow.hangs() {
			f.Problem = apperror.New(apperror.Unavailable, "the shadow takes longer than %s for one answer; give it another version", shadowHangs)
		}
		all = append(all, f)
	}
	return all
}

// Share returns the share of the requests that the challenger answers, from 0 to 1.
func (p *Predictor) Share() float64 { return p.opts.Share }
