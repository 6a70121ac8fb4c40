package trackingclient

import (
	"context"
	"net/url"
	"path"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/registry"
)

// proxyScheme names artifacts that the tracking server itself hands out.
const proxyScheme = "mlflow-artifacts"

// artifactURL returns where the server's proxy serves a file.
func (c *Client) artifactURL(file string) *url.URL {
	target := c.base.JoinPath(artifactRoute)
	target.Path = target.Path + "/" + file
	return target
}

// file returns where the file name below artifactURI is; without a store it is behind the server's proxy.
func (c *Client) file(ctx context.Context, artifactURI, name string) (artifact.Store, string, error) {
	store, root, err := c.place(ctx, artifactURI)
	if err != nil {
		return nil, "", err
	}
	full, err := joinPath(root, name)
	if err != nil {
		return nil, "", err
	}
	if full == "" || name == "" {
		return nil, "", apperror.New(apperror.Invalid, "an artifact needs a name below %s", artifactURI)
	}
	return store, full, nil
}

// joinPath joins artifact paths and refuses names that leave the folder.
func joinPath(root, name string) (string, error) {
	if strings.ContainsAny(name, "\\\x00") || path.IsAbs(name) || (name != "" && path.Clean(name) != strings.TrimSuffix(name, "/")) ||
		strings.HasPrefix(path.Clean(name), "..") {
		return "", apperror.New(apperror.Invalid, "the artifact path %q is not a plain relative path", name)
	}
	return strings.TrimPrefix(path.Join(root, name), "/"), nil
}

// place returns where the folder artifactURI is; without a store it is behind the server's proxy.
func (c *Client) place(ctx context.Context, artifactURI string) (artifact.Store, string, error) {
	if c.baseErr != nil {
		return nil, "", c.baseErr
	}
	resolved, err := c.resolve(ctx, artifactURI)
	if err != nil {
		return nil, "", err
	}
	u, err := url.Parse(resolved)
	if err != nil {
		return nil, "", apperror.New(apperror.Invalid, "the artifact URI %q is not understood", artifactURI)
	}
	if u.Scheme != proxyScheme {
		return c.direct(ctx, artifactURI, u)
	}
	if u.Host != "" && u.Host != c.base.Host {
		return nil, "", apperror.New(apperror.FailedPrecondition,
			"the artifacts at %s are behind another server than the tracking server %s", resolved, c.base.Redacted())
	}
	return nil, strings.TrimPrefix(path.Clean("/"+u.Path), "/"), nil
}

// maxIndirections bounds how often a models: or runs: URI may point at another one.
const maxIndirections = 5

// resolve follows models: and runs: URIs to one of an artifact store.
func (c *Client) resolve(ctx context.Context, uri string) (string, error) {
	start := uri
	for range maxIndirections {
		scheme, rest, found := strings.Cut(uri, ":")
		if !found {
			return uri, nil
		}
		var err error
		switch scheme {
		case "models":
			uri, err = c.resolveModel(ctx, strings.TrimLeft(rest, "/"))
		case "runs":
			uri, err = c.resolveRun(ctx, strings.TrimLeft(rest, "/"))
		default:
			return uri, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", apperror.New(apperror.Invalid, "the artifact URI %s leads round in circles", start)
}

// resolveModel reads m-ID, NAME/VERSION, NAME/STAGE, NAME/latest and NAME@ALIAS.
func (c *Client) resolveModel(ctx context.Context, ref string) (string, error) {
	if name, alias, ok := strings.Cut(ref, "@"); ok && !strings.Contains(ref, "/") {
		v, err := c.VersionByAlias(ctx, name, alias)
		if err != nil {
			return "", err
		}
		return c.DownloadURI(ctx, v.Name, v.Version)
	}
	name, version, ok := strings.Cut(ref, "/")
	if !ok {
		m, err := c.LoggedModel(ctx, name)
		if err != nil {
			return "", err
		}
		return m.ArtifactURI, nil
	}
	if strings.Trim(version, "0123456789") == "" {
		return c.DownloadURI(ctx, name, version)
	}
	var stages []registry.Stage
	if !strings.EqualFold(version, "latest") {
		stage, err := registry.ParseStage(version)
		if err != nil {
			return "", err
		}
		stages = append(stages, stage)
	}
	newest, err := c.newest(ctx, name, stages)
	if err != nil {
		return "", err
	}
	if newest == "" {
		return "", apperror.New(apperror.NotFound, "model %s has no version in stage %s", name, version)
	}
	return c.DownloadURI(ctx, name, newest)
}

func (c *Client) newest(ctx context.Context, name string, stages []registry.Stage) (string, error) {
	list, err := c.LatestVersions(ctx, name, stages)
	newest := ""
	for _, v := range list {
		if len(v.Version) > len(newest) || (len(v.Version) == len(newest) && v.Version > newest) {
			newest = v.Version
		}
	}
	return newest, err
}

func (c *Client) resolveRun(ctx context.Context, ref string) (string, error) {
	id, folder, _ := strings.Cut(ref, "/")
	run, err := c.Run(ctx, id)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(run.ArtifactURI)
	if err != nil {
		return "", apperror.New(apperror.Invalid, "the artifact URI %q of run %s is not understood", run.ArtifactURI, id)
	}
	if folder == "" {
		return u.String(), nil
	}
	if _, err := joinPath("", folder); err != nil {
		return "", err
	}
	return u.JoinPath(folder).String(), nil
}
