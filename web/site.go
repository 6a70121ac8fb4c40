package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"

	"tasador/pkg/apperror"
)

// Site renders pages. It is safe for concurrent use.
type Site struct {
	texts   catalog.Catalog
	matcher language.Matcher
	parsed  *template.Template
	hashes  map[string]string // of static files, by name
}

// Link leads to one of the servers, or to one of its parts.
type Link struct {
	Label   string // a key of the translations
	Href    string // empty if the address is not known
	Current bool
	Server  *Server // whose state is shown; nil for a part
}

// Server is a role and whether it is ready.
type Server struct {
	Role  string // its name, which is a key of the translations
	State State
	Late  []string // the parts that are not ready, by their names
}

// State is whether a server is ready.
type State string

// The states. Unknown is one that does not answer.
const (
	Ready    State = "ready"
	NotReady State = "not ready"
	Unknown  State = "unknown"
)

// Key leads to a page by two keys, g and this one.
type Key struct{ Key, Label, Href string }

// Production is the version of a model that is in production.
type Production struct {
	Model   string
	Version string // empty if there is none
	Href    string // empty if the address is not known
	Known   bool   // whether there is one; tracking knows
}

// User is who is logged in.
type User struct {
	Name  string
	Admin bool // may keep the users
}

// Page is what the layout needs, with the content of one template as Body.
type Page struct {
	Title      string // a key of the translations
	Name       string // of the one thing that the page shows, as its client wrote it; empty if the page shows many
	Links      []Link
	Keys       []Key
	Production Production
	User       *User // nil if nobody has to log in, or nobody did
	Role       string
	Version    string // of the program
	Style      string // a static file with the rules of this page alone; empty for most
	Body       any
}

// New reads templates and translations.
func New() (*Site, error) {
	texts, err := readTranslations()
	if err != nil {
		return nil, err
	}
	s := &Site{texts: texts, matcher: language.NewMatcher(Languages()), hashes: map[string]string{}}
	if err := s.hashStatic(); err != nil {
		return nil, err
	}
	// The functions of a language are put in when a page is rendered.
	s.parsed, err = template.New("").Funcs(s.funcs(view{printer: message.NewPrinter(language.English)})).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return s, nil
}

func (s *Site) hashStatic() error {
	return fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		s.hashes[strings.TrimPrefix(name, "static/")] = hex.EncodeToString(sum[:6])
		return nil
	})
}

// view is how one reader sees a page.
type view struct {
	printer *message.Printer
	tag     language.Tag
	base    string // en or es
	theme   string // light, dark or empty
	here    *url.URL
}

// Cookies remember what the switches chose.
const (
	langCookie  = "lang"
	themeCookie = "theme"
	cookieAge   = 365 * 24 * time.Hour
)

// Write renders the template name inside the layout. The language is the one of ?lang=, else the one chosen before, else the
// browser's; so is the theme.
func (s *Site) Write(w http.ResponseWriter, r *http.Request, status int, name string, p Page) error {
	v := s.view(w, r)
	t, err := s.parsed.Clone()
	if err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	t.Funcs(s.funcs(v))
	var out bytes.Buffer
	data := struct {
		Page
		Lang, Theme string
	}{p, v.base, v.theme}
	if err := t.ExecuteTemplate(&out, name+".html", data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.base)
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, err = w.Write(out.Bytes())
	return err
}

func (s *Site) view(w http.ResponseWriter, r *http.Request) view {
	v := view{here: r.URL}
	query := r.URL.Query()
	lang := chosen(w, r, langCookie, query.Get("lang"), "en", "es")
	v.tag, _ = language.MatchStrings(s.matcher, lang, r.Header.Get("Accept-Language"))
	base, _ := v.tag.Base()
	v.base = base.String()
	v.printer = message.NewPrinter(v.tag, message.Catalog(s.texts))
	v.theme = chosen(w, r, themeCookie, query.Get("theme"), "light", "dark", "auto")
	if v.theme == "auto" {
		v.theme = ""
	}
	return v
}

// chosen returns what the address asks for, and remembers it, else what was remembered; empty if neither is allowed.
func chosen(w http.ResponseWriter, r *http.Request, cookie, asked string, allowed ...string) string {
	for _, a := range allowed {
		if asked == a {
			http.SetCookie(w, &http.Cookie{ // #nosec G124 -- a taste, no secret, and the servers may speak plain HTTP
				Name: cookie, Value: a, Path: "/", MaxAge: int(cookieAge.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode,
			})
			return a
		}
	}
	if c, err := r.Cookie(cookie); err == nil {
		for _, a := range allowed {
			if c.Value == a {
				return a
			}
		}
	}
	return ""
}

func (s *Site) funcs(v view) template.FuncMap {
	return template.FuncMap{
		"t":     func(key string, args ...any) string { return v.printer.Sprintf(key, args...) },
		"say":   v.say,
		"tell":  func(s apperror.Sentence) string { return v.say(s.Format, s.Args) },
		"money": v.money, "dollars": v.dollars, "signed": v.signed,
		"number": v.number, "fixed": v.fixed, "measure": v.measure, "short": v.short, "count": v.count, "size": v.size, "took": v.took,
		"percent": v.percent, "utc": v.utc, "machine": machine,
		"static": func(name string) string { return "/static/" + name + "?v=" + s.hashes[name] },
		"here":   v.with,
	}
}

// Teller returns what writes sentences in the language of the one who sent r, for answers that are no page.
func (s *Site) Teller(w http.ResponseWriter, r *http.Request) func(apperror.Sentence) string {
	v := s.view(w, r)
	return func(what apperror.Sentence) string { return v.say(what.Format, what.Args) }
}

// say writes a sentence in the reader's language, and the sentences in it.
func (v view) say(format string, args []any) string {
	told := make([]any, len(args))
	for i, a := range args {
		if s, ok := a.(apperror.Sentence); ok {
			a = v.say(s.Format, s.Args)
		}
		told[i] = a
	}
	return v.printer.Sprintf(format, told...)
}

// with returns the address of this page with one parameter changed.
func (v view) with(key, value string) string {
	query := v.here.Query()
	query.Set(key, value)
	return "?" + query.Encode() // the path stays: one such as //elsewhere.example would lead away
}

// Static serves the embedded files below /static/; what is asked for by its hash may be kept for ever.
func (s *Site) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/static/")
		hash, known := s.hashes[name]
		if !known {
			http.NotFound(w, r)
			return
		}
		content, err := files.ReadFile("static/" + name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		cache := "no-cache"
		if r.URL.Query().Get("v") == hash {
			cache = "public, max-age=31536000, immutable"
		}
		w.Header().Set("Cache-Control", cache)
		w.Header().Set("ETag", `"`+hash+`"`)
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	})
}
