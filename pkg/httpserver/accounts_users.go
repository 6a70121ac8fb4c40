package httpserver

import (
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
)

// usersPage is the content of the list of users.
type usersPage struct {
	Users  []auth.User
	Roles  []auth.Role
	Least  int // characters of a password
	Name   string
	Role   auth.Role
	Done   *apperror.Sentence
	Failed *apperror.Sentence
}

func (a *accounts) users(c echo.Context, _ *auth.Principal) error {
	return a.writeUsers(c, http.StatusOK, usersPage{Done: doneOf(c)})
}

func (a *accounts) writeUsers(c echo.Context, status int, body usersPage) (err error) {
	if body.Users, err = a.store.Users(c.Request().Context()); err != nil {
		return err
	}
	body.Roles, body.Least = auth.Roles(), auth.MinPassword
	return a.write(c, status, "users", "Users", body)
}

func (a *accounts) addUser(c echo.Context, _ *auth.Principal) error {
	role, password := auth.Role(c.FormValue("role")), c.FormValue("password")
	name, err := auth.ParseName(c.FormValue("name"))
	if err == nil {
		err = auth.CheckPassword(name, password)
	}
	if err == nil {
		_, err = a.store.AddUser(c.Request().Context(), name, role, auth.HashPassword(password))
	}
	if err != nil {
		if apperror.CodeOf(err) == apperror.Internal {
			return err
		}
		says := apperror.SentenceOf(err)
		return a.writeUsers(c, StatusOf(err), usersPage{Failed: &says, Name: c.FormValue("name"), Role: role})
	}
	return c.Redirect(http.StatusSeeOther, userPath(name)+"?done=added")
}

func userPath(name string) string { return "/users/" + url.PathEscape(name) }

// userPage is the content of the page of a user, for admins.
type userPage struct {
	User   auth.User
	Path   string
	Self   bool // the user is the reader
	Roles  []auth.Role
	Tokens []auth.Token
	Logins []auth.Session
	Now    time.Time
	Least  int // characters of a password
	Done   *apperror.Sentence
	Failed *apperror.Sentence
}

func (a *accounts) user(c echo.Context, p *auth.Principal) error {
	return a.writeUser(c, p, http.StatusOK, userPage{Done: doneOf(c)})
}

func (a *accounts) writeUser(c echo.Context, p *auth.Principal, status int, body userPage) (err error) {
	ctx, name := c.Request().Context(), nameOf(c)
	if body.User, _, err = a.store.UserByName(ctx, name); err != nil {
		return err
	}
	if body.Tokens, err = a.store.Tokens(ctx, name); err != nil {
		return err
	}
	if body.Logins, err = a.store.Sessions(ctx, name); err != nil {
		return err
	}
	body.Path, body.Self, body.Roles, body.Least, body.Now = userPath(name), name == p.User, auth.Roles(), auth.MinPassword, time.Now()
	return a.write(c, status, "user", "User", body)
}

// nameOf is the user that the address names; the router leaves what is escaped in addresses as it is.
func nameOf(c echo.Context) string {
	name, err := url.PathUnescape(c.Param("name"))
	if err != nil {
		return c.Param("name")
	}
	return name
}

// changed ends a change of the user that the address names: back on a page, or with what is wrong.
func (a *accounts) changed(c echo.Context, p *auth.Principal, err error, to string) error {
	a.auth.Forget(nameOf(c))
	if err == nil {
		return c.Redirect(http.StatusSeeOther, to)
	}
	if code := apperror.CodeOf(err); code == apperror.Internal || code == apperror.NotFound {
		return err
	}
	says := apperror.SentenceOf(err)
	return a.writeUser(c, p, StatusOf(err), userPage{Failed: &says})
}

func (a *accounts) setRole(c echo.Context, p *auth.Principal) error {
	err := a.store.SetRole(c.Request().Context(), nameOf(c), auth.Role(c.FormValue("role")))
	return a.changed(c, p, err, userPath(nameOf(c))+"?done=role")
}

func (a *accounts) setPassword(c echo.Context, p *auth.Principal) error {
	name, password := nameOf(c), c.FormValue("password")
	err := auth.CheckPassword(name, password)
	if err == nil {
		err = a.store.SetPassword(c.Request().Context(), name, auth.HashPassword(password), p.Session)
	}
	return a.changed(c, p, err, userPath(name)+"?done=password")
}

func (a *accounts) revokeTokenOf(c echo.Context, p *auth.Principal) error {
	return a.changed(c, p, a.revoke(c, nameOf(c)), userPath(nameOf(c))+"?done=revoked")
}

func (a *accounts) endLogins(c echo.Context, p *auth.Principal) error {
	_, err := a.store.RemoveSessions(c.Request().Context(), nameOf(c), p.Session)
	return a.changed(c, p, err, userPath(nameOf(c))+"?done=ended")
}

func (a *accounts) remove(c echo.Context, p *auth.Principal) error {
	return a.changed(c, p, a.store.RemoveUser(c.Request().Context(), nameOf(c)), "/users?done=removed")
}
