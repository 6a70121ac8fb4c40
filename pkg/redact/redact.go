// Package redact takes the secrets out of addresses before they are shown: in messages, logs, pages and printed settings.
package redact

import (
	"net/url"
	"strings"
)

// Mask stands where a secret was.
const Mask = "xxxxx"

// secretKeys are words in the names of query parameters that carry secrets.
var secretKeys = []string{"password", "passwd", "pwd", "secret", "token", "key", "signature", "sig", "auth", "credential"}

// URL hides the password of an address and the secrets in its query. Of one that cannot be read, or in which the password may be somewhere else, only
// the scheme is left.
func URL(address string) string {
	if strings.HasPrefix(strings.TrimSpace(address), "{") { // a connection of Airflow's as JSON, which is no address
		return Mask
	}
	if !strings.Contains(address, "://") && !strings.ContainsAny(address, "@?") {
		return address // not an address, such as host:port, or a file's
	}
	u, err := url.Parse(address)
	if err != nil || (u.User == nil && u.Scheme != "sqlite" && u.Scheme != "file" && strings.Contains(address, "@")) {
		scheme, _, found := strings.Cut(address, ":")
		if !found {
			return Mask
		}
		return scheme + ":" + Mask
	}
	if u.User == nil && u.RawQuery == "" {
		return address // as it was written
	}
	u.RawQuery = query(u.RawQuery)
	return u.Redacted()
}

// query leaves the order of the parameters.
func query(raw string) string {
	pairs := strings.Split(raw, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		for _, word := range secretKeys {
			if strings.Contains(strings.ToLower(name), word) {
				pairs[i] = name + "=" + Mask
			}
		}
	}
	return strings.Join(pairs, "&")
}

// Link returns an address without user and password, for a page that links to it.
func Link(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

// Headers hides the values of headers of the form "Name: value", one a line, and all of a line that is none.
func Headers(lines string) string {
	out := strings.Split(lines, "\n")
	for i, line := range out {
		name, _, found := strings.Cut(line, ":")
		switch {
		case found:
			out[i] = name + ": " + Mask
		case line != "":
			out[i] = Mask
		}
	}
	return strings.Join(out, "\n")
}
