package registry

import "context"

// Matter is what a move is about.
type Matter string

// The matters.
const (
	StageMatter Matter = "stage" // a version from one stage to another
	AliasMatter Matter = "alias" // an alias from one version to another
	NameMatter  Matter = "name"  // a model from one name to another
)

// Move is one entry of the audit trail of a registered model. An empty To means that what moved is gone: a version or a model that was
// deleted, an alias that was removed. An empty From means that an alias is new, or that
// a version came from another server.
type Move struct {
	ID       int64 // grows with every move; 0 until it is kept
	At       int64 // milliseconds since 1970 (UTC)
	Matter   Matter
	Version  string // whose stage it is; empty for other matters
	Alias    string // which moved; empty for other matters
	From, To string // stages, versions or names
	By       Actor
}

// Actor is who asked for a change, as far as a server knows.
type Actor struct {
	Via     Via
	Address string // of the client, without its port
	Agent   string // how its program calls itself
	User    string

	Verified bool // the user has logged in; else the client claims to be that user
}

// Via is the way on which a change came.
type Via string

// The ways.
const (
	ViaPage   Via = "page"
	ViaAPI    Via = "api"
	ViaImport Via = "import" // from another tracking server, whose address is that of the actor
)

type actorKey struct{}

// WithActor says who asks for what is done with the context, so that the audit trail names them.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who asks; the zero Actor if nobody said.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}
