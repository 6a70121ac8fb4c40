package backup

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tasador/pkg/config"
	"tasador/pkg/redact"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
)

// artifactsFolder is where artifacts are in a data folder.
const artifactsFolder = "artifacts"

// database is an SQLite file, and where it is in a data folder.
type database struct{ file, path string }

// places say where the settings put what the data folder has by default.
type places struct {
	dir       string     // the data folder, absolute
	databases []database // the first is that of the pipeline
	jobs      string     // file of jobs, absolute; empty if there is none
	artifacts string     // folder, absolute; empty if they are on S3
	at        string     // of the artifacts in a data folder
	elsewhere []string
}

// find reads the settings, whose defaults are filled in.
func find(cfg *config.Config) (places, error) {
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return places{}, err
	}
	p := places{dir: dir}
	for _, store := range []struct{ name, url string }{ // in the order of the snapshots
		{"pipeline", cfg.Pipeline.DB}, {"rawdata", cfg.RawData.URL}, {"cleandata", cfg.CleanData.URL}, {"predictions", cfg.Predictions.URL}, {"tracking", cfg.Tracking.DB},
		{"auth", cfg.Auth.URL},
	} {
		if sqlstore.IsServer(store.url) {
			p.elsewhere = append(p.elsewhere, store.name+": "+redact.URL(store.url))
			continue
		}
		file, err := filepath.Abs(sqlstore.FilePath(store.url))
		if err != nil {
			return places{}, err
		}
		if !slices.ContainsFunc(p.databases, func(d database) bool { return d.file == file }) { // stores may share one
			p.databases = append(p.databases, database{file, p.below(file, store.name+".db")})
		}
	}
	if jobs := dagrunstore.JobsFile(cfg.Pipeline.DB); jobs != "" {
		if p.jobs, err = filepath.Abs(jobs); err != nil {
			return places{}, err
		}
	}
	return p, p.findArtifacts(cfg.Artifacts)
}

func (p *places) findArtifacts(cfg config.Artifacts) error {
	if cfg.Root != "" && cfg.Root != cfg.URL {
		p.elsewhere = append(p.elsewhere, "artifacts that clients keep themselves: "+redact.URL(cfg.Root))
	}
	folder, local := strings.CutPrefix(cfg.URL, "file:")
	if !local {
		p.elsewhere = append(p.elsewhere, "artifacts: "+redact.URL(cfg.URL))
		return nil
	}
	absolute, err := filepath.Abs(strings.TrimPrefix(folder, "//"))
	p.artifacts, p.at = absolute, p.below(absolute, artifactsFolder)
	return err
}

// below is where a file or folder is below the data folder, or else where the default settings look for it.
func (p *places) below(file, usual string) string {
	rel, err := filepath.Rel(p.dir, file)
	if err != nil || !filepath.IsLocal(rel) || rel == "." {
		return usual
	}
	return filepath.ToSlash(rel)
}

// Folders of the data folder whose content is of no use to another process.
func isScratch(p string) bool {
	return p == "work" || p == "serving/batch"
}

// isTransient reports whether a file is a lock, a probe, half written, or belongs to a database that is copied by itself.
func isTransient(p string) bool {
	name := path.Base(p)
	for _, suffix := range []string{".lock", ".tmp", ".new", ".probe", "-wal", "-shm", "-journal"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return strings.HasPrefix(name, ".") || name == "probe"
}
