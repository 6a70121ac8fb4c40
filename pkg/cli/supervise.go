package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/sdnotify"
)

// supervisor tells systemd, if that started the process, how the roles are.
type supervisor struct {
	ready func() // call it once the roles are ready
	end   func() // call it once they have ended
}

// supervise follows roles that are about to start. cfg holds their addresses once they are ready.
func supervise(ctx context.Context, cfg *config.Config, roles []string, log *slog.Logger) supervisor {
	notifier := sdnotify.New(os.Getenv, os.Getpid(), log)
	if notifier == nil {
		return supervisor{ready: func() {}, end: func() {}}
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	var following sync.WaitGroup
	following.Go(func() {
		notifier.Follow(ctx, ready, ended, func(ctx context.Context) (string, bool) { return healthOf(ctx, cfg, roles) })
	})
	return supervisor{
		ready: func() { close(ready) },
		end: func() {
			close(ended)
			following.Wait()
		},
	}
}

// healthOf asks the roles of this process, all at once, whether they are ready. One that says what it lacks, such as a database, is alive: a restart would
// not help it. One that says nothing is not.
func healthOf(ctx context.Context, cfg *config.Config, roles []string) (status string, alive bool) {
	says, answers := make([]string, len(roles)), make([]bool, len(roles))
	var asking sync.WaitGroup
	for i, role := range roles {
		asking.Go(func() {
			r, err := httpserver.AskSelf(ctx, role, *cfg.Listen(role), cfg.Encrypted())
			answers[i] = err == nil && r.Ours
			switch {
			case !answers[i]:
				says[i] = role + " does not answer"
			case r.Ready:
				says[i] = role + " is ready"
			default:
				says[i] = fmt.Sprintf("%s is not ready (%s)", role, strings.Join(r.Late(), ", "))
			}
		})
	}
	asking.Wait()
	alive = true
	for _, answer := range answers {
		alive = alive && answer
	}
	return strings.Join(says, "; "), alive
}
