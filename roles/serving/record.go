package serving

import (
	"path/filepath"

	"tasador/pkg/apperror"
	"tasador/pkg/journal"
	"tasador/pkg/sqlstore/predictionstore"
)

// journalFolder is where answers wait for the database, below the data folder.
const journalFolder = "serving/journal"

// What happens with answers that the journal cannot take, as on a full disk.
const (
	unrecordedRefuse = "refuse" // they are not given
	unrecordedServe  = "serve"  // they are given all the same, and counted
)

// record writes the answers of a question to the journal, as one entry. Codes: Unavailable.
func (r *role) record(q *question) error {
	v := q.version
	q.entry = predictionstore.AppendRequest(q.entry[:0], predictionstore.Request{
		ID: q.id, PredictedAt: q.now, ModelName: v.Name, ModelVersion: v.Version, ModelRunID: v.RunID, First: q.first,
	}, len(q.requests))
	for i := range q.requests {
		req := &q.requests[i]
		q.entry = predictionstore.AppendItem(q.entry, req.AsOf, q.prices[i], &req.Listing, req.Street)
	}
	err := r.journal.Append(q.now, q.entry)
	r.noteRecorded(err)
	if err != nil && r.cfg.Serving.Unrecorded == unrecordedServe {
		r.metrics.unrecorded.Add(float64(len(q.requests)))
		return nil
	}
	return unrecorded(err)
}

// noteRecorded tells the log when recording begins to fail and when it works again, and not each time.
func (r *role) noteRecorded(err error) {
	if failing := r.unrecorded.Load(); failing == (err != nil) || !r.unrecorded.CompareAndSwap(failing, !failing) {
		return
	}
	if err != nil {
		r.log.Error("predictions cannot be recorded", "then", r.cfg.Serving.Unrecorded, "error", err)
		return
	}
	r.log.Info("predictions are recorded again")
}

func unrecorded(err error) error {
	if err == nil {
		return nil
	}
	return apperror.Wrap(apperror.Unavailable, err, "the prediction cannot be recorded, so it is not given: %s", apperror.SentenceOf(err))
}

// journalDir is the folder of the journal.
func (r *role) journalDir() string {
	return filepath.Join(r.cfg.DataDir, filepath.FromSlash(journalFolder))
}

// openJournal opens the journal, and the shipper that brings it to the database.
func (r *role) openJournal() (err error) {
	if r.journal, err = journal.Open(journal.Options{Dir: r.journalDir(), Log: r.log}); err != nil {
		return err
	}
	r.shipper = journal.NewShipper(r.journal, r.store)
	return nil
}
