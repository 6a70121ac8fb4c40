package trackingclient

import (
	"errors"
	"net/http"
)

// Login is what a server that asks for it is shown: a name with a password or, if there is no name or no password, a bearer token.
type Login struct{ Username, Password, Token string }

func (l Login) sign(req *http.Request) {
	switch {
	case l.Username != "" && l.Password != "":
		req.SetBasicAuth(l.Username, l.Password)
	case l.Token != "":
		req.Header.Set("Authorization", "Bearer "+l.Token)
	}
}

// noEndpoint is the refusal of a call that the server does not have.
type noEndpoint struct{ err error }

func (n *noEndpoint) Error() string { return n.err.Error() }
func (n *noEndpoint) Unwrap() error { return n.err }

// HasNoEndpoint reports whether an error says that the server does not know the call at all, as an older one may not.
func HasNoEndpoint(err error) bool {
	var n *noEndpoint
	return errors.As(err, &n)
}
