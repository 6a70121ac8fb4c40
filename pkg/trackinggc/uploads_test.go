package trackinggc

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/places"
	"tasador/pkg/config"
	"tasador/pkg/testkit/s3test"
)

// TestAbandonedUploads: uploads that nobody completed are told, and dropped where that is asked; young ones and those of other folders stay.
func TestAbandonedUploads(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the S3 server that make test builds")
	}
	remote := s3test.Start(t)
	remote.SetEnv(t)
	remote.MakeBucket(t, "bucket")
	open := func(prefix string) *places.Places {
		cfg := config.Artifacts{URL: "s3://bucket/" + prefix}
		cfg.Endpoint = remote.Endpoint
		files, err := places.Open(t.Context(), cfg)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, files.Close()) })
		return files
	}
	ours, others := open("ours"), open("others")
	begin := func(files *places.Places, path string) string {
		id, _, err := files.Direct().CreateUpload(t.Context(), path, 2)
		require.NoError(t, err)
		return id
	}
	id, kept := begin(ours, "1/run/artifacts/large.bin"), begin(others, "1/run/artifacts/large.bin")
	run := func(before time.Time, abort bool) (told []artifact.Upload) {
		for _, store := range ours.Uploads() {
			require.NoError(t, abandoned(t.Context(), store, before, abort, func(u artifact.Upload) { told = append(told, u) }))
		}
		return told
	}
	soon := time.Now().Add(time.Minute)
	require.Empty(t, run(soon.Add(-time.Hour), true), "it is younger")
	for range 2 { // telling changes nothing
		told := run(soon, false)
		require.Len(t, told, 1)
		require.Equal(t, "1/run/artifacts/large.bin", told[0].Path)
		require.Equal(t, id, told[0].ID)
		require.WithinDuration(t, time.Now(), told[0].Begun, time.Hour)
	}
	require.NoError(t, Uploads(t.Context(), ours, soon, true, func(artifact.Upload) { require.Fail(t, "it is not a day old") }))
	require.Len(t, run(soon, true), 1)
	require.Empty(t, run(soon, true))
	complete := func(files *places.Places, id string) error {
		return files.Direct().AbortUpload(context.Background(), "1/run/artifacts/large.bin", id)
	}
	require.Equal(t, apperror.NotFound, apperror.CodeOf(complete(ours, id)), "it is gone")
	require.NoError(t, complete(others, kept), "that of another folder was open")
}
