package roles

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"tasador/pkg/config"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
)

// locks are those that this process holds in its data folder.
type locks []*sqlstore.Lock

// lock makes sure that each role runs once on a data folder, where two would undo each other's files.
func lock(ctx context.Context, cfg *config.Config, names []string) (locks, error) {
	var held locks
	for _, name := range names {
		path := filepath.Join(cfg.DataDir, name+".lock")
		if name == config.RolePipeline && samePath(path, dagrunstore.LockFile(cfg.Pipeline.DB)) {
			continue // the pipeline locks its database itself, which here is the same
		}
		l, err := sqlstore.AcquireLock(ctx, path, fmt.Sprintf(
			"another process already runs the role %s on the data folder %s (it holds %s); stop it, or give this one another --data-dir", name, cfg.DataDir, path))
		if err != nil {
			return nil, errors.Join(err, held.release())
		}
		held = append(held, l)
	}
	return held, nil
}

// Hold keeps the named roles from starting on the data folder and the databases of cfg until release is called. Codes: FailedPrecondition if one of
// them runs.
func Hold(ctx context.Context, cfg *config.Config, names []string) (release func() error, err error) {
	if err := makeDataDir(cfg.DataDir); err != nil {
		return nil, err
	}
	held, err := lock(ctx, cfg, names)
	if err != nil || !slices.Contains(names, config.RolePipeline) {
		return held.release, err
	}
	pipeline, err := dagrunstore.Acquire(ctx, cfg.Pipeline.DB)
	if err != nil {
		return nil, errors.Join(err, held.release())
	}
	return func() error { return errors.Join(pipeline.Release(), held.release()) }, nil
}

func samePath(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

func (l locks) release() error {
	var errs []error
	for _, held := range l {
		errs = append(errs, held.Release())
	}
	return errors.Join(errs...)
}
