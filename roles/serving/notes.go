package serving

import (
	"context"
	"time"

	"tasador/pkg/apperror"
)

// probeJournal tells whether the journal takes entries; where answers may go unrecorded, it is not needed.
func (r *role) probeJournal(ctx context.Context) error {
	if r.cfg.Serving.Unrecorded == unrecordedServe {
		return nil
	}
	return r.writable.Check(ctx)
}

// noteJournal says that answers go unrecorded.
func (r *role) noteJournal(ctx context.Context) *apperror.Sentence {
	if r.cfg.Serving.Unrecorded != unrecordedServe {
		return nil
	}
	err := r.writable.Check(ctx)
	if err == nil {
		return nil
	}
	return &apperror.Sentence{Format: "predictions are given and not recorded: %s", Args: []any{apperror.SentenceOf(err)}}
}

// noteBacklog says what waits for the database while that is away. The server is ready all the same: nothing is lost, and no request waits.
func (r *role) noteBacklog(ctx context.Context) *apperror.Sentence {
	err := r.store.Opened()
	if err == nil {
		err = r.shipper.Err()
	}
	if err == nil {
		err = r.store.Ping(ctx)
	}
	backlog := r.journal.Backlog()
	if err == nil && backlog.Refused > 0 {
		return &apperror.Sentence{
			Format: "%d requests were not taken by the predictions database, because this version of tasador does not know them; they are kept in %s and tried again at the next start",
			Args:   []any{backlog.Refused, r.journalDir() + "/*.refused"},
		}
	}
	if err == nil {
		return nil
	}
	if backlog.Entries == 0 {
		return &apperror.Sentence{Format: "the next predictions will wait in the journal: %s", Args: []any{apperror.SentenceOf(err)}}
	}
	return &apperror.Sentence{
		Format: "%d requests wait in the journal, the oldest since %s: %s",
		Args:   []any{backlog.Entries, backlog.Oldest.Format(time.RFC3339), apperror.SentenceOf(err)},
	}
}
