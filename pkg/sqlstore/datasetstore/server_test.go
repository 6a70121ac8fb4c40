package datasetstore_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore/datasetstore"
	"tasador/pkg/testkit"
)

func TestAServerWhosePacketsAreTooSmallIsRefusedBeforeRowsCome(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	server := testkit.StartMariaDB(t, "max-allowed-packet=1M")
	url := server.NewDatabase(t)
	open := func() error {
		s, err := datasetstore.Open(t.Context(), datasetstore.Options{RawURL: url, CleanURL: url, SpillDir: t.TempDir()}, slog.New(slog.DiscardHandler))
		if err == nil {
			require.NoError(t, s.Close())
		}
		return err
	}
	err := open()
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	require.Contains(t, apperror.MessageOf(err), "at most 1048576 bytes; set its max_allowed_packet")
	server.Exec(t, "SET GLOBAL max_allowed_packet = 8388608")
	require.NoError(t, open())
}

func TestATableOfSomebodyElseIsLeftAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	server := testkit.MariaDB(t)
	for _, table := range []string{"realtor_raw", "clean_columns"} {
		url := server.NewDatabase(t)
		server.Exec(t, "CREATE TABLE "+url[strings.LastIndex(url, "/")+1:]+"."+table+" (price DOUBLE)")
		_, err := datasetstore.Open(t.Context(), datasetstore.Options{RawURL: url, CleanURL: url, SpillDir: t.TempDir()}, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "there is a table "+table+" that tasador did not make")
	}
}
