// Package web holds what the pages of all roles share: templates, style, translations, and the code that puts them together. A page
// is made on the server, needs no script, and asks no other host for anything.
package web

import "embed"

//go:embed templates static translations
var files embed.FS
