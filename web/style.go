package web

import "fmt"

// Stylesheet returns the style of all pages, for documents that stand alone.
func Stylesheet() (string, error) {
	content, err := files.ReadFile("static/app.css")
	if err != nil {
		return "", fmt.Errorf("read the style: %w", err)
	}
	return string(content), nil
}
