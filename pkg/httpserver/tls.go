package httpserver

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/apperror"
	"tasador/pkg/reloaded"
)

// expiresSoon is how long before its end /readyz notes that a certificate ends.
const expiresSoon = 7 * 24 * time.Hour

// Certificate is what servers prove their name with. Its files may be replaced while it is in use; a pair that cannot be used does not take the place of one
// that can.
type Certificate struct {
	pair *reloaded.Value[*tls.Certificate]
}

// OpenCertificate reads a certificate with those that vouch for it, and its key, both PEM. Codes: Invalid.
func OpenCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	parse := func(contents [][]byte) (*tls.Certificate, error) {
		pair, err := tls.X509KeyPair(contents[0], contents[1])
		if err != nil {
			return nil, apperror.Wrap(apperror.Invalid, err, "the certificate %s and the key %s are no pair in PEM that can be used; check both files", certFile, keyFile)
		}
		return &pair, nil
	}
	pair, err := reloaded.Open(log, parse, certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &Certificate{pair}, nil
}

// config is that of connections. They speak HTTP/1.1 only: the stop relies on Connection: close, slow bodies on deadlines of their connection, and clients of
// few, long-lived connections gain nothing by sharing one.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Get(), nil },
	}
}

// listener returns a listener whose connections are encrypted.
func (c *Certificate) listener(ln net.Listener) net.Listener { return tls.NewListener(ln, c.config()) }

// register makes the metrics of the certificate.
func (c *Certificate) register(r *prometheus.Registry) {
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tasador_tls_certificate_expiry_timestamp_seconds",
			Help: "When the certificate in use ends, as Unix time.",
		}, func() float64 { return float64(c.pair.Get().Leaf.NotAfter.Unix()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tasador_tls_certificate_reload_success",
			Help: "1 while the certificate in use is that of the files, 0 while they hold one that cannot be used.",
		}, func() float64 {
			if c.pair.Problem() != nil {
				return 0
			}
			return 1
		}),
	)
}

// check notes at /readyz what is wrong with the certificate. The server answers all the same.
func (c *Certificate) check() Check {
	return Check{Name: "tls", Note: func(context.Context) *apperror.Sentence {
		if err := c.pair.Problem(); err != nil {
			return &apperror.Sentence{Format: "the certificate before stays in use: %s", Args: []any{apperror.SentenceOf(err)}}
		}
		end := c.pair.Get().Leaf.NotAfter
		switch left := time.Until(end); {
		case left <= 0:
			return &apperror.Sentence{Format: "the certificate ended on %s; replace its files", Args: []any{end.UTC().Format(time.DateTime)}}
		case left < expiresSoon:
			return &apperror.Sentence{Format: "the certificate ends on %s; replace its files", Args: []any{end.UTC().Format(time.DateTime)}}
		}
		return nil
	}}
}

// quietHandshakes is a log of the library that tells of failed handshakes only at level debug: whoever checks a port makes one.
type quietHandshakes struct{ log *slog.Logger }

// Write implements io.Writer with a line of the library's log.
func (q quietHandshakes) Write(line []byte) (int, error) {
	level, text := slog.LevelWarn, strings.TrimSpace(string(line))
	if strings.Contains(text, "TLS handshake error") {
		level = slog.LevelDebug
	}
	q.log.Log(context.Background(), level, text)
	return len(line), nil
}
