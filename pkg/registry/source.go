package registry

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/experiment"
)

// storeSchemes are the artifact stores that a source or a location may name. Everything else is refused: file: and plain paths would
// name files of the server, http: and the like would make it call other hosts.
func storeSchemes() []string {
	return []string{"mlflow-artifacts", "s3", "gs", "wasb", "wasbs", "abfs", "abfss", "dbfs"}
}

// Source is the parsed source of a model version.
type Source struct {
	URI     string
	Scheme  string   // models, runs or that of an artifact store
	Host    string   // empty for models and runs
	Parts   []string // segments of the path
	ModelID string   // of models:/m-…
	RunID   string   // of runs:/…
}

// ParseSource checks the source of a model version: a URI of an artifact store, models:/m-…, models:/name/version or runs:/id/path.
// One that leaves its folder, hides something in a query or a fragment, or names files of the server is refused, whatever else the
// request says. Codes: Invalid.
func ParseSource(uri string) (Source, error) {
	s, err := parseSource(uri)
	if err == nil && s.Scheme == "file" {
		err = invalidSource(uri, "Files of the server cannot be registered; use the artifact URI of a run or models:/m-….")
	}
	return s, err
}

// ParseSourceBelow is ParseSource that also takes folders of this machine below root, if that is one: the place where the clients of a server
// keep their artifacts themselves. Codes: Invalid.
func ParseSourceBelow(root, uri string) (Source, error) {
	s, err := parseSource(uri)
	if err == nil && s.Scheme == "file" && !s.Within(root) {
		return ParseSource(uri)
	}
	return s, err
}

func parseSource(uri string) (Source, error) {
	if uri == "" {
		return Source{}, experiment.MissingValue("source")
	}
	u, err := parseStable(uri)
	if err != nil {
		return Source{}, invalidSource(uri, err.Error())
	}
	s := Source{URI: uri, Scheme: u.Scheme, Host: strings.ToLower(u.Host), Parts: strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })}
	switch {
	case u.Scheme == "":
		return s, invalidSource(uri, "Files of the server cannot be registered; use the artifact URI of a run or models:/m-….")
	case u.Scheme == "models" || u.Scheme == "runs":
		if u.Host != "" || len(s.Parts) == 0 {
			return s, invalidSource(uri, "Write it as models:/m-…, models:/name/version or runs:/id/path.")
		}
		if u.Scheme == "runs" {
			s.RunID = s.Parts[0]
		} else if len(s.Parts) == 1 {
			s.ModelID = s.Parts[0]
		}
	case u.Scheme != "file" && !slices.Contains(storeSchemes(), u.Scheme):
		return s, invalidSource(uri, "The scheme "+experiment.Shorten(u.Scheme)+": is not allowed; use one of "+
			strings.Join(append(storeSchemes(), "models", "runs"), ", ")+".")
	case len(s.Parts) == 0:
		return s, invalidSource(uri, "It names no folder.")
	}
	return s, nil
}

// Within reports whether s is the folder root or below it.
func (s Source) Within(root string) bool {
	r, err := parseSource(root)
	return err == nil && r.Scheme == s.Scheme && r.Host == s.Host && len(s.Parts) >= len(r.Parts) && slices.Equal(s.Parts[:len(r.Parts)], r.Parts)
}

func invalidSource(uri, why string) error {
	return apperror.New(apperror.Invalid, "Invalid model version source: '%s'. %s", experiment.Shorten(uri), why)
}

// CheckLocation refuses places for the artifacts of an experiment that are not plain. Folders of the client's own disk (a path or
// file:) are the client's business: this server never opens them. Codes: Invalid.
func CheckLocation(uri string) error {
	if err := experiment.CheckLength("artifact_location", uri, experiment.MaxArtifactURI); err != nil {
		return err
	}
	u, err := parseStable(strings.TrimPrefix(uri, "./"))
	if err != nil {
		return apperror.New(apperror.Invalid, "Invalid artifact location: '%s'. %s", experiment.Shorten(uri), err.Error())
	}
	if u.Scheme != "" && u.Scheme != "file" && !slices.Contains(storeSchemes(), u.Scheme) {
		return apperror.New(apperror.Invalid, "'artifact_location' cannot use the '%s' scheme; use one of %s.",
			experiment.Shorten(u.Scheme), strings.Join(storeSchemes(), ", "))
	}
	return nil
}

// parseStable parses a URI whose path means the same however often it is decoded and cleaned.
func parseStable(uri string) (*url.URL, error) {
	plain, err := artifact.Decode(uri)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(plain, "\\\x00#;?") {
		return nil, apperror.New(apperror.Invalid, "It must not hold a back-slash, a query, a fragment or parameters.")
	}
	u, err := url.Parse(uri)
	if err != nil {
		return nil, apperror.New(apperror.Invalid, "It is not a URI.")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	p := u.Path
	if p == "" {
		p = u.Opaque
	}
	if p, err = artifact.Decode(p); err != nil {
		return nil, err
	}
	if slices.Contains(strings.Split(plain, "/"), "..") || (p != "" && path.Clean(p) != strings.TrimRight(p, "/") && path.Clean(p) != p) {
		return nil, apperror.New(apperror.Invalid, "It must be an absolute path without relative parts.")
	}
	u.Path = p
	return u, nil
}
