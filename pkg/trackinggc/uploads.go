package trackinggc

import (
	"context"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/places"
)

// youngest is how old an upload in parts is at least that is given up: its addresses are signed for half of that time.
const youngest = 24 * time.Hour

// Uploads tells of the uploads in parts that began at a time or before, and a day ago or more, and were never completed: their parts take
// space that nobody sees. With abort it drops them. Codes: PermissionDenied if the keys may not list them, Unavailable.
func Uploads(ctx context.Context, files *places.Places, before time.Time, abort bool, tell func(artifact.Upload)) error {
	if latest := time.Now().Add(-youngest); before.After(latest) {
		before = latest
	}
	for _, store := range files.Uploads() {
		if err := abandoned(ctx, store, before, abort, tell); err != nil {
			return err
		}
	}
	return nil
}

func abandoned(ctx context.Context, store artifact.Uploads, before time.Time, abort bool, tell func(artifact.Upload)) error {
	open, err := store.OpenUploads(ctx, before)
	if err != nil {
		return err
	}
	for _, u := range open {
		if abort {
			if err := store.AbortUpload(ctx, u.Path, u.ID); apperror.CodeOf(err) == apperror.NotFound {
				continue // it was completed in the meantime
			} else if err != nil {
				return err
			}
		}
		tell(u)
	}
	return nil
}
