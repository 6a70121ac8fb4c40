package registry_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/registry"
)

func TestParseSource(t *testing.T) {
	for uri, want := range map[string]registry.Source{
		"mlflow-artifacts:/1/r/artifacts/model": {Scheme: "mlflow-artifacts", Parts: []string{"1", "r", "artifacts", "model"}},
		"s3://bucket/a//b///":                   {Scheme: "s3", Host: "bucket", Parts: []string{"a", "b"}, Location: "s3://bucket/a/b/"},
		"s3://bucket/a/b":                       {Scheme: "s3", Host: "bucket", Parts: []string{"a", "b"}},
		"models:/m-0123":                        {Scheme: "models", Parts: []string{"m-0123"}, ModelID: "m-0123"},
		"models:/RealtorPriceModel/3":           {Scheme: "models", Parts: []string{"RealtorPriceModel", "3"}},
		"runs:/abc/model":                       {Scheme: "runs", Parts: []string{"abc", "model"}, RunID: "abc"},
	} {
		if want.URI = uri; want.Location == "" {
			want.Location = uri
		}
		got, err := registry.ParseSource(uri)
		require.NoError(t, err, uri)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{
		"", "model", "/model", "./model", "file:/model", "FILE:///model", "file://host/model", "http://h/m", "https://h/m", "ftp://h/m",
		"s3://b/../c", "s3://b/%2e%2e/c", "s3://b/%252e%252e/c", "s3://b/a?x=..", "s3://b/a#x", "s3://b/a;x", "s3://b/a%23x", "s3://b/a%3fx",
		`s3://b/..\c`, "s3://b/a%00", "s3://b/a/./b", "s3://b/a//../b", "s3:", "models:/", "models://m-1", "runs://h/a", "runs:/../x", "mlflow-artifacts:/", "javascript:alert(1)",
		"mlflow-artifacts:/1/%" + strings.Repeat("25", 12) + "2e", "dbfs:/a%3f/../../x", "::", "%",
	} {
		_, err := registry.ParseSource(bad)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%s: %v", bad, err)
	}
}

func TestWithin(t *testing.T) {
	source, err := registry.ParseSource("mlflow-artifacts:/1/run/artifacts/model")
	require.NoError(t, err)
	for root, want := range map[string]bool{
		"mlflow-artifacts:/1/run/artifacts": true, "mlflow-artifacts:/1/run/artifacts/model": true, "mlflow-artifacts:/1/run/artifacts/mod": false,
		"mlflow-artifacts:/1/run2/artifacts": false, "s3://1/run/artifacts": false, "mlflow-artifacts://host/1/run/artifacts": false, "": false,
	} {
		require.Equal(t, want, source.Within(root), root)
	}
}

func TestCheckLocation(t *testing.T) {
	for _, good := range []string{"mlflow-artifacts:/", "s3://bucket/prefix", "./mlruns/1", "/srv/mlruns", "file:///srv/mlruns"} {
		require.NoError(t, registry.CheckLocation(good), good)
	}
	for _, bad := range []string{"mlflow-artifacts:/../x", "../x", "./../x", "s3://b/x#y", "s3://b/x;y", "s3://b?x=..", "http://h/x", "runs:/r/x", "models:/m", strings.Repeat("x", 2049)} {
		require.Equal(t, apperror.Invalid, apperror.CodeOf(registry.CheckLocation(bad)), bad)
	}
}

func TestNames(t *testing.T) {
	for _, bad := range []string{"", " ", "a/b", "a:b", "..", ".", strings.Repeat("x", 257)} {
		require.Equal(t, apperror.Invalid, apperror.CodeOf(registry.CheckName(bad)), bad)
	}
	require.NoError(t, registry.CheckName("Realtor Price Model ñ"))
	stage, err := registry.ParseStage("pRODUCTION")
	require.NoError(t, err)
	require.Equal(t, registry.Production, stage)
}

// TestLocalSources: folders of this machine are taken below the root of the artifacts, also as plain paths and with dots that stay inside.
func TestLocalSources(t *testing.T) {
	const root = "file:///srv/artifacts"
	for uri, location := range map[string]string{
		root + "/1/run/artifacts": root + "/1/run/artifacts", root + "/1/run/artifacts/.": root + "/1/run/artifacts",
		root + "/1/run/artifacts/model/..": root + "/1/run/artifacts", root + "//1/run": root + "/1/run",
		"/srv/artifacts/1/run": "/srv/artifacts/1/run", "/srv/artifacts/1/x/../run/": "/srv/artifacts/1/run",
	} {
		got, err := registry.ParseSourceBelow(root, uri)
		require.NoError(t, err, uri)
		require.Equal(t, location, got.Location, uri)
		require.Equal(t, uri, got.URI)
		_, err = registry.ParseSource(uri)
		require.ErrorContains(t, err, "To use a local path as a model version source, the run_id request parameter", uri)
	}
	for _, bad := range []string{
		"/srv", "/srv/artifacts-more/x", "/srv/artifacts/../x", root + "/../x", root + "/%2e%2e/x", root + "/1/%252e%252e/x", "srv/artifacts/1", "file:srv", "//srv/artifacts/1",
		"file://host/srv/artifacts/1", root + "/1#x", root + "/1?x", root + `\..\x`,
	} {
		_, err := registry.ParseSourceBelow(root, bad)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%s: %v", bad, err)
	}
}

// TestRefusalsOfSources: the words are those that MLflow's clients and tests look for.
func TestRefusalsOfSources(t *testing.T) {
	for uri, want := range map[string]string{
		"/tmp": "To use a local path as a model version source", "file:///tmp": "To use a local path as a model version source",
		"s3a://b/../x": "cannot use the 's3a' scheme", "http://host/x": "'source' cannot use the 'http' scheme", "mlflow-artifacts://h:9/a/../..": "If supplying a source as an http, https,",
		"http://host/../x": "If supplying a source as an http, https,", "s3://b/..%2f..%2fx": "If supplying a source as an http, https,",
		"mlflow-artifacts:/a%00": "If supplying a source as an http, https,", "dbfs:/r/a%3f/../..": "Invalid model version source: 'dbfs:/r/a%3f/../..'",
		"file://1.2.3.4/x": "is not a valid remote uri",
	} {
		_, err := registry.ParseSource(uri)
		require.ErrorContains(t, err, want, uri)
	}
}
