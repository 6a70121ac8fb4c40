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

// fileResolver gives flags their values from a YAML file, whose nested keys are joined with dots.
type fileResolver struct{ values map[string]any }

// LoadFile reads a configuration file for kong.Configuration.
func LoadFile(r io.Reader) (kong.Resolver, error) {
	var tree map[string]any
	if err := yaml.NewDecoder(r).Decode(&tree); err != nil && !errors.Is(err, io.EOF) {
		return nil, apperror.Wrap(apperror.Invalid, err, "the configuration file %s is not YAML", nameOf(r))
	}
	flat := map[string]any{}
	flatten("", tree, flat)
	return fileResolver{flat}, nil
}

// nameOf returns the path of a file, which kong opens for us.
func nameOf(r io.Reader) string {
	if f, ok := r.(*os.File); ok {
		return f.Name()
	}
	return "given"
}

func flatten(prefix string, tree, into map[string]any) {
	for key, value := range tree {
		if sub, ok := value.(map[string]any); ok {
			flatten(prefix+key+".", sub, into)
			continue
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
	if !ok || value == nil || value == "" || !isSetting(flag) || inEnvironment(flag) {
		return nil, nil //nolint:nilnil // kong's way to say: not in this file
	}
	list, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value), nil
	}
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = fmt.Sprint(v)
	}
	separator := flag.Tag.Sep
	if separator == noSeparator {
		separator = '\n'
	}
	return strings.Join(words, string(separator)), nil
}

// noSeparator is that of settings whose values may hold any: they are given several times, or one a line.
const noSeparator = -1

func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool {
		_, set := os.LookupEnv(name)
		return set
	})
}
