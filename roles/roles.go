// Package roles is the one table of roles, and runs those that a process was started for.
package roles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/audit"
	"tasador/pkg/auth"
	"tasador/pkg/backup"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/lifecycle"
	"tasador/roles/pipeline"
	"tasador/roles/serving"
	"tasador/roles/source"
	"tasador/roles/tracking"
)

// constructor builds a role that serves on ln, behind guard. The role owns ln from then on.
type constructor func(ctx context.Context, cfg *config.Config, ln net.Listener, log *slog.Logger, guard *httpserver.Guard) (lifecycle.Service, error)

func table() map[string]constructor {
	return map[string]constructor{
		config.RolePipeline: pipeline.New,
		config.RoleTracking: tracking.New,
		config.RoleServing:  serving.New,
		config.RoleSource:   source.New,
	}
}

// grace is how long a role may take to stop; its own limits are shorter.
const grace = 60 * time.Second

// Run runs the named roles until ctx ends or one of them breaks. All addresses are bound before anything is built, so that a busy
// port changes nothing and roles in one process find each other; cfg then holds the roles, addresses and defaults in force.
// ready is called once all roles are.
func Run(ctx context.Context, cfg *config.Config, names []string, log *slog.Logger, ready func()) error {
	listeners, err := bind(ctx, cfg, names)
	if err != nil {
		return err
	}
	doors := slices.Clone(listeners) // below what the servers share
	cfg.Role = names
	cfg.SetDefaults(names)
	waitUntil := time.Now().Add(cfg.StartWait)
	if err := checkOutgoing(cfg); err != nil {
		closeAll(listeners)
		return err
	}
	group := lifecycle.Group{Grace: grace}
	var held locks
	if err = errors.Join(backup.CheckFolder(cfg.DataDir), makeDataDir(cfg.DataDir)); err == nil {
		held, err = lock(ctx, cfg, names)
	}
	var shared httpserver.Common
	if err == nil {
		shared, err = share(cfg, listeners, log)
	}
	var guard *httpserver.Guard
	if err == nil {
		guard, err = openGuard(ctx, cfg, names, doors, listeners, log, waitUntil)
	}
	if err == nil {
		introduce(cfg, guard, names)
	}
	for i, name := range names {
		if err != nil {
			break
		}
		var service lifecycle.Service
		service, err = patient(table()[name], name, doors[i].(*door), waitUntil)(ctx, cfg, listeners[i], log.With("role", name), guard)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			break
		}
		group.Services = append(group.Services, lifecycle.Named{Name: name, Service: service})
	}
	if err != nil {
		closeAll(listeners)
		return errors.Join(err, guard.Close(), shared.Audit.Close(), held.release())
	}
	setCollector(names)
	return errors.Join(group.Run(ctx, func() {
		ready()
		giveBack()
	}), guard.Close(), shared.Audit.Close(), held.release())
}

// Percentages of the heap that may come on top of it before the collector runs.
const (
	usualGrowth    = 100
	trackingGrowth = 50
	servingGrowth  = 400
)

// setCollector suits the collector to a role that is alone in its process. What tracking keeps is little, so that collecting twice as often costs it next to
// nothing and saves 4 MiB. Serving keeps little too, and answers so often that a collection for every few MiB would take a tenth of its processor time; some
// 20 MiB more spare most of it. If somebody has set GOGC, that stays.
func setCollector(names []string) {
	growth := usualGrowth
	switch {
	case slices.Equal(names, []string{config.RoleTracking}):
		growth = trackingGrowth
	case slices.Equal(names, []string{config.RoleServing}):
		growth = servingGrowth
	}
	if before := debug.SetGCPercent(growth); before != usualGrowth {
		debug.SetGCPercent(before)
	}
}

// giveBack returns to the system what only the start needed: the parser of migrations keeps 12 MiB of buffers in a pool, and the collector lets the heap
// grow to twice of that. Pools are empty after two collections, the second of which FreeOSMemory is.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory()
}

func bind(ctx context.Context, cfg *config.Config, names []string) ([]net.Listener, error) {
	var lc net.ListenConfig
	var listeners []net.Listener
	for _, name := range names {
		addr := cfg.Listen(name)
		ln, err := lc.Listen(ctx, "tcp", *addr)
		if err != nil {
			closeAll(listeners)
			return nil, apperror.Wrap(apperror.Unavailable, err, "cannot listen on %s; end what uses it or choose another address with --%s.listen", *addr, name)
		}
		*addr = ln.Addr().String()
		listeners = append(listeners, &door{TCPListener: ln.(*net.TCPListener)}) // as "tcp" is
	}
	return listeners, nil
}

// share gives the listeners what their servers share: a certificate, if there is one, and the audit log.
func share(cfg *config.Config, listeners []net.Listener, log *slog.Logger) (shared httpserver.Common, err error) {
	if cfg.HTTP.TLSCert != "" {
		if shared.Certificate, err = httpserver.OpenCertificate(cfg.HTTP.TLSCert, cfg.HTTP.TLSKey, log); err != nil {
			return shared, err
		}
	}
	if cfg.Audit.MaxFiles > 0 {
		if shared.Audit, err = audit.Open(cfg.Audit.Options(cfg.DataDir), log); err != nil {
			return shared, err
		}
	}
	for i, ln := range listeners {
		listeners[i] = shared.Listener(ln)
	}
	return shared, nil
}

// checkOutgoing reads the files that asking other servers needs, so that a wrong one is told before anything is built.
func checkOutgoing(cfg *config.Config) error {
	return errors.Join(cfg.ToTracking("", nil).Check(), cfg.ToSource("", nil).Check())
}

// introduce gives each role what it shows the others of this process, which needs no settings.
func introduce(cfg *config.Config, guard *httpserver.Guard, names []string) {
	for _, name := range names {
		cfg.Grant(name, guard.Grant(name, auth.Editor))
	}
}

func closeAll(listeners []net.Listener) {
	for _, ln := range listeners {
		_ = ln.Close() // it served nothing yet
	}
}

// makeDataDir makes the folder and tries to write in it, so that a wrong one is named at once.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot make the data folder %s; choose a writable one with --data-dir", dir)
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot write in the data folder %s; choose a writable one with --data-dir", dir)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("data folder %s: %w", dir, err)
	}
	if err := os.Remove(f.Name()); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("data folder %s: %w", dir, err)
	}
	return nil
}
