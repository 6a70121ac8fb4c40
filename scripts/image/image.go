package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	program = "tasador"
	// user is neither root nor anybody on the host; its number stands in the image, so that a cluster sees that it is not root.
	user = "65532:65532"
	data = "/data"
)

// build returns the index of the images of all platforms.
func build(o options, binaries []string, created time.Time) (v1.ImageIndex, error) {
	base, err := baseLayer(created)
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, path := range binaries {
		arch := filepath.Base(filepath.Dir(path))
		image, err := imageOf(o, base, path, arch, created)
		if err != nil {
			return nil, fmt.Errorf("image of %s: %w", arch, err)
		}
		platform := v1.Platform{OS: "linux", Architecture: arch}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	return mutate.Annotations(index, labels(o, created)).(v1.ImageIndex), nil
}

// labels are those that the OCI image specification defines.
func labels(o options, created time.Time) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       program,
		"org.opencontainers.image.description": "pipeline, tracking and serving of a real-estate price model",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     o.version,
		"org.opencontainers.image.revision":    o.revision,
		"org.opencontainers.image.created":     created.Format(time.RFC3339),
	}
}

// imageOf puts the binary on top of what programs expect of a system.
func imageOf(o options, base v1.Layer, path, arch string, created time.Time) (v1.Image, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	binary, err := layer(created, []entry{{name: "usr/", mode: 0o755}, {name: "usr/bin/", mode: 0o755}, {name: "usr/bin/" + program, mode: 0o755, content: content}})
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	history := func(what string) v1.History { return v1.History{Created: v1.Time{Time: created}, CreatedBy: what} }
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: base, History: history("users, certificates, folders"), MediaType: types.OCILayer},
		mutate.Addendum{Layer: binary, History: history(program + " " + o.version), MediaType: types.OCILayer})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: created}
	config.Config = v1.Config{
		User: user, WorkingDir: data, Labels: labels(o, created),
		Entrypoint:   []string{"/usr/bin/" + program},
		Env:          []string{"PATH=/usr/bin", "HOME=" + data, "TASADOR_DATA_DIR=" + data},
		ExposedPorts: map[string]struct{}{"5000/tcp": {}, "8000/tcp": {}, "8080/tcp": {}},
		Volumes:      map[string]struct{}{data: {}},
	}
	return mutate.ConfigFile(image, config)
}
