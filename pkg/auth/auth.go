// Package auth says who may do what: users with roles, their passwords, API tokens and sessions. It knows neither HTTP nor SQL.
package auth

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"tasador/pkg/apperror"
)

// Right is what a caller needs to be allowed for a route.
type Right string

// The rights. Public is that of everybody, also of those who are not logged in.
const (
	Public     Right = "public"
	Read       Right = "read"
	Write      Right = "write"
	Administer Right = "admin" // users and what they did
)

// Role is what a user is.
type Role string

// The roles. Each has the rights of those before it.
const (
	Viewer Role = "viewer" // reads, and asks for predictions
	Editor Role = "editor" // changes what the servers keep
	Admin  Role = "admin"  // and the users
)

// Roles lists the roles, the least first.
func Roles() []Role { return []Role{Viewer, Editor, Admin} }

// ParseRole reads the name of a role. Codes: Invalid.
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", apperror.New(apperror.Invalid, "there is no role %q for users; the roles are %s, %s and %s", name, Viewer, Editor, Admin)
}

// May reports whether a role has a right.
func (r Role) May(right Right) bool {
	switch right {
	case Public:
		return true
	case Read:
		return slices.Contains(Roles(), r)
	case Write:
		return r == Editor || r == Admin
	case Administer:
		return r == Admin
	default:
		return false
	}
}

// AtMost returns the lesser of two roles.
func (r Role) AtMost(other Role) Role {
	if slices.Index(Roles(), other) < slices.Index(Roles(), r) {
		return other
	}
	return r
}

// User is somebody who may log in.
type User struct {
	Name      string
	Role      Role
	CreatedAt time.Time
}

// Token is an API token, without its secret.
type Token struct {
	ID        int64
	Owner     string
	Name      string // which the owner gave it
	Role      Role   // at most this one, and at most that of the owner
	CreatedAt time.Time
	ExpiresAt time.Time // zero for never
	UsedAt    time.Time // to some minutes; zero if it was not used yet
}

// Expired reports whether a token is of no use any more.
func (t Token) Expired(now time.Time) bool { return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) }

// SessionKind is where a session is used.
type SessionKind string

// The kinds of sessions: the cookie of a browser, or what POST /auth/token hands out.
const (
	ForPages SessionKind = "pages"
	ForCalls SessionKind = "calls"
)

// Session is a login that lasts for a while.
type Session struct {
	Hash      string // of its secret
	User      string
	Kind      SessionKind
	CreatedAt time.Time
	ExpiresAt time.Time
	SeenAt    time.Time // to some minutes
	Address   string    // from which the user logged in
	Agent     string    // with which program, as that said
}

// Via is how a principal has proved who it is.
type Via string

// The ways.
const (
	ByPassword Via = "password"
	ByToken    Via = "token"
	BySession  Via = "session"
	ByProcess  Via = "process" // another role of the same process
)

// Principal is who sent a request.
type Principal struct {
	User    string
	Role    Role
	Via     Via
	Token   string // name of the API token, if it was one
	Session string // hash of the session, if it was one
}

type principalKey struct{}

// WithPrincipal returns a context that knows who asks.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns who asks; nil if nobody has to say so, or nobody did.
func PrincipalOf(ctx context.Context) *Principal {
	p, _ := ctx.Value(principalKey{}).(*Principal)
	return p
}

// MaxName bounds the names of users and tokens, in characters.
const MaxName = 64

var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// ParseName returns a user's name as it is kept: names are the same whatever the case of their letters. Codes: Invalid.
func ParseName(name string) (string, error) {
	if !userName.MatchString(name) {
		return "", apperror.New(apperror.Invalid, "%q is no user name; use 1 to %d letters a to z, digits and . _ @ -, with a letter or digit first", name, MaxName)
	}
	return strings.ToLower(name), nil
}

var tokenName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._@:/-]{0,63}$`)

// CheckTokenName refuses names of tokens that lists could not show. Codes: Invalid.
func CheckTokenName(name string) error {
	if !tokenName.MatchString(name) {
		return apperror.New(apperror.Invalid, "%q is no name of a token; use 1 to %d letters, digits, blanks and . _ @ : / -, with a letter or digit first", name, MaxName)
	}
	return nil
}
