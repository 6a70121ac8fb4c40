package ci_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"tasador/pkg/testkit"
)

// startRegistry runs Debian's container registry, which demands a login, until the test ends.
func startRegistry(t *testing.T, user, password string) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	require.NoError(t, err, "the container registry is missing; run make prepare: it installs it")
	dir, address := t.TempDir(), testkit.FreeAddress(t)
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	users := filepath.Join(dir, "users")
	require.NoError(t, os.WriteFile(users, fmt.Appendf(nil, "%s:%s\n", user, hash), 0o600))
	settings := filepath.Join(dir, "registry.yml")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil,
		"version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %s}\nauth: {htpasswd: {realm: test, path: %s}}\n",
		filepath.Join(dir, "blobs"), address, users), 0o600))
	server := exec.Command(program, "serve", settings)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
	})
	require.Eventually(t, func() bool {
		res, err := http.Get("http://" + address + "/v2/")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusUnauthorized
	}, time.Minute, 20*time.Millisecond, "the registry does not start")
	return address
}

// TestPublishPushesEveryPlatformAfterALogin makes the image of two small binaries: what is in it is not looked at here.
func TestPublishPushesEveryPlatformAfterALogin(t *testing.T) {
	address := startRegistry(t, "deployer", "a secret")
	dir := t.TempDir()
	archive := filepath.Join(dir, "image.tar")
	for _, arch := range []string{"amd64", "arm64"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, arch), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, arch, "tasador"), []byte(arch), 0o700))
	}
	run(t, filepath.Join(testkit.ModuleRoot(t), "scripts", "image"), "go", "run", ".", "--binaries="+dir, "--archive="+archive, "--version=1", "--revision=abc", "--created=1")
	repository := address + "/team/tasador"
	login := []string{"REGISTRY_USERNAME=deployer", "REGISTRY_PASSWORD=a secret", "TLS_VERIFY=false"}

	o := try(t, ".", login, "./publish.sh", archive, repository, "20260102-3")
	require.Zero(t, o.code, o.stderr)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, o.stdout)
	var pushed struct {
		Manifests []struct{ Platform struct{ Architecture string } }
	}
	require.NoError(t, json.Unmarshal([]byte(run(t, ".", "skopeo", "inspect", "--raw", "--tls-verify=false", "--creds=deployer:a secret", "docker://"+repository+":20260102-3")), &pushed))
	require.Len(t, pushed.Manifests, 2)

	o = try(t, ".", []string{"REGISTRY_USERNAME=deployer", "REGISTRY_PASSWORD=wrong", "TLS_VERIFY=false"}, "./publish.sh", archive, repository, "20260102-4")
	require.NotZero(t, o.code)
	require.NotContains(t, o.stdout+o.stderr, "a secret")
	require.NotZero(t, try(t, ".", []string{"TLS_VERIFY=false"}, "./publish.sh", archive, repository, "20260102-4").code, "nobody logged in")
	require.Equal(t, 2, try(t, ".", login, "./publish.sh", archive, "", "20260102-4").code)
}
