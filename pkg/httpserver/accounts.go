package httpserver

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/web"
)

// accounts are the pages on which people log in and keep users and tokens. Every role has them, where people have to log in.
type accounts struct {
	*Guard
	server *Server
}

const maxForm = 16 << 10 // bytes of a form

func (a *accounts) routes() []Route {
	const user = "/users/:name"
	form := func(path string, right Right, handler echo.HandlerFunc) Route {
		return Route{Method: http.MethodPost, Path: path, Right: right, Handler: Page(handler), BodyLimit: maxForm}
	}
	page := func(path string, right Right, handler echo.HandlerFunc) Route {
		return Route{Method: http.MethodGet, Path: path, Right: right, Handler: Page(handler)}
	}
	return []Route{
		page("/login", Public, a.loginForm),
		form("/login", Public, a.login),
		form("/logout", Read, a.logout),
		page("/account", Read, a.own(a.account)),
		form("/account/password", Read, a.own(a.changePassword)),
		form("/account/tokens", Read, a.own(a.makeToken)),
		form("/account/tokens/:id/revoke", Read, a.own(a.revokeToken)),
		form("/account/logins/end", Read, a.own(a.endOthers)),
		page("/users", Administer, a.own(a.users)),
		form("/users", Administer, a.own(a.addUser)),
		page(user, Administer, a.own(a.user)),
		form(user+"/role", Administer, a.own(a.setRole)),
		form(user+"/password", Administer, a.own(a.setPassword)),
		form(user+"/tokens/:id/revoke", Administer, a.own(a.revokeTokenOf)),
		form(user+"/logins/end", Administer, a.own(a.endLogins)),
		form(user+"/remove", Administer, a.own(a.remove)),
		page("/audit", Administer, a.audit),
	}
}

// own lets only people through who have logged in with their password: a token, which may be narrowed and may leak, makes no other and changes no user.
func (a *accounts) own(handler func(echo.Context, *auth.Principal) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		p := auth.PrincipalOf(c.Request().Context())
		if p == nil || (p.Via != auth.BySession && p.Via != auth.ByPassword) {
			return apperror.New(apperror.PermissionDenied, "a token may not do this; log in with the password")
		}
		return handler(c, p)
	}
}

// write sends a page; name is that of the template after account_.
func (a *accounts) write(c echo.Context, status int, name, title string, body any) error {
	page := web.Page{Title: title, Role: a.server.opts.Role, Body: body}
	if auth.PrincipalOf(c.Request().Context()) != nil { // others need not know what runs here
		page.Version = a.server.opts.Build.Version
		if a.server.opts.Header != nil {
			a.server.opts.Header.Fill(c.Request(), &page)
		}
	}
	return a.site.Write(c.Response(), c.Request(), status, "account_"+name, page)
}

// loginPage is the content of the page on which people log in.
type loginPage struct {
	Name, Next string
	Left       bool // the reader has just logged out
	Failed     *apperror.Sentence
}

func (a *accounts) loginForm(c echo.Context) error {
	next := localPath(c.QueryParam("next"))
	if _, err := a.auth.Session(c.Request().Context(), sessionOf(c.Request(), a.server.secure(c.Request()))); err == nil {
		return c.Redirect(http.StatusSeeOther, next)
	}
	return a.write(c, http.StatusOK, "login", "Log in", loginPage{Next: next, Left: c.QueryParam("left") != ""})
}

func (a *accounts) login(c echo.Context) error {
	r := c.Request()
	name, next := c.FormValue("name"), localPath(c.FormValue("next"))
	secret, _, err := a.auth.LogIn(r.Context(), auth.Login{
		Name: name, Password: c.FormValue("password"), Address: addressOf(r), Agent: r.UserAgent(),
	}, auth.ForPages)
	if err != nil {
		if apperror.CodeOf(err) == apperror.Internal {
			return err
		}
		retryAfter(c, err)
		failed := apperror.SentenceOf(err)
		if apperror.CodeOf(err) == apperror.Unauthenticated {
			failed = apperror.Sentence{Format: "User or password is not right."}
		}
		return a.write(c, StatusOf(err), "login", "Log in", loginPage{Name: name, Next: next, Failed: &failed})
	}
	secure := a.server.secure(r)
	if before := sessionOf(r, secure); before != "" {
		_ = a.auth.LogOut(r.Context(), before) // it ends by itself otherwise
	}
	a.setCookie(c, secure, secret, int(a.auth.SessionLife().Seconds()))
	return c.Redirect(http.StatusSeeOther, next)
}

func (a *accounts) setCookie(c echo.Context, secure bool, value string, maxAge int) {
	c.SetCookie(&http.Cookie{ // #nosec G124 -- secure where there is TLS; without it nothing is
		Name: cookieName(secure), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	})
}

func (a *accounts) logout(c echo.Context) error {
	secure := a.server.secure(c.Request())
	if secret := sessionOf(c.Request(), secure); secret != "" {
		if err := a.auth.LogOut(c.Request().Context(), secret); err != nil {
			return err
		}
	}
	a.setCookie(c, secure, "", -1)
	return c.Redirect(http.StatusSeeOther, "/login?left=yes")
}

// localPath returns an address of this server that a client has sent, or the first page if it could lead elsewhere.
func localPath(next string) string {
	odd := func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f } // what browsers drop or take for a slash
	u, err := url.Parse(next)
	switch {
	case err != nil, u.Scheme != "", u.Host != "", u.User != nil, !strings.HasPrefix(next, "/"), strings.HasPrefix(next, "//"), strings.ContainsFunc(next, odd):
		return "/"
	case u.Path == "/login", u.Path == "/logout":
		return "/"
	}
	return cmp.Or(u.RequestURI(), "/")
}
