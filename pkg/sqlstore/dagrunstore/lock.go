package dagrunstore

import (
	"context"
	"fmt"

	"tasador/pkg/sqlstore"
)

// Lock makes sure that one process at a time runs the tasks of a pipeline database: whoever holds it may take over at once what a dead process left.
type Lock = sqlstore.Lock

// Acquire takes the lock file at path, which is made if it is missing, without waiting. Codes: FailedPrecondition if another process has it.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	return sqlstore.AcquireLock(ctx, path, fmt.Sprintf(
		"another pipeline process already runs the tasks of this database (it holds %s); stop it, or give this one another --pipeline.db", path))
}
