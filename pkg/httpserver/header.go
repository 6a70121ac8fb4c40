package httpserver

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/config"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
	"tasador/pkg/trackingclient"
	"tasador/web"
)

// Header is what stands at the top of every page of a role: the servers and whether they are ready, and the version that is in production. Other servers
// are asked beside the pages, which wait for them a moment at most. It is safe for concurrent use.
type Header struct {
	cfg        *config.Config
	role       string
	client     *http.Client
	ready      map[string]*lookup[Readiness]
	production lookup[string] // the version; empty if there is none

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // of the questions, which no request owns
	stop    context.CancelFunc
	stopped bool
	asking  sync.WaitGroup
}

// Versions tells which versions are in a stage, as a registry does.
type Versions interface {
	// LatestVersions returns the newest version of each stage asked for. Codes: NotFound if there is no such model.
	LatestVersions(ctx context.Context, name string, stages []registry.Stage) ([]registry.Version, error)
}

// NewHeader returns the header of a role's pages; without versions it asks tracking. A Server that is given it stops it.
func NewHeader(cfg *config.Config, role string, versions Versions) *Header {
	h := &Header{
		cfg: cfg, role: role, ready: map[string]*lookup[Readiness]{},
	}
	// Nothing is kept open: it would hold up the stop of the server that is asked.
	h.client = cfg.ToTracking(role, nil).Client(h.internal(config.RoleTracking), &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true})
	if versions == nil {
		versions = trackingclient.New(h.internal(config.RoleTracking), trackingclient.Options{Tries: 1, HTTP: h.client})
	}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.production.ask = func(ctx context.Context) (string, error) { return inProduction(ctx, versions) }
	for _, role := range config.DefaultRoles() {
		h.ready[role] = &lookup[Readiness]{ask: func(ctx context.Context) (Readiness, error) { return h.askReady(ctx, role) }}
	}
	return h
}

var errAway = errors.New("nobody answers")

func (h *Header) askReady(ctx context.Context, role string) (Readiness, error) {
	address := h.internal(role)
	r, err := AskReady(ctx, h.client, role, address)
	if err != nil || !r.Answers {
		return r, errors.Join(errAway, err)
	}
	if !r.Ours && role == config.RoleTracking { // a stock MLflow server says it in another place
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/health", http.NoBody)
		if err != nil {
			return r, err
		}
		res, err := h.client.Do(req)
		if err != nil {
			return r, errAway
		}
		r.Ready = res.StatusCode == http.StatusOK
		return r, res.Body.Close()
	}
	if !r.Ours {
		return r, errAway
	}
	return r, nil
}

// Fill completes a page with the header that r's reader needs.
func (h *Header) Fill(r *http.Request, page *web.Page) {
	h.look(r.Context())
	places := h.Places(r)
	page.Links = []web.Link{
		{Label: "Appraise", Href: places.Appraise(), Server: h.state(config.RoleServing)},
		{Label: "DAGs", Href: places.DAGs(), Server: h.state(config.RolePipeline)},
		{Label: "Experiments", Href: places.Experiments(), Server: h.state(config.RoleTracking)},
	}
	for i := range page.Links {
		page.Links[i].Current = page.Links[i].Server.Role == h.role
	}
	page.Keys = []web.Key{{Key: "d", Label: "DAGs", Href: places.DAGs()}, {Key: "m", Label: "Models", Href: places.Models()}, {Key: "a", Label: "Appraise", Href: places.Appraise()}, {Key: "w", Label: "Watch", Href: places.Watch()}}
	if p := auth.PrincipalOf(r.Context()); p != nil {
		page.User = &web.User{Name: p.User, Admin: p.Role.May(Administer)}
	}
	version, known := h.production.get()
	page.Production = web.Production{Model: realtor.Model, Version: version, Known: known}
	if version != "" {
		page.Production.Href = places.Version(realtor.Model, version)
	}
}

func inProduction(ctx context.Context, versions Versions) (string, error) {
	found, err := versions.LatestVersions(ctx, realtor.Model, []registry.Stage{registry.Production})
	if err != nil && apperror.CodeOf(err) == apperror.NotFound {
		return "", nil
	}
	for _, v := range found {
		if v.Stage == registry.Production {
			return v.Version, err
		}
	}
	return "", err
}

func (h *Header) state(role string) *web.Server {
	r, known := h.ready[role].get()
	s := &web.Server{Role: role, State: web.Unknown}
	switch {
	case known && r.Ready:
		s.State = web.Ready
	case known:
		s.State, s.Late = web.NotReady, r.Late()
	}
	return s
}

// look asks what is not known, and waits a moment for those that were quick the last time.
func (h *Header) look(ctx context.Context) {
	waits := []<-chan struct{}{h.production.begin(h.run)}
	for _, l := range h.ready {
		waits = append(waits, l.begin(h.run))
	}
	limit := time.NewTimer(lookupPatient)
	defer limit.Stop()
	for _, done := range waits {
		if done == nil {
			continue
		}
		select {
		case <-done:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// run starts a question, unless the header was stopped.
func (h *Header) run(question func(ctx context.Context)) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return false
	}
	h.asking.Go(func() { question(h.ctx) })
	return true
}

// close ends the questions under way and allows no more.
func (h *Header) close() {
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	h.stop()
	h.asking.Wait()
}
