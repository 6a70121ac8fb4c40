package config

import (
	"log/slog"
	"net"
	"slices"

	"tasador/pkg/apperror"
	"tasador/pkg/outgoing"
)

// Grant keeps what a role shows the other roles of this process. It is in memory only.
func (c *Config) Grant(role, token string) {
	if c.granted == nil {
		c.granted = map[string]string{}
	}
	c.granted[role] = token
}

// Outgoing is how other servers of tasador are asked from outside them, such as from the command line. Log, which may be nil, hears of files that change.
func (c *Credential) Outgoing(ca string, log *slog.Logger) outgoing.Options {
	return outgoing.Options{CA: ca, Login: outgoing.Login{Token: c.Token, TokenFile: c.TokenFile}, Log: log}
}

func (c *Credential) given() bool { return c.Token != "" || c.TokenFile != "" }

// Validate checks what can be known without the file. Codes: Invalid.
func (c *Credential) Validate() error {
	switch {
	case c.Token != "" && c.TokenFile != "":
		return apperror.New(apperror.Invalid, "--auth.token and --auth.token-file=%s are both given; give one of them", c.TokenFile)
	case c.Token != "" && !outgoing.IsToken(c.Token):
		return apperror.New(apperror.Invalid, "--auth.token is no token; give what tasador token create prints")
	}
	return nil
}

// ToTracking is how a role of this process asks tracking: with the token, else as MLflow's clients do, with a name and a password, else with MLflow's token.
// SetDefaults must have filled the addresses.
func (c *Config) ToTracking(role string, log *slog.Logger) outgoing.Options {
	o := c.to(role, log)
	if !c.Auth.given() {
		o.Login = outgoing.Login{Username: c.Tracking.Username, Password: c.Tracking.Password, Token: c.Tracking.Token}
	}
	return o
}

// ToSource is how a role of this process asks the data API. One that is not tasador's gets no token.
func (c *Config) ToSource(role string, log *slog.Logger) outgoing.Options {
	o := c.to(role, log)
	if !c.Source.Auth {
		o.Login = outgoing.Login{}
	}
	return o
}

func (c *Config) to(role string, log *slog.Logger) outgoing.Options {
	o := c.Auth.Outgoing(c.HTTP.CA, log)
	o.Own = outgoing.Own{Addresses: c.ownAddresses(), Certificate: c.HTTP.TLSCert, Token: c.granted[role]}
	return o
}

// ownAddresses are those at which this process reaches its own servers.
func (c *Config) ownAddresses() []string {
	var own []string
	for _, role := range RoleNames() {
		host, port, err := net.SplitHostPort(*c.Listen(role))
		if err != nil || !c.Runs(role) {
			continue
		}
		own = append(own, net.JoinHostPort(host, port))
		if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
			own = append(own, net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port), net.JoinHostPort("localhost", port))
		}
	}
	return slices.Compact(own)
}
