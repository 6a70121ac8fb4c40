package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"tasador/pkg/apperror"
	"tasador/pkg/audit"
	"tasador/pkg/realtor"
)

// Names of the roles.
const (
	RolePipeline = "pipeline"
	RoleTracking = "tracking"
	RoleServing  = "serving"
	RoleSource   = "source"
)

// RoleNames lists all roles in the order in which they start: each after those that it calls.
func RoleNames() []string { return []string{RoleSource, RoleTracking, RolePipeline, RoleServing} }

// DefaultRoles are those that run when none is named. The source of invented listings is not among them.
func DefaultRoles() []string { return []string{RolePipeline, RoleTracking, RoleServing} }

// Roles returns the roles to run, in starting order. Codes: Invalid for an unknown or repeated name.
func (c *Config) Roles() ([]string, error) {
	if len(c.Role) == 0 {
		return ordered(DefaultRoles()), nil
	}
	seen := map[string]bool{}
	for _, name := range c.Role {
		switch {
		case !slices.Contains(RoleNames(), name):
			return nil, apperror.New(apperror.Invalid, "--role: there is no role %q; the roles are %s", name, strings.Join(RoleNames(), ", "))
		case seen[name]:
			return nil, apperror.New(apperror.Invalid, "--role names %s twice; name each role once", name)
		}
		seen[name] = true
	}
	return ordered(c.Role), nil
}

func ordered(roles []string) []string {
	var out []string
	for _, name := range RoleNames() {
		if slices.Contains(roles, name) {
			out = append(out, name)
		}
	}
	return out
}

// Vars are the words that the texts and defaults of settings refer to.
func Vars() kong.Vars {
	return kong.Vars{
		"roles":         strings.Join(RoleNames(), ", "),
		"default_roles": strings.Join(DefaultRoles(), ", "),
		"dag":           realtor.DAG,
		"model":         realtor.Model,
	}
}

// Default returns the settings that hold without flags, variables and file.
func Default() (*Config, error) {
	var c Config
	parser, err := kong.New(&c, Vars(), withoutEnvironment())
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if _, err := parser.Parse(nil); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return &c, nil
}

// Listen returns the listen address of a role, to read or to replace by the one that was bound.
func (c *Config) Listen(role string) *string {
	switch role {
	case RolePipeline:
		return &c.Pipeline.Listen
	case RoleTracking:
		return &c.Tracking.Listen
	case RoleServing:
		return &c.Serving.Listen
	default:
		return &c.Source.Listen
	}
}

// Encrypted reports whether the servers of this process speak HTTPS.
func (c *Config) Encrypted() bool { return c.HTTP.TLSCert != "" }

// Address is where a role answers that listens on its address in this process, such as https://127.0.0.1:5000.
func (c *Config) Address(role string) string { return c.AddressOf(*c.Listen(role)) }

// AddressOf is where a server of this process answers that listens on host:port.
func (c *Config) AddressOf(listen string) string {
	return map[bool]string{false: "http://", true: "https://"}[c.Encrypted()] + listen
}

// Options are those of the audit log below a data folder.
func (a Audit) Options(dataDir string) audit.Options {
	return audit.Options{Folder: filepath.Join(dataDir, audit.Folder), FileSize: a.MaxBytes, Files: a.MaxFiles}
}

// PublicURL returns where browsers reach a role, empty if no setting says so.
func (c *Config) PublicURL(role string) string {
	return map[string]string{RolePipeline: c.Pipeline.PublicURL, RoleTracking: c.Tracking.PublicURL, RoleServing: c.Serving.PublicURL}[role]
}

// Runs reports whether a role runs in this process.
func (c *Config) Runs(role string) bool {
	roles, err := c.Roles()
	return err == nil && slices.Contains(roles, role)
}

// SetDefaults fills what is empty from the data folder and from the roles that run in this process.
func (c *Config) SetDefaults(roles []string) {
	database := func(url *string, file string) {
		if *url == "" {
			*url = "sqlite:" + filepath.Join(c.DataDir, file)
		}
	}
	// Predictions are in RawData.predictions, as in the original. Only beside the pipeline on an SQLite file they have a file of their own, so
	// that a bulk load never holds up an answer.
	raw, embedded := strings.CutPrefix(c.RawData.URL, "sqlite:")
	if c.Predictions.URL == "" && raw != "" && (!embedded || !slices.Contains(roles, RolePipeline)) {
		c.Predictions.URL = c.RawData.URL
	}
	database(&c.Auth.URL, "auth.db")
	database(&c.Pipeline.DB, "pipeline.db")
	database(&c.Tracking.DB, "tracking.db")
	database(&c.RawData.URL, "rawdata.db")
	database(&c.CleanData.URL, "cleandata.db")
	database(&c.Predictions.URL, "predictions.db")
	if c.Artifacts.URL == "" {
		c.Artifacts.URL = c.Artifacts.Root
	}
	if c.Artifacts.URL == "" {
		c.Artifacts.URL = "file:" + filepath.Join(c.DataDir, "artifacts")
	}
	if c.Tracking.URI == "" {
		c.Tracking.URI = c.Address(RoleTracking)
	}
	if c.Source.URI == "" && slices.Contains(roles, RoleSource) {
		c.Source.URI = c.Address(RoleSource)
	}
}
