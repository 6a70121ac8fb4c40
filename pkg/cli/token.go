package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/sqlstore/authstore"
)

// tokenCommand works on the database of users itself, as userCommand.
type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Make a token and print it; it is shown only this once."`
	List   tokenList   `cmd:"" help:"List the tokens."`
	Revoke tokenRevoke `cmd:"" help:"Take a token back."`
}

type tokenCreate struct {
	usersFlags
	Owner   string `arg:"" help:"User as whom the token acts."`
	Name    string `arg:"" help:"What the token is for, such as nightly-import."`
	Role    string `name:"role" own:"" enum:"viewer,editor,admin" default:"admin" placeholder:"ROLE" help:"Most that the token may do: viewer, editor or admin. Default: all that its user may."`
	Expires age    `name:"expires" default:"0s" placeholder:"AGE" help:"When the token ends, such as 90d or 12h from now. Default: never."`
}

// Run prints the token alone on standard output, so that scripts can keep it.
func (t *tokenCreate) Run(ctx context.Context, io IO) error {
	owner, err := auth.ParseName(t.Owner)
	if err != nil {
		return err
	}
	return t.with(ctx, io, false, func(s *authstore.Store) error {
		token := auth.Token{Owner: owner, Name: t.Name, Role: auth.Role(t.Role)}
		if t.Expires > 0 {
			token.ExpiresAt = time.Now().Add(time.Duration(t.Expires))
		}
		secret := auth.NewToken()
		_, err := s.AddToken(ctx, token, auth.HashSecret(secret))
		if err := noteChange(t.DataDir, "token create", map[string]string{"name": owner, "token": t.Name, "role": t.Role}, err); err != nil {
			return err
		}
		_, err = fmt.Fprintln(io.Out, secret)
		return err
	})
}

type tokenList struct {
	usersFlags
	Owner string `name:"owner" placeholder:"USER" help:"Only the tokens of this user."`
}

// Run prints a line for each token.
func (t *tokenList) Run(ctx context.Context, io IO) error {
	return t.with(ctx, io, false, func(s *authstore.Store) error {
		tokens, err := s.Tokens(ctx, t.Owner)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "ID\tUSER\tNAME\tAT MOST\tMADE (UTC)\tENDS (UTC)\tLAST USED (UTC)") // Flush reports what fails
		for _, one := range tokens {
			ends := day(one.ExpiresAt)
			if one.Expired(time.Now()) {
				ends += " (ended)"
			}
			_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", one.ID, one.Owner, one.Name, one.Role, day(one.CreatedAt), ends, day(one.UsedAt))
		}
		return w.Flush()
	})
}

// day writes a time; the zero one is never.
func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.DateTime)
}

type tokenRevoke struct {
	usersFlags
	Owner string `arg:"" help:"User as whom the token acts."`
	Name  string `arg:"" help:"Name of the token."`
}

// Run takes a token back.
func (t *tokenRevoke) Run(ctx context.Context, io IO) error {
	return t.onUser(ctx, io, t.Owner, change{"token revoke", "token", t.Name}, func(s *authstore.Store, owner string) (string, error) {
		tokens, err := s.Tokens(ctx, owner)
		if err != nil {
			return "", err
		}
		for _, one := range tokens {
			if one.Name == t.Name {
				return "revoked " + one.Name + " of " + owner, s.RemoveToken(ctx, owner, one.ID)
			}
		}
		return "", apperror.New(apperror.NotFound, "%s has no token %s; tasador token list shows them", owner, t.Name)
	})
}
