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
)

// The folder keeps one folder for each version that was served lately, and a file that names the current one.
const (
	currentName = "current.json"
	partPrefix  = ".part-"
)

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
	var what Identity
	if err := json.Unmarshal(content, &what); err != nil || !plainVersion.MatchString(what.Version) {
		return nil, fmt.Errorf("%s is not understood", currentName)
	}
	if what.Name != p.opts.Model {
		return nil, nil //nolint:nilnil // another model was asked for since
	}
	m, err := model.LoadFolder(p.folder(what))
	if err != nil {
		return nil, err
	}
	return serve(what, m, p.opts.Now())
}

func (p *Predictor) folder(what Identity) string { return filepath.Join(p.opts.Dir, what.Version) }

// fetch downloads a version aside, tries it and only then keeps it. Codes: FailedPrecondition or NotFound if it is unusable,
// Unavailable if it cannot be had now.
func (p *Predictor) fetch(ctx context.Context, what Identity) (*Served, error) {
	if !plainVersion.MatchString(what.Version) {
		return nil, apperror.New(apperror.FailedPrecondition, "%.80q is not the name of a version", what.Version)
	}
	if err := os.MkdirAll(p.opts.Dir, 0o750); err != nil {
		return nil, p.unwritable(err)
	}
	part, err := os.MkdirTemp(p.opts.Dir, partPrefix)
	if err != nil {
		return nil, p.unwritable(err)
	}
	defer func() { _ = os.RemoveAll(part) }() // gone already if all went well
	if err := p.opts.Registry.DownloadFolder(ctx, "models:/"+what.Name+"/"+what.Version, part); err != nil {
		return nil, err
	}
	m, err := model.LoadFolder(part)
	if err != nil {
		return nil, err
	}
	killpoint.At(killpoint.ModelDownloaded)
	if err := p.keep(part, what); err != nil {
		// It can be served all the same; only a restart without tracking would miss it.
		p.opts.Log.Warn("the model cannot be kept on disk", "version", what.Version, "error", err)
	}
	return serve(what, m, p.opts.Now())
}

func (p *Predictor) unwritable(err error) error {
	return apperror.Wrap(apperror.Unavailable, err, "cannot write in %s, where the served model is kept; check that it is writable and not full", p.opts.Dir)
}

// keep moves a downloaded folder to its place and then names it current.
func (p *Predictor) keep(part string, what Identity) error {
	if err := os.RemoveAll(p.folder(what)); err != nil {
		return err
	}
	if err := os.Rename(part, p.folder(what)); err != nil {
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
