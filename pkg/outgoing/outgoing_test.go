package outgoing_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/outgoing"
	"tasador/pkg/testkit"
)

// shown starts a server that answers with what it is shown, and sends /away elsewhere.
func shown(t *testing.T, away string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(teller(away))
	t.Cleanup(s.Close)
	return s
}

func teller(away string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, away, http.StatusTemporaryRedirect)
			return
		}
		_, _ = io.WriteString(w, r.Header.Get("Authorization")) // the test would see
	})
}

func ask(t *testing.T, client *http.Client, address string) (string, error) {
	t.Helper()
	t.Cleanup(client.CloseIdleConnections)
	res, err := client.Get(address)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body), nil
}

func TestALoginIsForOneServer(t *testing.T) {
	other := shown(t, "")
	s := shown(t, other.URL+"/x")
	withUser := strings.Replace(s.URL, "http://", "http://bob:builder@", 1)
	const basic, bob = "Basic YW5hOnMzY3JldA==", "Basic Ym9iOmJ1aWxkZXI="
	for name, c := range map[string]struct {
		login   outgoing.Login
		address string
		want    string
	}{
		"nothing":                    {outgoing.Login{}, s.URL, ""},
		"a token":                    {outgoing.Login{Token: "tsd_x"}, s.URL, "Bearer tsd_x"},
		"a name comes first":         {outgoing.Login{Username: "ana", Password: "s3cret", Token: "tsd_x"}, s.URL, basic},
		"a name needs a password":    {outgoing.Login{Username: "ana", Token: "tsd_x"}, s.URL, "Bearer tsd_x"},
		"the address says who":       {outgoing.Login{Token: "tsd_x"}, withUser, bob},
		"another server":             {outgoing.Login{Token: "tsd_x"}, other.URL, ""},
		"a redirect to another port": {outgoing.Login{Token: "tsd_x"}, s.URL + "/away", ""},
		"a redirect with a name":     {outgoing.Login{Username: "ana", Password: "s3cret"}, s.URL + "/away", ""},
	} {
		got, err := ask(t, outgoing.Options{Login: c.login}.Client(s.URL, outgoing.NewTransport()), c.address)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
}

func TestATokenFileIsReadAnew(t *testing.T) {
	s, file := shown(t, ""), filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("tsd_one\n"), 0o600))
	how := outgoing.Options{Login: outgoing.Login{TokenFile: file}}
	require.NoError(t, how.Check())
	client := how.Client(s.URL, outgoing.NewTransport())
	got, err := ask(t, client, s.URL)
	require.NoError(t, err)
	require.Equal(t, "Bearer tsd_one", got)
	require.NoError(t, os.WriteFile(file, []byte("tsd_two"), 0o600))
	require.Eventually(t, func() bool {
		got, err := ask(t, client, s.URL)
		return err == nil && got == "Bearer tsd_two"
	}, time.Minute, 50*time.Millisecond)

	require.NoError(t, os.WriteFile(file, []byte("two tokens"), 0o600))
	require.ErrorContains(t, how.Check(), "holds no token; write the one that tasador token create prints")
	_, err = ask(t, how.Client(s.URL, outgoing.NewTransport()), s.URL)
	require.ErrorContains(t, err, "holds no token")
}

// secure starts a server with a certificate for a name.
func secure(t *testing.T, pair testkit.Pair) *httptest.Server {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(teller(""))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestAPrivateAuthorityIsTrustedOnceItIsInTheFile(t *testing.T) {
	authority, stranger := testkit.NewAuthority(t), testkit.NewAuthority(t)
	s := secure(t, authority.Issue(t, t.TempDir(), time.Now().Add(time.Hour), "127.0.0.1"))
	_, err := ask(t, outgoing.Options{}.Client(s.URL, outgoing.NewTransport()), s.URL)
	require.ErrorContains(t, err, "certificate signed by unknown authority")

	file := filepath.Join(t.TempDir(), "ca.pem")
	put := func(from string) {
		content, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, content, 0o600))
	}
	put(stranger.File)
	how := outgoing.Options{CA: file, Login: outgoing.Login{Token: "tsd_x"}}
	client := how.Client(s.URL, outgoing.NewTransport())
	_, err = ask(t, client, s.URL)
	require.ErrorContains(t, err, "certificate signed by unknown authority")
	put(authority.File)
	require.Eventually(t, func() bool {
		got, err := ask(t, client, s.URL)
		return err == nil && got == "Bearer tsd_x"
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, os.WriteFile(file, []byte("nothing"), 0o600))
	require.ErrorContains(t, how.Check(), "holds no certificate")
}

func TestAProcessKnowsItselfByItsCertificate(t *testing.T) {
	authority, folder := testkit.NewAuthority(t), t.TempDir()
	pair := authority.Issue(t, folder, time.Now().Add(time.Hour), "tasador.example")
	s := secure(t, pair)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	own := outgoing.Options{
		Own:   outgoing.Own{Addresses: []string{u.Host}, Certificate: pair.Cert, Token: "own"},
		Login: outgoing.Login{Token: "for others"},
	}
	client := own.Client(s.URL, outgoing.NewTransport())
	got, err := ask(t, client, s.URL)
	require.NoError(t, err, "neither its name nor its authority count")
	require.Equal(t, "Bearer own", got)

	authority.Issue(t, folder, time.Now().Add(time.Hour), "tasador.example")
	client.CloseIdleConnections()
	_, err = ask(t, client, s.URL)
	require.NoError(t, err, "the server may still show the one before")

	stranger := secure(t, testkit.NewAuthority(t).Issue(t, t.TempDir(), time.Now().Add(time.Hour), "tasador.example"))
	u, err = url.Parse(stranger.URL)
	require.NoError(t, err)
	own.Own.Addresses = []string{u.Host}
	_, err = ask(t, own.Client(stranger.URL, outgoing.NewTransport()), stranger.URL)
	require.ErrorContains(t, err, "shows another certificate than "+pair.Cert)
}
