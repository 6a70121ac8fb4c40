package httpserver

import (
	"context"
	"maps"
	"net"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/apperror"
	"tasador/pkg/audit"
	"tasador/pkg/auth"
)

// Common is what the servers of a process share and what comes with their listeners. Both may be nil.
type Common struct {
	Certificate *Certificate // without it they speak plain HTTP
	Audit       *audit.Log   // without it nothing is kept of who changed what
}

// common is a listener with what its server shares with others. Its connections are not encrypted yet.
type common struct {
	net.Listener
	Common
}

// Listener returns ln with what is shared.
func (s Common) Listener(ln net.Listener) net.Listener { return common{ln, s} }

// register adds the metrics of what is shared, and returns its checks.
func (s Common) register(r *prometheus.Registry) (checks []Check) {
	if s.Certificate != nil {
		s.Certificate.register(r)
		checks = append(checks, s.Certificate.check())
	}
	if s.Audit != nil {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tasador_audit_lost_lines_total",
			Help: "Lines of the audit log that could not be kept, since the start of the process.",
		}, func() float64 { return float64(s.Audit.Lost()) }))
		checks = append(checks, Check{Name: "audit", Note: func(context.Context) *apperror.Sentence {
			if err := s.Audit.Problem(); err != nil {
				return &apperror.Sentence{Format: "the audit log cannot be written; its lines wait in memory"}
			}
			return nil
		}})
	}
	return checks
}

const touched = "touched"

// Touch notes for the audit log what a request changes, as pairs of names and values, such as run_id and an id. Parameters of the path are noted anyway.
func Touch(c echo.Context, pairs ...string) {
	object, _ := c.Get(touched).(map[string]string)
	if object == nil {
		object = map[string]string{}
		c.Set(touched, object)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			object[pairs[i]] = pairs[i+1]
		}
	}
}

const untouched = "untouched"

// Untouched says that a request, which could have changed something, only asked what would change.
func Untouched(c echo.Context) { c.Set(untouched, true) }

// Addresses where people log in and out and change what is their own.
const (
	accountPath = "/account/"
	logoutPath  = "/logout"
)

// changes reports whether a route is for changing something. Logins are among that, questions sent with POST and predictions are not.
func changes(path, method string, right Right) bool {
	if right == Write || right == Administer {
		return !isSafe(method) || method == http.MethodGet && right == Write // some protocols change with GET
	}
	return !isSafe(method) && (right == Public || path == logoutPath || strings.HasPrefix(path, accountPath))
}

// record notes in the audit log what became of a request that changes something, and whoever has shown what is not right.
func (s *Server) record(c echo.Context, err error) {
	if s.shared.Audit == nil {
		return
	}
	r, path := c.Request(), c.Path()
	key := routeKey{path, r.Method}
	right, known := s.rights[key]
	code := apperror.CodeOf(err)
	intruder := err != nil && (code == apperror.Unauthenticated || code == apperror.RateLimited) && r.Header.Get(echo.HeaderAuthorization) != ""
	if !intruder && (!known || !changes(path, r.Method, right)) {
		return
	}
	if c.Get(untouched) != nil && err == nil {
		return
	}
	e := audit.Entry{
		Address: addressOf(r), Agent: r.UserAgent(), Server: s.opts.Role, Method: r.Method, Action: path, Object: objectOf(c),
		Status: c.Response().Status, RequestID: RequestID(c), Outcome: audit.Done,
	}
	e.User, e.Via, e.Token = whoIs(r)
	switch {
	case code == apperror.Unauthenticated || code == apperror.PermissionDenied || code == apperror.RateLimited:
		e.Outcome, e.Error = audit.Refused, apperror.MessageOf(err)
	case err != nil:
		e.Outcome, e.Error = audit.Failed, apperror.MessageOf(err)
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Status == http.StatusTooManyRequests:
		e.Outcome = audit.Refused
	case e.Status >= http.StatusBadRequest:
		e.Outcome = audit.Failed
	}
	if e.Outcome == audit.Refused && e.Status == http.StatusTooManyRequests {
		e.User, e.Object = "", nil // whoever guesses in a storm fills no files with names
	}
	s.shared.Audit.Record(e, s.often[key] || e.Outcome == audit.Refused)
}

// whoIs says who sent a request. A name that nobody has proved is a claim.
func whoIs(r *http.Request) (user, via, token string) {
	if p := auth.PrincipalOf(r.Context()); p != nil {
		return p.User, string(p.Via), p.Token
	}
	if name, _, ok := r.BasicAuth(); ok {
		return name, "claim", ""
	}
	return "", "", ""
}

// objectOf is what a request is about: the parameters of its path, what its handler has noted, and whose account it is.
func objectOf(c echo.Context) map[string]string {
	object := map[string]string{}
	for i, name := range c.ParamNames() {
		if name == "*" {
			name = "path"
		}
		if values := c.ParamValues(); i < len(values) {
			object[name] = values[i]
		}
	}
	if noted, ok := c.Get(touched).(map[string]string); ok {
		maps.Copy(object, noted)
	}
	if isAccount(c.Path()) {
		for _, field := range []string{"name", "role"} { // never the others: passwords are among them
			if value := c.Request().PostForm.Get(field); value != "" {
				object[field] = value
			}
		}
	}
	return object
}

func isAccount(path string) bool {
	return path == "/login" || path == "/users" || strings.HasPrefix(path, "/users/") || strings.HasPrefix(path, accountPath)
}
