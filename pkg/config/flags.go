package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"tasador/pkg/apperror"
)

// envPrefix begins the names of our environment variables.
const envPrefix = "TASADOR_"

// Environment gives every setting a variable: TASADOR_ and its key. The flags of commands, which say what to do once, have none.
func Environment() kong.Option {
	return kong.PostBuild(func(k *kong.Kong) error {
		toVariable := strings.NewReplacer("-", "_", ".", "_")
		eachFlag(k.Model.Node, func(f *kong.Flag) {
			if len(f.Envs) == 0 && (isSetting(f) || f.Name == "config") {
				f.Envs = []string{envPrefix + strings.ToUpper(toVariable.Replace(f.Name))}
				f.Tag.Envs = f.Envs
			}
		})
		return nil
	})
}

// withoutEnvironment takes the variables from all settings.
func withoutEnvironment() kong.Option {
	return kong.PostBuild(func(k *kong.Kong) error {
		eachFlag(k.Model.Node, func(f *kong.Flag) { f.Envs, f.Tag.Envs = nil, nil })
		return nil
	})
}

// CheckEnv refuses environment variables of ours that nothing reads.
func CheckEnv(app *kong.Application, environ []string) error {
	known := map[string]bool{}
	eachFlag(app.Node, func(f *kong.Flag) {
		for _, name := range f.Envs {
			known[name] = true
		}
	})
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, envPrefix) && !known[name] {
			return apperror.New(apperror.Invalid, "the environment variable %s is not a setting; the settings are %s", name,
				strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return nil
}

// eachFlag calls each for the flags of a node and of all below it.
func eachFlag(node *kong.Node, each func(*kong.Flag)) {
	for _, f := range node.Flags {
		each(f)
	}
	for _, child := range node.Children {
		eachFlag(child, each)
	}
}

// keys lists the names of the settings below a node, sorted.
func keys(node *kong.Node) []string {
	names := map[string]bool{}
	eachFlag(node, func(f *kong.Flag) {
		if isSetting(f) {
			names[f.Name] = true
		}
	})
	return slices.Sorted(maps.Keys(names))
}

// isSetting reports whether a flag is a key of Config. A flag of a command that has the name of one and another meaning is tagged own.
func isSetting(f *kong.Flag) bool {
	return !f.Tag.Has("own") && (f.Tag.Has("roles") || isShared(f.Name))
}

// isShared reports whether a flag is a setting that all roles have.
func isShared(name string) bool {
	if name == "role" || name == "data-dir" || name == "start-wait" || name == "insecure" {
		return true
	}
	group, _, _ := strings.Cut(name, ".")
	return slices.Contains([]string{"auth", "audit", "http", "log"}, group)
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
		if of := f.Tag.Get("roles"); isSetting(f) && (of == "" || overlap(strings.Split(of, ","), roles)) {
			names = append(names, "--"+f.Name)
		}
	}
	return names
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
