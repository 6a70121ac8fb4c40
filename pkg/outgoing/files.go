package outgoing

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"tasador/pkg/apperror"
)

// parseToken reads a token, which may end with a new line.
func parseToken(path string, content []byte) (string, error) {
	token := string(bytes.TrimSpace(content))
	if !IsToken(token) {
		return "", apperror.New(apperror.Invalid, "the file %s holds no token; write the one that tasador token create prints into it, and nothing else", path)
	}
	return token, nil
}

// IsToken reports whether a text can be sent as a bearer token.
func IsToken(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// parseAuthorities reads certificates and adds them to those that the system trusts.
func parseAuthorities(path string, content []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a small image has none
	}
	if !pool.AppendCertsFromPEM(content) {
		return nil, apperror.New(apperror.Invalid, "the file %s of --http.ca holds no certificate in PEM", path)
	}
	return pool, nil
}

// parseLeaf reads the first certificate.
func parseLeaf(path string, content []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, apperror.Wrap(apperror.Invalid, err, "the certificate %s cannot be read", path)
		}
		return leaf, nil
	}
	return nil, apperror.New(apperror.Invalid, "the file %s holds no certificate in PEM", path)
}
