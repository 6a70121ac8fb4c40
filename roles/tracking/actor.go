package tracking

import (
	"context"
	"net"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"tasador/pkg/auth"
	"tasador/pkg/registry"
)

// maxActor bounds each thing that a client says of itself, in bytes.
const maxActor = 200

// withActor returns the context of a request with who asks. The address is that of the connection, which may be a proxy's. Where nobody has to log in, the user is
// the one that the client claims to be, as MLflow's clients do with MLFLOW_TRACKING_USERNAME.
func withActor(c echo.Context, via registry.Via) context.Context {
	r := c.Request()
	a := registry.Actor{Via: via, Address: r.RemoteAddr, Agent: plain(r.UserAgent())}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		a.Address = host
	}
	if p := auth.PrincipalOf(r.Context()); p != nil {
		a.User, a.Verified = p.User, true
	} else if user, _, ok := r.BasicAuth(); ok {
		a.User = plain(user)
	}
	return registry.WithActor(r.Context(), a)
}

// plain is what a client said, short and without what databases and terminals do not take.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > maxActor {
		s = strings.ToValidUTF8(s[:maxActor], "")
	}
	return s
}
