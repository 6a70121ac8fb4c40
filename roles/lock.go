package roles

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"tasador/pkg/config"
	"tasador/pkg/sqlstore"
)

// locks are those that this process holds in its data folder.
type locks []*sqlstore.Lock

// lock makes sure that each role runs once on a data folder, where two would undo each other's files.
func lock(ctx context.Context, cfg *config.Config, names []string) (locks, error) {
	var held locks
	for _, name := range names {
		if name == config.RolePipeline {
			continue // it locks its database, wherever that is
		}
		path := filepath.Join(cfg.DataDir, name+".lock")
		l, err := sqlstore.AcquireLock(ctx, path, fmt.Sprintf(
			"another process already runs the role %s on the data folder %s (it holds %s); stop it, or give this one another --data-dir", name, cfg.DataDir, path))
		if err != nil {
			return nil, errors.Join(err, held.release())
		}
		held = append(held, l)
	}
	return held, nil
}

func (l locks) release() error {
	var errs []error
	for _, held := range l {
		errs = append(errs, held.Release())
	}
	return errors.Join(errs...)
}
