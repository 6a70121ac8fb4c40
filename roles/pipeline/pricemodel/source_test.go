package pricemodel_test

import (
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/listingapi"
	"tasador/pkg/realtor"
)

// A file of gzip at an address of its own, behind a key and a server that is busy at first and then breaks off.
func TestListingsFromAnAddressOfTheirOwn(t *testing.T) {
	var asked []string
	uri := handmadeSource(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		if r.Header.Get("X-Api-Key") != "hunter2" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		switch len(asked) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case 2:
			_, _ = fmt.Fprint(w, `{"data": [`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case 4:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"detail": %q}`, listingapi.ExhaustedDetail)
			return
		}
		z := gzip.NewWriter(w)
		_, _ = fmt.Fprintf(z, `[%s%s]`, goodRow, strings.Repeat(","+goodRow, 41))
		_ = z.Close()
	})
	w := newWorld(t, uri+"/export/listings.json.gz?v=3")
	w.cfg.Source.Exact, w.cfg.Source.Retries, w.cfg.Source.RetryDelay, w.cfg.Source.Timeout = true, 2, time.Millisecond, time.Minute
	w.cfg.Source.Headers = []string{"X-Api-Key: hunter2"}
	w.restart(t)
	w.succeeds(t, "manual__1", "", noTrainPath)
	const address = "/export/listings.json.gz?v=3"
	require.Equal(t, []string{address, address, address}, asked)
	require.Equal(t, 42, w.rows(t, "rawdata.db", "realtor_raw"))

	run := w.runner.trigger(t, "manual__2", "")
	require.Equal(t, dag.RunSuccess, run.run.State)
	decision, _ := w.decision(t, "manual__2")
	require.Equal(t, realtor.DecisionReset, decision)
	require.Len(t, asked, 4, "nobody is asked to start over")
	require.Zero(t, w.rows(t, "rawdata.db", "realtor_raw"))

	w.cfg.Source.Headers = nil
	w.restart(t)
	require.Contains(t, w.fails(t, "manual__3", realtor.TaskExtract), "listings.json.gz?v=3 answered 403 Forbidden")
}
