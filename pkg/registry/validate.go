package registry

import (
	"regexp"
	"strconv"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// MLflow's limits of the registry, in characters.
const (
	maxTagValue = 100_000
	maxAlias    = 255
	maxName     = 256 // MLflow's column; longer names fail there too
)

var (
	aliasForm    = regexp.MustCompile(`^[\pL\pN_\-]*$`)
	versionAlias = regexp.MustCompile(`^[vV]\d+$`)
)

// CheckName refuses names of models that MLflow refuses. Codes: Invalid.
func CheckName(name string) error {
	if strings.TrimSpace(name) == "" {
		return experiment.MissingValue("name")
	}
	if strings.ContainsAny(name, "/:") {
		return apperror.New(apperror.Invalid, "Invalid model name '%s'. Names cannot contain '/' or ':'.", experiment.Shorten(name))
	}
	if err := experiment.CheckPathStable("name", name); err != nil {
		return err
	}
	return experiment.CheckLength("name", name, maxName)
}

// CheckTag refuses a bad key or a long value. Codes: Invalid.
func CheckTag(t experiment.Tag) error {
	if err := experiment.CheckKey("key", t.Key); err != nil {
		return err
	}
	return experiment.CheckLength("value", t.Value, maxTagValue)
}

// CheckAlias refuses names that cannot be an alias; reserved ones only if they are to be set. Codes: Invalid.
func CheckAlias(alias string, set bool) error {
	switch {
	case alias == "":
		return apperror.New(apperror.Invalid, "Registered model alias name cannot be empty.")
	case !aliasForm.MatchString(alias):
		return apperror.New(apperror.Invalid, "Invalid alias name: '%s'. Names may only contain alphanumerics, underscores (_), and dashes (-).",
			experiment.Shorten(alias))
	case set && IsLatest(alias):
		return apperror.New(apperror.Invalid, "'latest' alias name (case insensitive) is reserved.")
	case set && versionAlias.MatchString(alias):
		return apperror.New(apperror.Invalid, "Version alias name '%s' is reserved.", experiment.Shorten(alias))
	}
	return experiment.CheckLength("Registered model alias name", alias, maxAlias)
}

// IsLatest reports whether an alias is the built-in one for the newest version.
func IsLatest(alias string) bool { return strings.EqualFold(alias, "latest") }

// ParseVersion reads the number of a version. Codes: Invalid.
func ParseVersion(version string) (int64, error) {
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return 0, apperror.New(apperror.Invalid, "Parameter 'version' must be an integer, got '%s'.", experiment.Shorten(version))
	}
	return n, nil
}
