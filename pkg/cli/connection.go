package cli

import (
	"tasador/pkg/config"
	"tasador/pkg/outgoing"
)

// connectionFlags say how a command asks servers: whom it trusts and what it shows.
type connectionFlags struct {
	Credential config.Credential `embed:"" prefix:"auth."`
	CA         string            `name:"http.ca" placeholder:"FILE" help:"Certificates of authorities (PEM) that are trusted beside those of the system."`
}

// outgoing reads the files that are named. Codes: Invalid.
func (f *connectionFlags) outgoing() (outgoing.Options, error) {
	if err := f.Credential.Validate(); err != nil {
		return outgoing.Options{}, err
	}
	how := f.Credential.Outgoing(f.CA, nil)
	return how, how.Check()
}
