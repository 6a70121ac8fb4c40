package config

import (
	"math"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/listingapi"
	"tasador/pkg/property"
	"tasador/pkg/redact"
)

// maxStopDelay leaves time for the rest of a stop: a role has a minute.
const maxStopDelay = 15 * time.Second

// minAuditFile keeps the files of the audit log from being one line each.
const minAuditFile = 1 << 16

// Validate checks the settings of the roles that run. Codes: Invalid, with a sentence that names the key and its value.
func (c *Config) Validate(roles []string) error {
	for _, role := range roles {
		if err := c.validateListen(role); err != nil {
			return err
		}
	}
	for _, u := range []struct{ key, value string }{
		{"tracking.uri", c.Tracking.URI}, {"source.uri", c.Source.URI}, {"pipeline.public-url", c.Pipeline.PublicURL},
		{"tracking.public-url", c.Tracking.PublicURL}, {"serving.public-url", c.Serving.PublicURL},
	} {
		if err := validateURI(u.key, u.value); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"session-idle", c.Auth.SessionIdle}, {"session-life", c.Auth.SessionLife}, {"call-life", c.Auth.CallLife}, {"outage", c.Auth.Outage}} {
		if d.value <= 0 && (c.Auth.Enabled || d.value < 0) {
			return apperror.New(apperror.Invalid, "--auth.%s=%s is no time; write it as 12h", d.key, d.value)
		}
	}
	if err := c.Auth.Validate(); err != nil {
		return err
	}
	if c.Audit.MaxBytes < minAuditFile || c.Audit.MaxFiles < 0 {
		return apperror.New(apperror.Invalid, "--audit.max-bytes=%d must be at least %d, and --audit.max-files=%d must not be negative", c.Audit.MaxBytes, minAuditFile, c.Audit.MaxFiles)
	}
	if (c.HTTP.TLSCert == "") != (c.HTTP.TLSKey == "") {
		return apperror.New(apperror.Invalid, "--http.tls-cert=%s and --http.tls-key=%s belong together; give both or none", c.HTTP.TLSCert, c.HTTP.TLSKey)
	}
	if c.StartWait < 0 {
		return apperror.New(apperror.Invalid, "--start-wait=%s is negative; 0s does not wait", c.StartWait)
	}
	if c.HTTP.StopDelay < 0 || c.HTTP.StopDelay > maxStopDelay {
		return apperror.New(apperror.Invalid, "--http.stop-delay=%s is not between 0s and %s", c.HTTP.StopDelay, maxStopDelay)
	}
	if slices.Contains(roles, RoleServing) && (c.Serving.Model == "" || c.Serving.Stage == "") {
		return apperror.New(apperror.Invalid, "--serving.model=%s with --serving.stage=%s names no version; name the registered model and a stage such as Production",
			c.Serving.Model, c.Serving.Stage)
	}
	if slices.Contains(roles, RolePipeline) {
		return c.validatePipeline()
	}
	return nil
}

func (c *Config) validateListen(role string) error {
	addr := *c.Listen(role)
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return apperror.New(apperror.Invalid, "--%s.listen=%s is not an address; write it as 127.0.0.1:8080", role, addr)
	}
	ip := net.ParseIP(host)
	if c.Auth.Enabled || c.Insecure || host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return apperror.New(apperror.Invalid, "--%s.listen=%s can be reached from other machines, where anybody could change everything; "+
		"let everybody log in with --auth.enabled, listen on 127.0.0.1, or say --insecure if the network protects it", role, addr)
}

func validateURI(key, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return apperror.New(apperror.Invalid, "--%s=%s is not an address; write it as http://host:port", key, redact.URL(value))
	}
	return nil
}

func (c *Config) validatePipeline() error {
	for _, column := range c.Gate.Nullable {
		if !slices.Contains(property.Required(), column) {
			return apperror.New(apperror.Invalid, "--gate.nullable: %q is not a required column; those are %s", column, strings.Join(property.Required(), ", "))
		}
	}
	if err := c.Source.validate(); err != nil {
		return err
	}
	switch g, s := c.Gate, c.Schedule; {
	case !(g.MaxInvalidRatio >= 0 && g.MaxInvalidRatio <= 1):
		return apperror.New(apperror.Invalid, "--gate.max-invalid-ratio=%v is not a share; it goes from 0 to 1", g.MaxInvalidRatio)
	case g.MinNewRecords < 0:
		return apperror.New(apperror.Invalid, "--gate.min-new-records=%d is negative; it counts rows", g.MinNewRecords)
	case s.Retries < 0 || s.RetryDelay < 0 || s.TaskTimeout < 0:
		return apperror.New(apperror.Invalid, "--schedule.retries=%d, --schedule.retry-delay=%s and --schedule.task-timeout=%s must not be negative",
			s.Retries, s.RetryDelay, s.TaskTimeout)
	case s.KeepRuns < 0:
		return apperror.New(apperror.Invalid, "--schedule.keep-runs=%d is negative; it counts runs, and 0 keeps all", s.KeepRuns)
	case s.MaxActiveRuns != 1:
		return apperror.New(apperror.Invalid, "--schedule.max-active-runs=%d is not supported: runs share the split tables, so only 1 is safe", s.MaxActiveRuns)
	}
	return nil
}

// validate checks how the data API is asked.
func (s Source) validate() error {
	if _, err := listingapi.ParseHeaders(s.Headers); err != nil {
		return err
	}
	switch {
	case s.Timeout < 0 || s.Retries < 0 || s.RetryDelay < 0:
		return apperror.New(apperror.Invalid, "--source.timeout=%s, --source.retries=%d and --source.retry-delay=%s must not be negative", s.Timeout, s.Retries, s.RetryDelay)
	case !(s.Rate >= 0) || math.IsInf(s.Rate, 0):
		return apperror.New(apperror.Invalid, "--source.rate=%v is not a rate; it counts requests in a second, and 0 means any number", s.Rate)
	case s.Exact && s.URI == "":
		return apperror.New(apperror.Invalid, "--source.exact needs --source.uri, the address that is asked as it is")
	}
	return nil
}
