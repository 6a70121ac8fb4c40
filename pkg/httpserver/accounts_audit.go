package httpserver

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/audit"
)

const changesOnPage = 100

// auditPage is the content of the page of who changed what.
type auditPage struct {
	Kept     bool // whether there is a log
	Entries  []audit.Entry
	User     string
	Outcome  audit.Outcome
	Outcomes []audit.Outcome
	First    string // address of the newest, empty if this is them
	Next     string // address of the entries before these, empty if there are none
}

// Filtered reports whether not all entries are asked for.
func (p auditPage) Filtered() bool { return p.User != "" || p.Outcome != "" }

// audit shows what the audit log of this data folder has. What no filter can be is left out: whoever mistypes an address sees more than asked, never less.
func (a *accounts) audit(c echo.Context) error {
	log := a.server.shared.Audit
	filter := audit.Filter{User: c.QueryParam("user")}
	if outcome := audit.Outcome(c.QueryParam("outcome")); slices.Contains(audit.Outcomes(), outcome) {
		filter.Outcome = outcome
	}
	if before, err := time.Parse(time.RFC3339Nano, c.QueryParam("before")); err == nil {
		filter.Before = before
	}
	entries, err := log.Newest(c.Request().Context(), filter, changesOnPage)
	if err != nil {
		return err
	}
	body := auditPage{Kept: log != nil, Entries: entries, User: filter.User, Outcome: filter.Outcome, Outcomes: audit.Outcomes()}
	query := url.Values{}
	if filter.User != "" {
		query.Set("user", filter.User)
	}
	if filter.Outcome != "" {
		query.Set("outcome", string(filter.Outcome))
	}
	if !filter.Before.IsZero() {
		body.First = "/audit?" + query.Encode()
	}
	if len(entries) >= changesOnPage {
		query.Set("before", entries[len(entries)-1].Time.Format(time.RFC3339Nano))
		body.Next = "/audit?" + query.Encode()
	}
	return a.write(c, http.StatusOK, "audit", "Who changed what", body)
}
