// Package places opens the artifact stores that the settings of tracking name, and finds the one that keeps what a URI names.
package places

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/dirstore"
	"tasador/pkg/artifact/s3store"
	"tasador/pkg/config"
)

// proxied is the scheme of artifacts that the tracking server hands out itself.
const proxied = "mlflow-artifacts"

// Store is an artifact.Store that was opened.
type Store interface {
	artifact.Store
	Ping(ctx context.Context) error
	Close() error
}

// place is a store and the URI of its root.
type place struct {
	Store
	base *url.URL
}

// Places are the stores of one tracking server: that behind its artifact proxy, and that which clients reach themselves, if it has one.
type Places struct {
	all       []place // the first is that of the proxy
	root      string
	proxyOnly bool
}

// Open opens the stores. Codes: Invalid for settings that cannot be understood, and those of the stores.
func Open(ctx context.Context, cfg config.Artifacts) (*Places, error) {
	return open(ctx, cfg, dirstore.Open)
}

// Join is Open beside a tracking server that may be running on the same stores.
func Join(ctx context.Context, cfg config.Artifacts) (*Places, error) {
	return open(ctx, cfg, dirstore.Join)
}

// Make is Join that makes folders that are missing.
func Make(ctx context.Context, cfg config.Artifacts) (*Places, error) {
	return open(ctx, cfg, dirstore.Make)
}

func open(ctx context.Context, cfg config.Artifacts, openDir func(string) (*dirstore.Store, error)) (*Places, error) {
	p := &Places{root: proxied + ":/", proxyOnly: cfg.ProxyOnly}
	add := func(setting, address string) error {
		at, err := openPlace(ctx, setting, address, cfg.Endpoint, openDir)
		if err == nil {
			p.all = append(p.all, at)
		}
		return err
	}
	err := add("--artifacts.url", cfg.URL)
	if err == nil && cfg.Root != "" {
		if cfg.Root != cfg.URL {
			err = add("--artifacts.root", cfg.Root)
		}
		if err == nil {
			p.root = p.all[len(p.all)-1].base.String()
		}
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func openPlace(ctx context.Context, setting, address, endpoint string, openDir func(string) (*dirstore.Store, error)) (place, error) {
	scheme, path, found := strings.Cut(address, ":")
	path = strings.TrimPrefix(path, "//")
	switch {
	case found && scheme == "file" && path != "":
		absolute, err := filepath.Abs(path)
		if err != nil {
			return place{}, apperror.Wrap(apperror.Invalid, err, "%s=%s cannot be made an absolute path", setting, address)
		}
		store, err := openDir(absolute)
		return place{store, &url.URL{Scheme: "file", Path: absolute}}, err
	case found && scheme == "s3":
		store, err := s3store.Open(ctx, address, endpoint)
		if err != nil {
			return place{}, err
		}
		bucket, prefix, _ := strings.Cut(strings.TrimSuffix(path, "/"), "/")
		return place{store, &url.URL{Scheme: "s3", Host: bucket, Path: "/" + prefix}}, nil
	}
	return place{}, apperror.New(apperror.Invalid, "%s=%s is not understood; write it as file:PATH or s3://bucket/prefix", setting, address)
}

// Root is the URI below which new experiments get their places.
func (p *Places) Root() string { return strings.TrimSuffix(p.root, "/") }

// ProxiedRoot is Root if it names what is behind the artifact proxy too, else empty.
func (p *Places) ProxiedRoot() string {
	if len(p.all) > 1 || strings.HasPrefix(p.root, proxied) {
		return ""
	}
	return p.Root()
}

// Proxied is the store behind the artifact proxy.
func (p *Places) Proxied() artifact.Store { return p.all[0].Store }

// Uploads are those of the stores that keep the parts of uploads until they are complete.
func (p *Places) Uploads() (stores []artifact.Uploads) {
	for _, at := range p.all {
		if store, ok := at.Store.(artifact.Uploads); ok {
			stores = append(stores, store)
		}
	}
	return stores
}

// Direct is the store behind the artifact proxy if its clients can and may move files without the server, else nil.
func (p *Places) Direct() artifact.Direct {
	if p.proxyOnly {
		return nil
	}
	direct, _ := p.all[0].Store.(artifact.Direct)
	return direct
}

// Find returns the store that keeps what uri names, and its path there. Codes: Invalid for other places.
func (p *Places) Find(uri string) (artifact.Store, string, error) {
	u, err := url.Parse(uri)
	if err == nil && u.Scheme == proxied {
		return p.all[0], strings.Trim(u.Path, "/"), nil
	}
	for _, at := range p.all {
		if err != nil {
			break
		}
		if path, ok := at.path(u); ok {
			return at.Store, path, nil
		}
	}
	return nil, "", apperror.New(apperror.Invalid, "The artifacts at '%s' are not kept by this server; read them where they are.", uri)
}

// path returns where uri is below the place.
func (at place) path(u *url.URL) (string, bool) {
	if u.Scheme != at.base.Scheme && (u.Scheme != "" || at.base.Scheme != "file") || u.Host != at.base.Host {
		return "", false
	}
	rest, ok := strings.CutPrefix(u.Path, strings.TrimSuffix(at.base.Path, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.Trim(rest, "/"), true
}

// Ping reports whether all stores can be used. Codes: those of the stores.
func (p *Places) Ping(ctx context.Context) error {
	for _, at := range p.all {
		if err := at.Ping(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the stores.
func (p *Places) Close() error {
	var errs []error
	for _, at := range p.all {
		errs = append(errs, at.Close())
	}
	return errors.Join(errs...)
}
