package httpserver

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
)

// accountPage is the content of the page of a user, for the user.
type accountPage struct {
	User     *auth.Principal
	Roles    []auth.Role // that a token may have
	Tokens   []auth.Token
	Logins   []auth.Session
	Now      time.Time
	Least    int    // characters of a password
	Made     string // the token that was made just now, which is shown this once
	MadeName string
	Done     *apperror.Sentence
	Failed   *apperror.Sentence
	Name     string // of the token that could not be made
}

func (a *accounts) account(c echo.Context, p *auth.Principal) error {
	return a.writeAccount(c, p, http.StatusOK, accountPage{Done: doneOf(c)})
}

// doneOf is what the form that led here has done, as its address says.
func doneOf(c echo.Context) *apperror.Sentence {
	s, known := map[string]apperror.Sentence{
		"password": {Format: "The password is changed; all other logins have ended."},
		"revoked":  {Format: "The token is revoked."},
		"ended":    {Format: "The logins have ended."},
		"role":     {Format: "The role is changed."},
		"removed":  {Format: "The user is removed, with all tokens and logins."},
		"added":    {Format: "The user is added."},
	}[c.QueryParam("done")]
	if !known {
		return nil
	}
	return &s
}

func (a *accounts) writeAccount(c echo.Context, p *auth.Principal, status int, body accountPage) (err error) {
	ctx := c.Request().Context()
	if body.Tokens, err = a.store.Tokens(ctx, p.User); err != nil {
		return err
	}
	if body.Logins, err = a.store.Sessions(ctx, p.User); err != nil {
		return err
	}
	body.User, body.Least, body.Now = p, auth.MinPassword, time.Now()
	for _, role := range auth.Roles() {
		if role.AtMost(p.Role) == role {
			body.Roles = append(body.Roles, role)
		}
	}
	return a.write(c, status, "account", "Your account", body)
}

// failedAccount shows the page again with what is wrong.
func (a *accounts) failedAccount(c echo.Context, p *auth.Principal, err error, body accountPage) error {
	if apperror.CodeOf(err) == apperror.Internal {
		return err
	}
	retryAfter(c, err)
	says := apperror.SentenceOf(err)
	body.Failed = &says
	return a.writeAccount(c, p, StatusOf(err), body)
}

func (a *accounts) changePassword(c echo.Context, p *auth.Principal) error {
	r := c.Request()
	now, next := c.FormValue("now"), c.FormValue("new")
	err := auth.CheckPassword(p.User, next)
	if err == nil && next != c.FormValue("again") {
		err = apperror.New(apperror.Invalid, "the two new passwords are not the same")
	}
	if err == nil {
		err = a.auth.CheckPassword(r.Context(), auth.Login{Name: p.User, Password: now, Address: addressOf(r)})
		if apperror.CodeOf(err) == apperror.Unauthenticated {
			err = apperror.New(apperror.Invalid, "the password of now is not right")
		}
	}
	if err == nil {
		err = a.store.SetPassword(r.Context(), p.User, auth.HashPassword(next), p.Session)
		a.auth.Forget(p.User)
	}
	if err != nil {
		return a.failedAccount(c, p, err, accountPage{})
	}
	return c.Redirect(http.StatusSeeOther, "/account?done=password")
}

// maxTokenDays is how long a token lasts at most that is to end, ten years.
const maxTokenDays = 3650

func (a *accounts) makeToken(c echo.Context, p *auth.Principal) error {
	t := auth.Token{Owner: p.User, Name: c.FormValue("name"), Role: auth.Role(c.FormValue("role")).AtMost(p.Role)}
	err := readDays(c.FormValue("days"), &t)
	secret := auth.NewToken()
	if err == nil {
		_, err = a.store.AddToken(c.Request().Context(), t, auth.HashSecret(secret))
	}
	if err != nil {
		return a.failedAccount(c, p, err, accountPage{Name: t.Name})
	}
	return a.writeAccount(c, p, http.StatusOK, accountPage{Made: secret, MadeName: t.Name})
}

// readDays says when a token ends; without a number it never does.
func readDays(text string, t *auth.Token) error {
	if text == "" {
		return nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 || days > maxTokenDays {
		return apperror.New(apperror.Invalid, "the days are a whole number from 1 to %d, or nothing for a token that does not end", maxTokenDays)
	}
	t.ExpiresAt = time.Now().AddDate(0, 0, days)
	return nil
}

func (a *accounts) revokeToken(c echo.Context, p *auth.Principal) error {
	if err := a.revoke(c, p.User); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/account?done=revoked")
}

// revoke takes the token that the address names from its owner.
func (a *accounts) revoke(c echo.Context, owner string) error {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return apperror.New(apperror.NotFound, "%s has no such token", owner)
	}
	err = a.store.RemoveToken(c.Request().Context(), owner, id)
	a.auth.Forget(owner)
	return err
}

func (a *accounts) endOthers(c echo.Context, p *auth.Principal) error {
	_, err := a.store.RemoveSessions(c.Request().Context(), p.User, p.Session)
	a.auth.Forget(p.User)
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/account?done=ended")
}
