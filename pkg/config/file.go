package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"

	"tasador/pkg/apperror"
)

// EnvPrefix begins the names of our environment variables.
const EnvPrefix = "TASADOR"

// fileResolver gives flags their values from a YAML file, whose nested keys are joined with dots.
type fileResolver struct{ values map[string]any }

// LoadFile reads a configuration file for kong.Configuration.
func LoadFile(r io.Reader) (kong.Resolver, error) {
	var tree map[string]any
	if err := yaml.NewDecoder(r).Decode(&tree); err != nil && !errors.Is(err, io.EOF) {
		return nil, apperror.Wrap(apperror.Invalid, err, "the configuration file is not YAML")
	}
	flat := map[string]any{}
	flatten("", tree, flat)
	return fileResolver{flat}, nil
}

func flatten(prefix string, tree, into map[string]any) {
	for key, value := range tree {
		if sub, ok := value.(map[string]any); ok {
			flatten(prefix+key+".", sub, into)
			continue
		}
		if list, ok := value.([]any); ok {
			words := make([]string, len(list))
			for i, v := range list {
				words[i] = fmt.Sprint(v)
			}
			value = strings.Join(words, ",")
		}
		into[prefix+key] = value
	}
}

// Validate refuses keys that no setting has.
func (f fileResolver) Validate(app *kong.Application) error {
	known := keys(app.Node)
	for _, key := range slices.Sorted(maps.Keys(f.values)) {
		if !slices.Contains(known, key) {
			return apperror.New(apperror.Invalid, "the configuration file has the unknown key %s; the keys are %s", key, strings.Join(known, ", "))
		}
	}
	return nil
}

// Resolve returns the file's value of a flag, or nil if it has none or if a variable of the environment, which wins, is set.
func (f fileResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := f.values[flag.Name]
	if !ok || value == nil || value == "" || inEnvironment(flag) {
		return nil, nil //nolint:nilnil // kong's way to say: not in this file
	}
	return fmt.Sprint(value), nil
}

func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool {
		_, set := os.LookupEnv(name)
		return set
	})
}

// keys lists the names of the settings below a node, sorted.
func keys(node *kong.Node) []string {
	names := map[string]bool{}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			if f.Tag.Has("roles") || isShared(f.Name) {
				names[f.Name] = true
			}
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(node)
	return slices.Sorted(maps.Keys(names))
}

// isShared reports whether a flag is a setting that all roles have.
func isShared(name string) bool {
	return name == "role" || name == "data-dir" || name == "insecure" || strings.HasPrefix(name, "http.") || strings.HasPrefix(name, "log.")
}

// CheckEnv refuses environment variables of ours that no setting reads.
func CheckEnv(app *kong.Application, environ []string) error {
	known := map[string]bool{}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			for _, name := range f.Envs {
				known[name] = true
			}
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(app.Node)
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, EnvPrefix+"_") && !known[name] {
			return apperror.New(apperror.Invalid, "the environment variable %s is not a setting; the settings are %s", name,
				strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return nil
}

// CheckFlags refuses flags on the command line that belong to roles which do not run: they would do nothing.
func CheckFlags(ctx *kong.Context, roles []string) error {
	for _, p := range ctx.Path {
		if p.Flag == nil || p.Resolved {
			continue
		}
		of := p.Flag.Tag.Get("roles")
		if of == "" || overlap(strings.Split(of, ","), roles) {
			continue
		}
		return apperror.New(apperror.Invalid, "--%s is a flag of the role %s, which does not run here; the flags of %s are %s", p.Flag.Name,
			strings.ReplaceAll(of, ",", " or "), strings.Join(roles, " and "), strings.Join(flagsOf(ctx, roles), ", "))
	}
	return nil
}

func flagsOf(ctx *kong.Context, roles []string) []string {
	var names []string
	for _, f := range ctx.Flags() {
		if of := f.Tag.Get("roles"); isShared(f.Name) || (of != "" && overlap(strings.Split(of, ","), roles)) {
			names = append(names, "--"+f.Name)
		}
	}
	return names
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
