package config

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// WriteReference writes a Markdown table of all settings of a command's flags.
func WriteReference(w io.Writer, flags []*kong.Flag) error {
	var b strings.Builder
	b.WriteString("# Settings\n\n" +
		"A setting is given as a flag, as an environment variable or as a line of the YAML file that `--config` or `TASADOR_CONFIG`\n" +
		"names, whose nested keys are joined with dots. A flag wins over a variable, a variable over the file, the file over the default.\n" +
		"Unknown keys, and flags of roles that do not run, are refused. `tasador config print` shows what is in force.\n\n" +
		"This page is written by `make docs`.\n\n" +
		"| flag | variables | roles | default | meaning |\n|---|---|---|---|---|\n")
	for _, f := range flags {
		if !isSetting(f) {
			continue
		}
		of := f.Tag.Get("roles")
		if of == "" {
			of = "all"
		}
		help := strings.ReplaceAll(f.Help, "|", "\\|")
		fmt.Fprintf(&b, "| `--%s` | %s | %s | %s | %s |\n", f.Name, code(f.Envs), strings.ReplaceAll(of, ",", ", "), code([]string{f.Default}), help)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func code(words []string) string {
	var quoted []string
	for _, word := range words {
		if word != "" {
			quoted = append(quoted, "`"+word+"`")
		}
	}
	return strings.Join(quoted, " ")
}
