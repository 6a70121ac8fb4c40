package listingapi

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"tasador/pkg/apperror"
	"tasador/pkg/redact"
)

// address returns what is asked. Parameters that the address of the data API has itself stay as they are.
func (c *Client) address(path string, req Request) (*url.URL, error) {
	if strings.TrimSpace(c.base) == "" {
		return nil, apperror.New(apperror.Invalid, "no data API is configured; set --source.uri, for example http://127.0.0.1:8090")
	}
	u, err := url.Parse(c.base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, apperror.New(apperror.Invalid, "%q is not the address of a data API; set --source.uri, for example http://127.0.0.1:8090", redact.URL(c.base))
	}
	if c.opts.Exact {
		return u, nil
	}
	own := u.Query()
	added := url.Values{"group_number": {strconv.Itoa(req.GroupNumber)}, "day": {req.Day}}
	for name := range added {
		if own.Has(name) {
			added.Del(name)
		}
	}
	u = u.JoinPath(path)
	u.RawQuery = strings.Trim(u.RawQuery+"&"+added.Encode(), "&")
	return u, nil
}

// ParseHeaders reads headers of the form "Name: value", one a line. Values are not told in errors: they may be secret.
func ParseHeaders(lines []string) (http.Header, error) {
	headers := http.Header{}
	for _, line := range strings.Split(strings.Join(lines, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !found:
			return nil, apperror.New(apperror.Invalid, "--source.headers has a line without a colon; write each header as 'Name: value', on a line of its own")
		case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			return nil, apperror.New(apperror.Invalid, "--source.headers: the header %q cannot be sent; write it as 'Name: value' without control characters", shorten(name, 40))
		case ours[http.CanonicalHeaderKey(name)]:
			return nil, apperror.New(apperror.Invalid, "--source.headers: %s is set by tasador; leave it out", name)
		}
		headers.Add(name, value)
	}
	return headers, nil
}

// ours are the headers that requests have anyway.
var ours = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Accept-Encoding": true, "Te": true, "Upgrade": true, HeaderIdempotencyKey: true,
}

func (c *Client) setHeaders(to http.Header, req Request) {
	to.Set("Accept", "application/json")
	for name, values := range c.opts.Headers {
		to[name] = values
	}
	to.Set("Accept-Encoding", "gzip")
	if req.IdempotencyKey != "" {
		to.Set(HeaderIdempotencyKey, req.IdempotencyKey)
	}
}

// redirect keeps the headers of the settings, which may be keys, from other servers than the one that they are for.
func (c *Client) redirect(next *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("it redirected 10 times")
	}
	next.Header.Del("Referer") // the address with its parameters
	if next.URL.Scheme != via[0].URL.Scheme || next.URL.Host != via[0].URL.Host {
		for name := range c.opts.Headers {
			next.Header.Del(name)
		}
	}
	return nil
}
