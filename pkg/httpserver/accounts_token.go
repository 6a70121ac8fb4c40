package httpserver

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
)

// Where Airflow's clients exchange a name and a password for a token (REST API of Airflow 3, auth managers).
const (
	tokenPath    = "/auth/token"     // #nosec G101 -- an address
	tokenPathCLI = "/auth/token/cli" // #nosec G101 -- as above
)

// anyToken is what clients get where nobody has to log in: there any will do.
const anyToken = "not-needed"

// TokenRoutes are the addresses at which programs log in as with Airflow. A nil Guard has them too, so that the same program works where nobody has to log in.
func (g *Guard) TokenRoutes() []Route {
	return []Route{
		{Method: http.MethodPost, Path: tokenPath, Right: Public, Handler: g.issue, BodyLimit: maxForm},
		{Method: http.MethodPost, Path: tokenPathCLI, Right: Public, Handler: g.issue, BodyLimit: maxForm},
	}
}

// issue answers with a token that ends by itself. Codes: Invalid, Unauthenticated, RateLimited, Unavailable.
func (g *Guard) issue(c echo.Context) error {
	var login struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := c.Bind(&login); err != nil {
		return err
	}
	if login.Username == "" || login.Password == "" {
		return apperror.New(apperror.Invalid, "username and password are required")
	}
	Touch(c, "name", login.Username)
	token := anyToken
	if g != nil {
		r := c.Request()
		var err error
		token, _, err = g.auth.LogIn(r.Context(), auth.Login{
			Name: login.Username, Password: login.Password, Address: addressOf(r), Agent: r.UserAgent(),
		}, auth.ForCalls)
		if err != nil {
			retryAfter(c, err)
			return err
		}
	}
	return c.JSON(http.StatusCreated, map[string]string{"access_token": token})
}
