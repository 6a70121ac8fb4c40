package pipelineclient_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/outgoing"
	"tasador/pkg/pipelineclient"
)

// The shapes of the answers are those of Airflow's API v2 (its specification, not our server).
func TestAnswersBecomeErrorsThatSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		code   apperror.Code
		text   string
	}{
		{"sentence", 404, `{"detail": "The DAG with dag_id: x was not found"}`, apperror.NotFound, "The DAG with dag_id: x was not found"},
		{"taken", 409, `{"detail": "DAGRun already exists"}`, apperror.AlreadyExists, "DAGRun already exists"},
		{"list of problems", 422, `{"detail": [{"loc": ["body", "conf"], "msg": "not an object", "type": "dict_type"}]}`, apperror.Invalid, "not an object"},
		{"failure", 500, `{"detail": "database is away"}`, apperror.Unavailable, "database is away"},
		{"another server", 501, `<html>Unsupported method</html>`, apperror.Unavailable, "not as a pipeline server does"},
		{"another server that is content", 200, `<html>`, apperror.Unavailable, "not as a pipeline server does"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, err := w.Write([]byte(c.body))
			require.NoError(t, err)
		}))
		_, err := pipelineclient.New(server.URL, outgoing.Options{}).Run(context.Background(), "x", "y")
		server.Close()
		require.Equal(t, c.code, apperror.CodeOf(err), c.name)
		require.ErrorContains(t, err, c.text)
		require.NotContains(t, err.Error(), "<html>")
	}
}

func TestAnAbsentServerIsNamed(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := pipelineclient.New(server.URL, outgoing.Options{}).Run(context.Background(), "x", "y")
	require.ErrorContains(t, err, "no pipeline server answers at "+server.URL)
}
