package httpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/config"
	"tasador/pkg/sqlstore/authstore"
	"tasador/web"
)

// Guard knows the users of the servers of this process, which share it. Without one, which is nil, everybody may do everything.
type Guard struct {
	cfg   *config.Config
	store *authstore.Store
	auth  *auth.Authenticator
	site  *web.Site

	mu      sync.Mutex
	servers []*Server
}

// OpenGuard opens the database of users; the guard is nil if nobody has to log in. Codes: as authstore.Open, FailedPrecondition if there is no admin.
func OpenGuard(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Guard, error) {
	if !cfg.Auth.Enabled {
		return nil, nil //nolint:nilnil // as said
	}
	store, err := authstore.Open(ctx, cfg.Auth.URL, log)
	if err != nil {
		return nil, err
	}
	has, err := store.HasAdmin(ctx)
	if err == nil && !has {
		err = apperror.New(apperror.FailedPrecondition, "there is no user yet who could log in and add others; "+
			"make one with tasador user add NAME --role=admin, with the same --data-dir or --auth.url, then start again")
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	site, err := web.New()
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &Guard{cfg: cfg, store: store, site: site, auth: auth.New(store, auth.Limits{
		SessionIdle: cfg.Auth.SessionIdle, SessionLife: cfg.Auth.SessionLife, CallLife: cfg.Auth.CallLife, Outage: cfg.Auth.Outage,
	})}, nil
}

// Close closes the database of users, after the servers have stopped.
func (g *Guard) Close() error {
	if g == nil {
		return nil
	}
	g.auth.Close()
	return g.store.Close()
}

// Grant returns a token with which a role of this process speaks to the others as user; empty if nobody has to log in.
func (g *Guard) Grant(user string, role auth.Role) string {
	if g == nil {
		return ""
	}
	return g.auth.Grant(user, role)
}

// Listed is a route as it was registered, with the right that it needs.
type Listed struct {
	Role, Address string // of the server
	Method, Path  string
	Right         Right
}

// Routes lists the routes of all servers that the guard stands before.
func (g *Guard) Routes() []Listed {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []Listed
	for _, s := range g.servers {
		for key, right := range s.rights {
			all = append(all, Listed{s.opts.Role, s.opts.Listener.Addr().String(), key.method, key.path, right})
		}
	}
	return all
}

func (g *Guard) add(s *Server) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.servers = append(g.servers, s)
}

// rightOf is the right that a request needs. Addresses that nobody has registered, whose answer is an error, need one too.
func (s *Server) rightOf(c echo.Context) Right {
	if right, known := s.rights[routeKey{c.Path(), c.Request().Method}]; known {
		return right
	}
	return Read
}

// authorize lets a request through whose sender has the right, and notes the sender in its context. Codes: Unauthenticated, PermissionDenied, RateLimited,
// Unavailable.
func (s *Server) authorize(c echo.Context, right Right) error {
	g := s.opts.Guard
	if g == nil || right == Public {
		return nil
	}
	r := c.Request()
	p, err := g.identify(r, s.secure(r), right)
	if err != nil {
		return err
	}
	c.SetRequest(r.WithContext(auth.WithPrincipal(r.Context(), p)))
	if !p.Role.May(right) {
		return apperror.New(apperror.PermissionDenied, "%s is %s, who may not do this; an admin can change that", p.User, p.Role)
	}
	return nil
}

var errNobody = apperror.New(apperror.Unauthenticated, "log in first: send a token as Authorization: Bearer …, or user and password")

// identify says who sent a request, by its Authorization, else by its cookie.
func (g *Guard) identify(r *http.Request, secure bool, right Right) (*auth.Principal, error) {
	if header := r.Header.Get(echo.HeaderAuthorization); header != "" {
		if scheme, rest, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "Bearer") {
			return g.auth.Token(r.Context(), strings.TrimSpace(rest), addressOf(r))
		}
		if name, password, ok := r.BasicAuth(); ok {
			return g.auth.Password(r.Context(), name, password, addressOf(r))
		}
		return nil, errNobody
	}
	secret := sessionOf(r, secure)
	if secret == "" {
		return nil, errNobody
	}
	// A link elsewhere makes browsers send the cookie along with a GET. Where that changes something, they must say that there was none.
	if site := r.Header.Get(headerSite); isSafe(r.Method) && mayChange(r.Method, right) && site != siteSame && site != siteNone {
		return nil, errNobody
	}
	return g.auth.Session(r.Context(), secret)
}

// addressOf is the address of a client, without its port.
func addressOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// Names of the cookie of sessions. Browsers keep the second from being set or read without TLS, and by other hosts of the domain.
const (
	cookiePlain  = "tasador_session"
	cookieSecure = "__Host-tasador_session"
)

// secure reports whether the browser of a request speaks TLS, with this server or with a proxy before it.
func (s *Server) secure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(s.opts.Guard.cfg.PublicURL(s.opts.Role), "https://")
}

func cookieName(secure bool) string {
	if secure {
		return cookieSecure
	}
	return cookiePlain
}

func sessionOf(r *http.Request, secure bool) string {
	if c, err := r.Cookie(cookieName(secure)); err == nil {
		return c.Value
	}
	return ""
}

// refused tells a client that it has to log in: a browser is led to the page for it, a program is told how.
func (s *Server) refused(c echo.Context, err error) (redirected bool) {
	if s.opts.Guard == nil || apperror.CodeOf(err) != apperror.Unauthenticated {
		return false
	}
	h, r := c.Response().Header(), c.Request()
	if strings.HasPrefix(r.Header.Get(echo.HeaderAccept), echo.MIMETextHTML) && !publicPath(c.Path()) {
		h.Set("Cache-Control", "no-store")
		_ = c.Redirect(http.StatusSeeOther, "/login?"+url.Values{"next": {whereFrom(r)}}.Encode()) // only fails for other statuses
		return true
	}
	h.Set(echo.HeaderWWWAuthenticate, `Bearer realm="tasador"`)
	if r.Header.Get("Sec-Fetch-Mode") == "" && r.Header.Get("Cookie") == "" { // browsers would ask for a password themselves
		h.Add(echo.HeaderWWWAuthenticate, `Basic realm="tasador", charset="UTF-8"`)
	}
	return false
}

// whereFrom is the page that somebody wanted, or where the form stands that was sent.
func whereFrom(r *http.Request) string {
	if isSafe(r.Method) {
		return r.URL.RequestURI()
	}
	if u, err := url.Parse(r.Referer()); err == nil && u.Host == r.Host {
		return u.RequestURI()
	}
	return "/"
}

// retryAfter tells a client when to come again, if the error says so.
func retryAfter(c echo.Context, err error) {
	if wait, ok := auth.RetryAfter(err); ok {
		c.Response().Header().Set(echo.HeaderRetryAfter, wait)
	}
}

// check tells whether the users can be looked up. What was looked up before holds for a while, so that the server stays ready.
func (g *Guard) check() Check {
	return Check{Name: "users", Note: func(ctx context.Context) *apperror.Sentence {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := g.store.Ping(ctx); err != nil {
			return &apperror.Sentence{Format: "nobody can log in anew: %s", Args: []any{apperror.SentenceOf(err)}}
		}
		return nil
	}}
}
