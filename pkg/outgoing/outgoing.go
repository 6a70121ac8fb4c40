// Package outgoing is how this process asks other servers: whom it trusts, and to whom it says who it is.
package outgoing

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"tasador/pkg/apperror"
	"tasador/pkg/reloaded"
)

// Options say whom to trust and what to show. The zero value trusts what the system trusts and shows nothing.
type Options struct {
	CA    string // file of certificates (PEM) that are trusted beside the system's; read anew when it changes
	Login Login
	Own   Own
	Log   *slog.Logger // of files that change; may be nil
}

// Login is what a server is shown: a name with a password or, if one of them is missing, a bearer token.
type Login struct {
	Username, Password string
	Token              string
	TokenFile          string // of the token, instead of Token; read anew when it changes
}

// Own is this process as it reaches itself: one role asks another.
type Own struct {
	Addresses   []string // host:port of its servers
	Certificate string   // file of the certificate they show, whatever names it is for; empty if they speak plain HTTP
	Token       string   // shown to them instead of the login; empty for none
}

// Client returns a client of the server at an address, which alone is shown the login: what a redirect leads to elsewhere is not. An address with a user of
// its own shows that one. Transport is the client's to keep. Files that cannot be read are reported by every request.
func (o Options) Client(address string, transport *http.Transport) *http.Client {
	t := &trip{opts: o, plain: transport}
	if u, err := url.Parse(address); err == nil {
		t.origin = originOf(u)
	}
	t.open = sync.OnceValue(t.readFiles)
	return &http.Client{Transport: t}
}

// Check reads the files, so that a wrong one is told before anything is asked. Codes: Invalid.
func (o Options) Check() error { return (&trip{opts: o}).readFiles() }

// trip sends requests the right way.
type trip struct {
	opts   Options
	origin string // that is shown the login
	plain  *http.Transport
	open   func() error

	// Of the files; nil for those that are not named.
	token       *reloaded.Value[string]
	authorities *reloaded.Value[*x509.CertPool]
	own         *reloaded.Value[*x509.Certificate]

	mu       sync.Mutex
	trusting *http.Transport // the authorities of pool
	pool     *x509.CertPool
	straight *http.Transport // to this process itself
	seen     []*x509.Certificate
}

func (t *trip) readFiles() (err error) {
	if path := t.opts.Login.TokenFile; path != "" {
		if t.token, err = reloaded.Open(t.opts.Log, func(c [][]byte) (string, error) { return parseToken(path, c[0]) }, path); err != nil {
			return err
		}
	}
	if path := t.opts.CA; path != "" {
		if t.authorities, err = reloaded.Open(t.opts.Log, func(c [][]byte) (*x509.CertPool, error) { return parseAuthorities(path, c[0]) }, path); err != nil {
			return err
		}
	}
	if path := t.opts.Own.Certificate; path != "" {
		t.own, err = reloaded.Open(nil, func(c [][]byte) (*x509.Certificate, error) { return parseLeaf(path, c[0]) }, path) // the server's log tells
	}
	return err
}

// RoundTrip implements http.RoundTripper.
func (t *trip) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.open(); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as every transport does
		}
		return nil, err
	}
	own := slices.Contains(t.opts.Own.Addresses, hostPort(req.URL))
	return t.through(own).RoundTrip(t.signed(req, own))
}

// CloseIdleConnections does what http.Client's does.
func (t *trip) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, transport := range []*http.Transport{t.plain, t.trusting, t.straight} {
		if transport != nil {
			transport.CloseIdleConnections()
		}
	}
}

func (t *trip) signed(req *http.Request, own bool) *http.Request {
	login := t.opts.Login
	switch {
	case originOf(req.URL) != t.origin || req.Header.Get("Authorization") != "":
		return req
	case own && t.opts.Own.Token != "":
		login = Login{Token: t.opts.Own.Token}
	case t.token != nil:
		login.Token = t.token.Get()
	}
	if login.Token == "" && (login.Username == "" || login.Password == "") {
		return req
	}
	copied := *req
	copied.Header = req.Header.Clone()
	if login.Username != "" && login.Password != "" {
		copied.SetBasicAuth(login.Username, login.Password)
	} else {
		copied.Header.Set("Authorization", "Bearer "+login.Token)
	}
	return &copied
}

// through returns the transport of a request. One that trusts other authorities than before takes the place of its predecessor.
func (t *trip) through(own bool) *http.Transport {
	if !own && t.authorities == nil {
		return t.plain
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if own {
		if t.straight == nil {
			t.straight = t.plain.Clone()
			t.straight.Proxy = nil
			if t.own != nil {
				t.straight.TLSClientConfig = t.pinned()
			}
		}
		return t.straight
	}
	if pool := t.authorities.Get(); t.trusting == nil || pool != t.pool {
		if t.trusting != nil {
			t.trusting.CloseIdleConnections()
		}
		t.pool, t.trusting = pool, t.plain.Clone()
		t.trusting.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	return t.trusting
}

// pinned trusts the certificate of this process and nothing else. It is for names at which others reach the process, and this one reaches it at its address:
// names and authorities prove nothing here, the certificate itself does.
func (t *trip) pinned() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // #nosec G402 -- VerifyConnection takes the one certificate
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !t.isOwn(state.PeerCertificates[0]) {
				return apperror.New(apperror.Unavailable, "the server that answers at an address of this process shows another certificate than %s", t.opts.Own.Certificate)
			}
			return nil
		},
	}
}

// isOwn reports whether a certificate is in the file or was: the server may still show the one before.
func (t *trip) isOwn(shown *x509.Certificate) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.own.Get(); !slices.ContainsFunc(t.seen, now.Equal) {
		t.seen = append(t.seen, now)
	}
	return slices.ContainsFunc(t.seen, shown.Equal)
}

// originOf is what a login is for: scheme, host and port.
func originOf(u *url.URL) string { return u.Scheme + "://" + hostPort(u) }

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// NewTransport is the transport of a client that asks now and then.
func NewTransport() *http.Transport { return &http.Transport{Proxy: http.ProxyFromEnvironment} }
