package packages_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// descriptor points at a file of an OCI layout.
type descriptor struct {
	Digest   string
	Platform struct{ OS, Architecture string }
	Size     int64
}

// layout is an OCI layout on disk.
type layout struct {
	t   *testing.T
	dir string
}

// blob reads what a descriptor points at and checks that it is that.
func (l layout) blob(d descriptor) []byte {
	l.t.Helper()
	algorithm, sum, _ := strings.Cut(d.Digest, ":")
	content, err := os.ReadFile(filepath.Join(l.dir, "blobs", algorithm, sum))
	require.NoError(l.t, err)
	require.Len(l.t, content, int(d.Size))
	found := sha256.Sum256(content)
	require.Equal(l.t, sum, hex.EncodeToString(found[:]))
	return content
}

func (l layout) decode(content []byte, into any) {
	l.t.Helper()
	require.NoError(l.t, json.Unmarshal(content, into))
}

// image builds the image of a binary, twice, or takes that of a release, and returns the archive.
func image(t *testing.T) string {
	t.Helper()
	if *dist != "" {
		found, err := filepath.Glob(filepath.Join(*dist, "*_image.tar"))
		require.NoError(t, err)
		require.Len(t, found, 1)
		return found[0]
	}
	program := filepath.Join(t.TempDir(), "image")
	build := exec.Command("go", "build", "-C", filepath.Join(testkit.ModuleRoot(t), "scripts", "image"), "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	bin := binary(t, "1.0.0")
	pack := func() string {
		archive := filepath.Join(t.TempDir(), "image.tar")
		out, err := exec.Command(program, "--add="+runtime.GOARCH+"="+bin, "--binaries="+t.TempDir(), "--archive="+archive,
			"--version=1.0.0", "--revision=0123456789abcdef", "--created=1767225600").CombinedOutput()
		require.NoError(t, err, "%s", out)
		return archive
	}
	first, second := pack(), pack()
	a, err := os.ReadFile(first)
	require.NoError(t, err)
	b, err := os.ReadFile(second)
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(a), sha256.Sum256(b), "the same binary gives the same image")
	return first
}

// unpack writes the files of an archive below dir with their owners, if root does it.
func unpack(t *testing.T, r io.Reader, dir string) {
	t.Helper()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		require.True(t, filepath.IsLocal(header.Name), header.Name)
		path := filepath.Join(dir, header.Name)
		if header.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(path, 0o755))
		} else {
			content, err := io.ReadAll(archive)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, content, 0o600))
		}
		require.NoError(t, os.Chown(path, header.Uid, header.Gid))
		require.NoError(t, os.Chmod(path, header.FileInfo().Mode()))
	}
}

func TestImageRunsAsItsUserWithNothingElse(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	require.Zero(t, os.Getuid(), "another root folder is root's to give; run the tests as root")
	archive, err := os.Open(image(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, archive.Close()) }()
	l := layout{t, t.TempDir()}
	unpack(t, archive, l.dir)

	var index, platforms struct{ Manifests []descriptor }
	content, err := os.ReadFile(filepath.Join(l.dir, "index.json"))
	require.NoError(t, err)
	l.decode(content, &index)
	require.Len(t, index.Manifests, 1)
	l.decode(l.blob(index.Manifests[0]), &platforms)
	if *dist != "" {
		require.Len(t, platforms.Manifests, 2, "amd64 and arm64")
	}
	var chosen descriptor
	for _, p := range platforms.Manifests {
		if p.Platform.OS == "linux" && p.Platform.Architecture == runtime.GOARCH {
			chosen = p
		}
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	l.decode(l.blob(chosen), &manifest)
	var config struct {
		Architecture string
		Config       struct {
			User, WorkingDir string
			Env, Entrypoint  []string
			Labels           map[string]string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	l.decode(l.blob(manifest.Config), &config)
	require.Equal(t, runtime.GOARCH, config.Architecture)
	require.Equal(t, "65532:65532", config.Config.User)
	require.NotEmpty(t, config.Config.Labels["org.opencontainers.image.version"])

	// The binary finds all it needs in the image, writes only into its folder, and answers.
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	for i, blob := range manifest.Layers {
		packed, err := gzip.NewReader(strings.NewReader(string(l.blob(blob))))
		require.NoError(t, err)
		content, err := io.ReadAll(packed)
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		require.Equal(t, config.RootFS.DiffIDs[i], "sha256:"+hex.EncodeToString(sum[:]))
		unpack(t, strings.NewReader(string(content)), root)
	}
	certificates, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
	require.NoError(t, err)
	require.Greater(t, strings.Count(string(certificates), "BEGIN CERTIFICATE"), 100)
	address := newNetwork().tracking
	cmd := exec.Command(config.Config.Entrypoint[0], append(config.Config.Entrypoint[1:], "--role=tracking", "--tracking.listen="+address)...)
	cmd.Env, cmd.Dir = config.Config.Env, config.Config.WorkingDir
	log, err := os.CreateTemp(t.TempDir(), "log")
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	require.NoError(t, cmd.Start())
	said := func() string {
		text, err := os.ReadFile(log.Name())
		require.NoError(t, err)
		return string(text)
	}
	require.Eventually(t, func() bool {
		res, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode == http.StatusOK
	}, time.Minute, 20*time.Millisecond, said)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), said())
	require.FileExists(t, filepath.Join(root, "data/tracking.db"))
}
