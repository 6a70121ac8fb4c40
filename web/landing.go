package web

import "net/http"

// Entry is one thing that a server offers.
type Entry struct {
	Path string // shown as it is
	What string // a key of the translations
}

// LandingOptions say what the first page of a role without pages of its own shows.
type LandingOptions struct {
	Role    string
	Version string
	Intro   string // a key of the translations
	Entries []Entry
	Header  func(r *http.Request, page *Page) // completes the page; may be nil
}

// Landing returns the first page of a role that has no pages of its own: what it is and what it offers.
func (s *Site) Landing(o LandingOptions) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		p := Page{Title: o.Role, Role: o.Role, Version: o.Version, Body: o}
		if o.Header != nil {
			o.Header(r, &p)
		}
		return s.Write(w, r, http.StatusOK, "landing", p)
	}
}
