//go:build verify

package k8s

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The programs, which make verify builds from scripts/apiserver.
const etcdProgram, apiServerProgram, apiServerVersion = "etcd-v3.7.3", "kube-apiserver-" + apiServerVersion, "v1.37.2"

const certificateFile, keyFile = "apiserver.crt", "apiserver.key"

// apiServer is a Kubernetes that has no controllers and no nodes: it checks and keeps what it is given, and nothing comes of it.
type apiServer struct {
	url, token string
	dir        string // where its certificate is
	client     http.Client
	resources  map[string]place // API version and kind → how it is called in paths
}

type place struct {
	plural     string
	namespaced bool
}

// tool runs one of the programs until the test ends.
func tool(t *testing.T, name string, args ...string) (ended <-chan error) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", ".cache", "bin", name))
	require.NoError(t, err)
	require.FileExists(t, path, "make verify builds it")
	cmd := exec.Command(path, args...)
	cmd.Dir = t.TempDir()
	return start(t, cmd)
}

// startEtcd returns the address of a database for API servers.
func startEtcd(t *testing.T) string {
	t.Helper()
	clients, peers := "http://"+freeAddress(t), "http://"+freeAddress(t)
	ended := tool(t, etcdProgram, "--data-dir="+t.TempDir(), "--unsafe-no-fsync", "--log-level=warn", "--name=one", "--initial-cluster=one="+peers,
		"--listen-client-urls="+clients, "--advertise-client-urls="+clients, "--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers)
	waitFor(t, ended, func() bool {
		answer, err := http.Get(clients + "/health")
		return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
	return clients
}

// startAPIServer starts a Kubernetes with nothing in it but what it makes itself. Several may share an etcd.
func startAPIServer(t *testing.T, etcd string) *apiServer {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	s := &apiServer{url: "https://" + address, token: rand.Text(), dir: dir, resources: map[string]place{}}
	tokens, key := filepath.Join(dir, "tokens.csv"), filepath.Join(dir, "accounts.key")
	require.NoError(t, os.WriteFile(tokens, []byte(s.token+`,tester,1,"system:masters"`+"\n"), 0o600))
	writeKey(t, key)
	ended := tool(t, apiServerProgram, "--etcd-servers="+etcd, "--etcd-prefix="+t.Name(), "--bind-address="+host, "--secure-port="+port,
		"--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none", "--cert-dir="+dir, "--token-auth-file="+tokens, "--authorization-mode=RBAC",
		"--service-account-key-file="+key, "--service-account-signing-key-file="+key, "--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=10.152.183.0/24", "--allow-privileged") // what namespaces let in is said by their labels, as in real clusters
	waitFor(t, ended, func() bool {
		certificate, err := os.ReadFile(filepath.Join(dir, certificateFile)) // it makes one for itself
		if err != nil {
			return false
		}
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(certificate)
		s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
		a, err := s.send(http.MethodGet, "/readyz", nil, "", nil)
		return err == nil && a.code == http.StatusOK
	})
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

func writeKey(t *testing.T, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600))
}

// answer is what the API server says to a request.
type answer struct {
	code     int
	warnings []string
	body     []byte
}

// problem is why a request was refused, or what the server warns of; empty if all is well.
func (a answer) problem() string {
	if a.code < http.StatusMultipleChoices {
		var said []string
		for _, w := range a.warnings { // 299 - "text"
			_, quoted, _ := strings.Cut(w, " - ")
			text, err := strconv.Unquote(quoted)
			if err != nil {
				text = w
			}
			said = append(said, text)
		}
		return strings.Join(said, "\n")
	}
	var status metav1.Status
	if err := json.Unmarshal(a.body, &status); err != nil || status.Message == "" {
		return fmt.Sprintf("%d: %s", a.code, a.body)
	}
	return status.Message
}

func (s *apiServer) send(method, path string, query url.Values, contentType string, body []byte) (answer, error) {
	request, err := http.NewRequest(method, s.url+path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", contentType)
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return answer{code: response.StatusCode, warnings: response.Header.Values("Warning"), body: text}, err
}

// get returns the answer to a question, decoded.
func (s *apiServer) get(t *testing.T, path string, into any) {
	t.Helper()
	a, err := s.send(http.MethodGet, path, nil, "", nil)
	require.NoError(t, err)
	require.Empty(t, a.problem(), path)
	require.NoError(t, json.Unmarshal(a.body, into))
}

// path returns where objects of a kind are, if the server has the kind.
func (s *apiServer) path(t *testing.T, apiVersion, kind, namespace string) (string, bool) {
	t.Helper()
	root := "/apis/" + apiVersion
	if !strings.Contains(apiVersion, "/") {
		root = "/api/" + apiVersion
	}
	r, known := s.resources[apiVersion+" "+kind]
	if !known {
		var list metav1.APIResourceList
		a, err := s.send(http.MethodGet, root, nil, "", nil)
		require.NoError(t, err)
		if a.code != http.StatusOK {
			return "", false
		}
		require.NoError(t, json.Unmarshal(a.body, &list))
		for _, found := range list.APIResources {
			if found.Kind == kind && !strings.Contains(found.Name, "/") {
				r, known = place{plural: found.Name, namespaced: found.Namespaced}, true
			}
		}
		if !known {
			return "", false
		}
		s.resources[apiVersion+" "+kind] = r
	}
	if r.namespaced {
		root += "/namespaces/" + namespace
	}
	return root + "/" + r.plural, true
}
