package redact_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/redact"
)

func TestNoSecretIsLeftInAnAddress(t *testing.T) {
	for address, want := range map[string]string{
		"":                                 "",
		"Tuesday":                          "Tuesday",
		"127.0.0.1:8080":                   "127.0.0.1:8080",
		"15000,12000:nulls=bath:nulls=bed": "15000,12000:nulls=bath:nulls=bed",
		"bob:hunter2@host/db":              "bob:xxxxx",
		"sqlite:/data/a@b.db":              "sqlite:/data/a@b.db",
		"http://127.0.0.1:5000":            "http://127.0.0.1:5000",
		"http://bob@host/path":             "http://bob@host/path",
		"http://bob:hunter2@host/path":     "http://bob:xxxxx@host/path",
		"mysql+pymysql://u:hunter2@h:3/db": "mysql+pymysql://u:xxxxx@h:3/db",
		"postgres://h/db?user=bob&password=hunter2&sslmode=require":   "postgres://h/db?user=bob&password=xxxxx&sslmode=require",
		"https://h/data?API_KEY=hunter2":                              "https://h/data?API_KEY=xxxxx",
		"https://h/a.json.gz?v=3&sig=hunter2&X-Amz-Signature=hunter2": "https://h/a.json.gz?v=3&sig=xxxxx&X-Amz-Signature=xxxxx",
		"http://bob:1/hunter2@host":                                   "http:xxxxx",
		"http://bob:hun ter2@host":                                    "http:xxxxx",
		"postgres://bob:hunter#2@host/db":                             "postgres:xxxxx",
		"http://bob:%zz@host":                                         "http:xxxxx",
		` {"conn_type": "mysql", "password": "hunter2"}`:              "xxxxx",
	} {
		require.Equal(t, want, redact.URL(address))
	}
}

func TestALinkNamesNoUser(t *testing.T) {
	require.Equal(t, "http://host:1/x?y=z", redact.Link("http://bob:hunter2@host:1/x?y=z"))
	require.Empty(t, redact.Link("http://bob:hun ter2@host"))
}

func TestHeadersKeepTheirNames(t *testing.T) {
	require.Equal(t, "A: xxxxx\nB-C: xxxxx\n\nxxxxx", redact.Headers("A: hunter2\nB-C:hunter:2\n\nhunter2"))
	require.Empty(t, redact.Headers(""))
}
