package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/config"
	"tasador/pkg/observability"
	"tasador/pkg/redact"
	"tasador/pkg/sqlstore/authstore"
)

// userCommand works on the database of users itself, so that it needs no login, only the right to open the database.
type userCommand struct {
	Add      userAdd      `cmd:"" help:"Add a user. Servers with --auth.enabled start when there is an admin."`
	List     userList     `cmd:"" help:"List the users."`
	Role     userRole     `cmd:"" help:"Change what a user may do."`
	Password userPassword `cmd:"" help:"Give a user a new password, and end the user's logins."`
	Remove   userRemove   `cmd:"" help:"Remove a user, with all tokens and logins."`
}

// usersFlags say where the users are.
type usersFlags struct {
	DataDir string          `name:"data-dir" default:"./data" type:"path" placeholder:"DIR" help:"Folder of the default database."`
	URL     string          `name:"auth.url" placeholder:"URL" env:"TASADOR_AUTH_URL" help:"Database of users. Default: sqlite:DATA-DIR/auth.db"`
	File    kong.ConfigFlag `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
}

// with runs fn on the database of users. Only who adds the first user makes one.
func (f *usersFlags) with(ctx context.Context, io IO, create bool, fn func(s *authstore.Store) error) error {
	cfg := config.Config{DataDir: f.DataDir, Auth: config.Auth{URL: f.URL}}
	cfg.SetDefaults(nil)
	if !create && isMissing(cfg.Auth.URL) {
		return apperror.New(apperror.NotFound, "there is no database of users %s; check --data-dir or --auth.url, or make one with tasador user add", redact.URL(cfg.Auth.URL))
	}
	log, err := observability.NewLogger(io.Err, "text", "warn")
	if err != nil {
		return err
	}
	s, err := authstore.Open(ctx, cfg.Auth.URL, log)
	if err != nil {
		return err
	}
	return errors.Join(fn(s), s.Close())
}

type userAdd struct {
	usersFlags
	passwordFlag
	Name string `arg:"" help:"Name to log in with: letters a to z, digits and . _ @ -"`
	Role string `name:"role" own:"" default:"viewer" enum:"viewer,editor,admin" placeholder:"ROLE" help:"viewer (reads and asks for predictions), editor (changes too) or admin (and keeps the users). Default: viewer."`
}

// Run adds a user.
func (u *userAdd) Run(ctx context.Context, io IO) error {
	name, err := auth.ParseName(u.Name)
	if err != nil {
		return err
	}
	password, err := u.ask(io, name)
	if err != nil {
		return err
	}
	return u.with(ctx, io, true, func(s *authstore.Store) error {
		user, err := s.AddUser(ctx, name, auth.Role(u.Role), auth.HashPassword(password))
		if err := noteChange(u.DataDir, "user add", map[string]string{"name": name, "role": u.Role}, err); err != nil {
			return err
		}
		_, err = fmt.Fprintf(io.Out, "added %s, %s\n", user.Name, user.Role)
		return err
	})
}

type userList struct{ usersFlags }

// Run prints a line for each user.
func (u *userList) Run(ctx context.Context, io IO) error {
	return u.with(ctx, io, false, func(s *authstore.Store) error {
		users, err := s.Users(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "USER\tROLE\tSINCE (UTC)") // Flush reports what fails
		for _, user := range users {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", user.Name, user.Role, user.CreatedAt.Format(time.DateTime))
		}
		return w.Flush()
	})
}

type userRole struct {
	usersFlags
	Name string `arg:"" help:"User."`
	Role string `arg:"" enum:"viewer,editor,admin" help:"viewer, editor or admin."`
}

// Run changes a role.
func (u *userRole) Run(ctx context.Context, io IO) error {
	return u.onUser(ctx, io, u.Name, change{"user role", "role", u.Role}, func(s *authstore.Store, name string) (string, error) {
		return name + " is " + u.Role + " now", s.SetRole(ctx, name, auth.Role(u.Role))
	})
}

// change is what the audit log is told of a command, beside the user that it is about.
type change struct{ action, field, value string }

// onUser runs fn on a user that there is, notes it in the audit log, and prints what it says if it did not fail.
func (f *usersFlags) onUser(ctx context.Context, io IO, name string, what change, fn func(s *authstore.Store, name string) (string, error)) error {
	name, err := auth.ParseName(name)
	if err != nil {
		return err
	}
	return f.with(ctx, io, false, func(s *authstore.Store) error {
		done, err := fn(s, name)
		object := map[string]string{"name": name}
		if what.field != "" {
			object[what.field] = what.value
		}
		if err := noteChange(f.DataDir, what.action, object, err); err != nil {
			return err
		}
		_, err = fmt.Fprintln(io.Out, done)
		return err
	})
}

type userPassword struct {
	usersFlags
	passwordFlag
	Name string `arg:"" help:"User."`
}

// Run replaces a password.
func (u *userPassword) Run(ctx context.Context, io IO) error {
	return u.onUser(ctx, io, u.Name, change{action: "user password"}, func(s *authstore.Store, name string) (string, error) {
		if _, _, err := s.UserByName(ctx, name); err != nil {
			return "", err // before anything is typed
		}
		password, err := u.ask(io, name)
		if err != nil {
			return "", err
		}
		return name + " has a new password; tokens stay, logins have ended", s.SetPassword(ctx, name, auth.HashPassword(password), "")
	})
}

type userRemove struct {
	usersFlags
	Name string `arg:"" help:"User."`
}

// Run removes a user.
func (u *userRemove) Run(ctx context.Context, io IO) error {
	return u.onUser(ctx, io, u.Name, change{action: "user remove"}, func(s *authstore.Store, name string) (string, error) {
		return "removed " + name + " with all tokens and logins", s.RemoveUser(ctx, name)
	})
}
