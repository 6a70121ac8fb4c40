package httpserver

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

const servesPage = "page"

// Page marks the handler of a page: its errors are pages too (see WantsErrorPage).
func Page(handler echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(servesPage, true)
		return handler(c)
	}
}

// WantsErrorPage reports whether an error is to be shown as a page: it comes from a page, or a browser asks for an address that
// is neither a page nor below one of the prefixes of calls. Browsers name HTML first in what they accept.
func WantsErrorPage(c echo.Context, err error, calls ...string) bool {
	if c.Get(servesPage) != nil {
		return true
	}
	var he *echo.HTTPError
	r := c.Request()
	return errors.As(err, &he) && he.Code == http.StatusNotFound && r.Method == http.MethodGet &&
		strings.HasPrefix(r.Header.Get(echo.HeaderAccept), echo.MIMETextHTML) &&
		!slices.ContainsFunc(calls, func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix) })
}
