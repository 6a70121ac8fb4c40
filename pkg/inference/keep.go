package inference

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/killpoint"
	"tasador/pkg/model"
	"tasador/pkg/registry"
)

// The folder keeps one folder for each version that was served lately, and a file that names the current one.
const (
	currentName = "current.json"
	partPrefix  = ".part-"  // of a version to be served
	otherPrefix = ".other-" // of one that is only loaded
)

// kept is the content of the file that names the current version.
type kept struct {
	Identity
	Stage registry.Stage `json:"stage,omitempty"`
}

// plainVersion is what a version may look like, since it names a folder.
var plainVersion = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)

// restore returns the version that was served last, nil if there was none.
func (p *Predictor) restore() (*Served, error) {
	content, err := os.ReadFile(filepath.Join(p.opts.Dir, currentName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing served yet is neither an error nor a version
	}
	if err != nil {
		return nil, fmt.Errorf("read the kept model: %w", err)
	}
	var what kept
	if err := json.Unmarshal(content, &what); err != nil || !plainVersion.MatchString(what.Version) {
		return nil, fmt.Errorf("%s is not understood", currentName)
	}
	if what.Name != p.opts.Model {
		return nil, nil //nolint:nilnil // another model was asked for since
	}
	m, err := load(p.folder(what.Identity))
	if err != nil {
		return nil, err
	}
	return p.serve(what.Identity, stageOf(p.opts.Live, what.Stage), Champion, m)
}

// load reads a model and tries it. A model over which that stumbles is refused like any other that cannot be used.
func load(dir string) (m *model.Model, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			m, err = nil, apperror.Wrap(apperror.FailedPrecondition, fmt.Errorf("%v", fault), "trying it failed in a way that was not foreseen")
		}
	}()
	return model.LoadFolder(dir)
}

func (p *Predictor) folder(what Identity) string { return filepath.Join(p.opts.Dir, what.Version) }

// fetch downloads a version aside and tries it; the champion is then kept. Codes: FailedPrecondition or NotFound if it is unusable, Unavailable
// if it cannot be had now.
func (p *Predictor) fetch(ctx context.Context, what Identity, stage registry.Stage, role Role) (*Served, error) {
	if !plainVersion.MatchString(what.Version) {
		return nil, apperror.New(apperror.FailedPrecondition, "%.80q is not the name of a version", what.Version)
	}
	if err := os.MkdirAll(p.opts.Dir, 0o750); err != nil {
		return nil, p.unwritable(err)
	}
	prefix := otherPrefix
	if role == Champion {
		prefix = partPrefix
	}
	part, err := os.MkdirTemp(p.opts.Dir, prefix)
	if err != nil {
		return nil, p.unwritable(err)
	}
	defer func() { _ = os.RemoveAll(part) }() // gone already if it is kept
	if err := p.opts.Registry.DownloadFolder(ctx, "models:/"+what.Name+"/"+what.Version, part); err != nil {
		return nil, err
	}
	m, err := load(part)
	if err != nil {
		return nil, err
	}
	served, err := p.serve(what, stage, role, m)
	if err != nil || role != Champion {
		return served, err
	}
	killpoint.At(killpoint.ModelDownloaded)
	if err := p.keep(part, kept{what, stage}); err != nil {
		// It can be served all the same; only a restart without tracking would miss it.
		p.opts.Log.Warn("the model cannot be kept on disk", "version", what.Version, "error", err)
	}
	return served, nil
}

func (p *Predictor) unwritable(err error) error {
	return apperror.Wrap(apperror.Unavailable, err, "cannot write in %s, where the served model is kept; check that it is writable and not full", p.opts.Dir)
}

// keep moves a downloaded folder to its place and then names it current.
func (p *Predictor) keep(part string, what kept) error {
	if err := os.RemoveAll(p.folder(what.Identity)); err != nil {
		return err
	}
	if err := os.Rename(part, p.folder(what.Identity)); err != nil {
		return err
	}
	killpoint.At(killpoint.ModelMoved)
	content, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("encode %s: %w", currentName, err)
	}
	file := filepath.Join(p.opts.Dir, currentName)
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// sweepOthers removes what a crash left of versions that were only to be loaded.
func (p *Predictor) sweepOthers() {
	left, err := filepath.Glob(filepath.Join(p.opts.Dir, otherPrefix+"*"))
	if err != nil {
		return // the folder has an odd name; the next sweep of its own leaves them alone
	}
	for _, folder := range left {
		if err := os.RemoveAll(folder); err != nil {
			p.opts.Log.Warn("what is left of a model cannot be removed", "folder", folder, "error", err)
		}
	}
}

// sweep removes kept folders other than the current one's, and what a crash left behind.
func (p *Predictor) sweep(current *Served) {
	entries, err := os.ReadDir(p.opts.Dir)
	if err != nil {
		return // there is nothing to sweep
	}
	for _, e := range entries {
		stale := strings.HasPrefix(e.Name(), partPrefix) || plainVersion.MatchString(e.Name())
		if !e.IsDir() || !stale || e.Name() == current.Version {
			continue
		}
		if err := os.RemoveAll(filepath.Join(p.opts.Dir, e.Name())); err != nil {
			p.opts.Log.Warn("an old model cannot be removed", "folder", e.Name(), "error", err)
		}
	}
}
