package serving

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/inference"
	"tasador/pkg/model"
	"tasador/pkg/property"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/modeltest"
)

// testServer is a role that serves version 7 of a small model from its folder, without tracking.
type testServer struct {
	role    *role
	model   *model.Model
	address string // http://…
}

// startServer runs it until the test ends. Without a model it has never had one.
func startServer(t testing.TB, m *model.Model) *testServer {
	t.Helper()
	return startServerWith(t, m, func(*config.Config) {})
}

// startServerWith is startServer with other settings.
func startServerWith(t testing.TB, m *model.Model, change func(*config.Config)) *testServer {
	t.Helper()
	cfg, err := config.Default()
	require.NoError(t, err)
	cfg.DataDir = t.TempDir()
	cfg.Tracking.URI = "http://" + testkit.FreeAddress(t)
	cfg.Predictions.URL = "sqlite:" + filepath.Join(cfg.DataDir, "predictions.db")
	change(cfg)
	if m != nil {
		keepModel(t, filepath.Join(cfg.DataDir, filepath.FromSlash(modelFolder)), cfg.Serving.Model, m)
	}
	ln := testkit.Listen(t)
	service, err := New(t.Context(), cfg, ln, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	testkit.Serve(t, service)
	return &testServer{role: service.(*role), model: m, address: "http://" + ln.Addr().String()}
}

// keepModel writes a model to where a server keeps the one that it served last.
func keepModel(t testing.TB, dir, name string, m *model.Model) {
	t.Helper()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "7"), os.DirFS(modeltest.Folder(t, m))))
	current, err := json.Marshal(inference.Identity{Name: name, Version: "7", RunID: "0123456789abcdef0123456789abcdef", Source: "models:/x/7"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "current.json"), current, 0o600))
}

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body string
}

func (s *testServer) send(t testing.TB, method, path string, body io.Reader, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.address+path, body)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return reply{res, string(b)}
}

func (s *testServer) post(t testing.TB, path, contentType, body string, header ...string) reply {
	t.Helper()
	return s.send(t, http.MethodPost, path, strings.NewReader(body), append([]string{"Content-Type", contentType}, header...)...)
}

func parsed[T any](t testing.TB, text string) (out T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &out), text)
	return out
}

// asked is a listing as a request has it: gaps in required numbers are 0, as the model counts them.
func asked(l property.Listing) map[string]any {
	m := map[string]any{}
	for _, f := range property.Fields() {
		switch {
		case f.Text != nil && f.Text(&l).Valid:
			m[f.Name] = f.Text(&l).Value
		case f.Number != nil && !property.IsNull(*f.Number(&l)):
			m[f.Name] = *f.Number(&l)
		}
	}
	for _, name := range []string{property.Bed, property.Bath, property.AcreLot, property.HouseSize} {
		if v, ok := m[name].(float64); !ok || v < 0 {
			m[name] = 0.0
		}
	}
	if d, ok := m[property.PrevSoldDate].(string); ok {
		var v values
		v[atPrevSoldDate] = value{kind: isText, text: d}
		for _, p := range checked(v) {
			if p.Loc[1] == property.PrevSoldDate {
				delete(m, property.PrevSoldDate)
			}
		}
	}
	if s, ok := m[property.Status].(string); !ok || !slices.Contains(statuses(), s) {
		m[property.Status] = "for_sale"
	}
	delete(m, property.Price)
	return m
}

// ndjsonOf writes listings as lines.
func ndjsonOf(t testing.TB, listings []property.Listing) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, l := range listings {
		require.NoError(t, json.NewEncoder(&out).Encode(asked(l)))
	}
	return out.Bytes()
}

// csvOf writes listings as CSV with the columns that requests need.
func csvOf(listings []property.Listing) string {
	var out strings.Builder
	columns := []string{property.Status, property.Bed, property.Bath, property.AcreLot, property.HouseSize, property.PrevSoldDate, property.City}
	out.WriteString(strings.Join(columns, ",") + "\n")
	for _, l := range listings {
		m := asked(l)
		for i, c := range columns {
			if i > 0 {
				out.WriteByte(',')
			}
			switch v := m[c].(type) {
			case float64:
				out.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
			case string:
				out.WriteString(`"` + strings.ReplaceAll(v, `"`, `""`) + `"`)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}
