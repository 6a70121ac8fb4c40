// Package observability makes the structured log and the registry of Prometheus metrics that every role uses.
package observability

import (
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tasador/pkg/apperror"
)

// Build describes the binary: version (set at release), commit and Go version.
type Build struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	GoVersion string `json:"go_version"`
}

// version is the release's, set by the linker: -X tasador/pkg/observability.version=v1.2.3
var version = "dev"

// ReadBuild reads what the toolchain and the linker wrote into the binary.
func ReadBuild() Build {
	b := Build{Version: version, Commit: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if ok {
		b.GoVersion = info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	return b
}

// NewLogger returns a logger that writes to w, as text for people or json for machines. Codes: Invalid.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, apperror.New(apperror.Invalid, "--log.level=%s is unknown; use debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, apperror.New(apperror.Invalid, "--log.format=%s is unknown; use text or json", format)
}

// NewRegistry returns a registry with the metrics of the Go runtime, the process and the build.
func NewRegistry(b Build) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tasador_build_info",
		Help: "The version that runs; the value is always 1.",
	}, []string{"version", "commit", "go_version"})
	info.WithLabelValues(b.Version, b.Commit, b.GoVersion).Set(1)
	r.MustRegister(info)
	return r
}
