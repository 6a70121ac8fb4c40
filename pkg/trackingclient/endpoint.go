package trackingclient

import "errors"

// noEndpoint is the refusal of a call that the server does not have.
type noEndpoint struct{ err error }

func (n *noEndpoint) Error() string { return n.err.Error() }
func (n *noEndpoint) Unwrap() error { return n.err }

// HasNoEndpoint reports whether an error says that the server does not know the call at all, as an older one may not.
func HasNoEndpoint(err error) bool {
	var n *noEndpoint
	return errors.As(err, &n)
}
