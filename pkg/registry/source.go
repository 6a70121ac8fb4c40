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

// storeSchemes are the artifact stores that a source or a location may name. Others are refused: http: and the like would make the server call
// other hosts.
func storeSchemes() []string {
	return []string{"mlflow-artifacts", "s3", "gs", "wasb", "wasbs", "abfs", "abfss", "dbfs"}
}

// Source is the parsed source of a model version.
type Source struct {
	URI      string   // as the client wrote it
	Location string   // URI without doubled slashes, and in folders of a machine without dots
	Scheme   string   // models, runs or that of an artifact store
	Host     string   // empty for models and runs
	Parts    []string // segments of the path
	ModelID  string   // of models:/m-…
	RunID    string   // of runs:/…
}

// ParseSource checks the source of a model version: a URI of an artifact store, models:/m-…, models:/name/version or runs:/id/path.
// One that leaves its folder, hides something in a query or a fragment, or names files of the server is refused, whatever else the
// request says. Codes: Invalid.
func ParseSource(uri string) (Source, error) {
	s, err := parseSource(uri)
	if err == nil && s.Scheme == "file" {
		err = LocalSource(uri, "run_id")
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

// LocalSource is the refusal of a folder that is not in that of the run or the logged model that a parameter (run_id, model_id) names.
// Codes: Invalid.
func LocalSource(uri, parameter string) error {
	return invalidSource(uri, "To use a local path as a model version source, the "+parameter+" request parameter has to be specified and the local path has to be "+
		"contained within the artifact directory of the run specified by the "+parameter+".")
}

// notAbsolute is what MLflow says of a source that means another place than it seems to.
const notAbsolute = "If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be " +
	"provided without relative path references present. Please provide an absolute path."

func parseSource(uri string) (Source, error) {
	if uri == "" {
		return Source{}, experiment.MissingValue("source")
	}
	if err := checkSourceScheme(uri); err != nil {
		return Source{}, err
	}
	location := tidy(uri)
	u, err := parseStable(location)
	if err != nil {
		return Source{}, invalidSource(uri, notAbsolute+" "+err.Error())
	}
	s := Source{URI: uri, Location: location, Scheme: u.Scheme, Host: u.Host}
	for _, part := range strings.Split(u.Path, "/") {
		if part != "" {
			s.Parts = append(s.Parts, part)
		}
	}
	switch {
	case u.Scheme == "":
		if u.Host != "" || !path.IsAbs(u.Path) {
			return s, LocalSource(uri, "run_id")
		}
		s.Scheme = "file"
	case u.Scheme == "file" && u.Host != "":
		return s, invalidSource(uri, "It is not a valid remote uri.")
	case u.Scheme == "models" || u.Scheme == "runs":
		if u.Host != "" || len(s.Parts) == 0 {
			return s, invalidSource(uri, "Write it as models:/m-…, models:/name/version or runs:/id/path.")
		}
		if u.Scheme == "runs" {
			s.RunID = s.Parts[0]
		} else if len(s.Parts) == 1 {
			s.ModelID = s.Parts[0]
		}
	case len(s.Parts) == 0:
		return s, invalidSource(uri, "It names no folder.")
	}
	return s, nil
}

// checkSourceScheme refuses the schemes that this server must not call or open. Codes: Invalid.
func checkSourceScheme(uri string) error {
	scheme, _, found := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme)
	allowed := append(storeSchemes(), "models", "runs")
	if !found || strings.Contains(scheme, "/") || scheme == "file" || slices.Contains(allowed, scheme) {
		return nil
	}
	refusal := "'source' cannot use the '" + experiment.Shorten(scheme) + "' scheme; use one of " + strings.Join(allowed, ", ") + "."
	if _, err := parseStable(uri); err != nil {
		refusal += " " + notAbsolute
	}
	return invalidSource(uri, refusal)
}

// tidy takes doubled slashes out of the path of a source, and out of a path of this machine the dots, as MLflow does. What is
// percent-encoded stays, and is checked later.
func tidy(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" {
		return uri
	}
	before, folder, found := strings.Cut(uri, u.EscapedPath())
	if !found || u.EscapedPath() == "" || folder != "" {
		return uri
	}
	folder = u.EscapedPath()
	if scheme := strings.ToLower(u.Scheme); u.Host == "" && path.IsAbs(folder) && (scheme == "file" || scheme == "") {
		return before + path.Clean(folder)
	}
	for strings.Contains(folder, "//") {
		folder = strings.ReplaceAll(folder, "//", "/")
	}
	return before + folder
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
