package sqlstore

import (
	"context"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
)

// txTries is how often InRetriedTx begins, and txPause how long it waits at most before the second time; each further wait is twice as long.
const (
	txTries = 8
	txPause = 5 * time.Millisecond
)

// retrier is a dialect whose server may end a transaction for the sake of others.
type retrier interface {
	// retriable reports whether err means that the transaction did nothing and may succeed when it is run again.
	retriable(err error) bool
}

// InRetriedTx is InTx for transactions that may begin again: when the server ends one because of a deadlock or because it could not be
// serialized, it is run anew. So fn must only set what lies outside of it, and not add to it. Codes: those of InTx.
func InRetriedTx(ctx context.Context, db *gorm.DB, fn func(tx *gorm.DB) error) error {
	return retried(ctx, db, func() error { return InTx(ctx, db, fn) })
}

// retried runs a transaction until the server does not end it for the sake of others.
func retried(ctx context.Context, db *gorm.DB, transaction func() error) error {
	pause := txPause
	for try := 1; ; try++ {
		err := transaction()
		r, ok := db.Dialector.(retrier)
		if err == nil || !ok || !r.retriable(err) {
			return err
		}
		if try == txTries {
			return apperror.Wrap(apperror.Unavailable, err, "too many clients change the same things at once; try again")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(pause)): //nolint:gosec // spreads the tries, no secret
			pause *= 2
		}
	}
}
