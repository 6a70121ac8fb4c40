//go:build bench

package bench_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What searches ask for.
const (
	searchPage = 100  // runs of a page, and runs that the filter finds
	deepPage   = 1000 // runs of a page when all are read
)

func searchWork(experiment string, page int, filter, order, token string) work {
	q := object{"experiment_ids": []string{experiment}, "max_results": page}
	if filter != "" {
		q["filter"] = filter
	}
	if order != "" {
		q["order_by"] = []string{order}
	}
	if token != "" {
		q["page_token"] = token
	}
	body, _ := json.Marshal(q) // texts and numbers
	return work{http.MethodPost, "runs/search", body}
}

// searchFilled searches an experiment by a metric, and reads all its pages in the order of a metric.
func searchFilled(t testing.TB, c *rest, m *trackingMeasurement, name, experiment string) {
	t.Helper()
	runs, err := strconv.Atoi(name)
	require.NoError(t, err)
	filter := fmt.Sprintf("metrics.m < %g", float64(searchPage)/float64(runs))
	for kind, w := range map[string]work{
		"filter": searchWork(experiment, deepPage, filter, "", ""), "order": searchWork(experiment, searchPage, "", "metrics.m DESC", ""),
	} {
		var body bytes.Buffer
		status, err := c.exchange(w.method, apiPath+w.path, w.body, &body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, body.String())
		m.digest("search-"+kind+"-"+name, rowsOf(t, body.Bytes()))
		f, _ := c.load(t, 1, loadTime(), 1<<30, 1, func(int, int) work { return w })
		require.Zero(t, f.Failed)
		m.set("search-"+kind+"-"+name, f)
	}
	deepPages(t, c, m, "search-deep-"+name, experiment, runs)
}

// deepPages reads all runs of an experiment, at least once, page by page.
func deepPages(t testing.TB, c *rest, m *trackingMeasurement, name, experiment string, runs int) {
	t.Helper()
	var took []time.Duration
	var rows []string
	var spent time.Duration
	broken := false
	before := c.used(t)
	for walk := 0; walk == 0 || spent < loadTime(); walk++ {
		var bodies [][]byte
		begin := time.Now()
		for token, more := "", true; more; more = token != "" {
			var body bytes.Buffer
			w := searchWork(experiment, deepPage, "", "metrics.m ASC", token)
			sent := time.Now()
			status, err := c.exchange(w.method, apiPath+w.path, w.body, &body)
			last := time.Since(sent)
			require.NoError(t, err)
			if m.Subject == fasttrackml && status == http.StatusBadRequest && len(bodies) > 0 {
				broken = true // it does not take its own page tokens from 10,000 runs on
				break
			}
			require.Equal(t, http.StatusOK, status, body.String())
			if bytes.Contains(body.Bytes(), []byte(`"run_id"`)) { // a page after the last one, which FastTrackML has, is none
				took = append(took, last)
			}
			bodies = append(bodies, body.Bytes())
			token = tokenOf(body.Bytes())
		}
		spent += time.Since(begin)
		for _, b := range bodies {
			if walk == 0 {
				rows = append(rows, rowsOf(t, b)...)
			}
		}
	}
	f := summarize(took, spent)
	c.charge(t, &f, before)
	if broken {
		say(t, "  %s refuses its own page token after %d of %d runs; the figure is for the pages before", m.Subject, len(rows), runs)
	} else {
		require.Len(t, rows, runs, m.Subject)
		m.digest(name, rows)
	}
	f.Rate *= float64(min(deepPage, runs))
	m.set(name, f)
}

// tokenOf finds the token of the next page.
func tokenOf(body []byte) string {
	const name = `"next_page_token"`
	at := bytes.LastIndex(body, []byte(name))
	if at < 0 {
		return ""
	}
	parts := strings.SplitN(string(body[at+len(name):min(len(body), at+4000)]), `"`, 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

// rowsOf decodes the runs of an answer: their names, metrics and params, in an order that does not depend on the server.
func rowsOf(t testing.TB, body []byte) []string {
	t.Helper()
	type keyValue struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}
	var answer struct {
		Runs []struct {
			Info struct {
				Name string `json:"run_name"`
			} `json:"info"`
			Data struct {
				Metrics []keyValue `json:"metrics"`
				Params  []keyValue `json:"params"`
			} `json:"data"`
		} `json:"runs"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	rows := make([]string, len(answer.Runs))
	for i, r := range answer.Runs {
		var data []string
		for _, kv := range slices.Concat(r.Data.Metrics, r.Data.Params) {
			data = append(data, fmt.Sprintf("%s=%v", kv.Key, kv.Value))
		}
		slices.Sort(data)
		rows[i] = r.Info.Name + " " + strings.Join(data, " ")
	}
	return rows
}

// digestOf is a short text that tells lists of rows apart.
func digestOf(rows []string) string {
	h := fnv.New64a()
	for _, r := range rows {
		_, _ = h.Write([]byte(r + "\n")) // never fails
	}
	return fmt.Sprintf("%d rows, %016x", len(rows), h.Sum64())
}
