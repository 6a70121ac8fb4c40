package tracking

import (
	"io"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

// maxImage is how large a picture may be that a page shows, in bytes.
const maxImage = 8 << 20

// sniffed is how much of a file http.DetectContentType looks at, in bytes.
const sniffed = 512

// imageType returns the type of a picture that a page may show, by what the file begins with and not by its name; empty for anything else.
// SVG is none of these: it is a document, which may hold scripts.
func imageType(head []byte) string {
	kind := http.DetectContentType(head[:min(sniffed, len(head))])
	if slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, kind) {
		return kind
	}
	return ""
}

// runImage is GET /runs/:id/image.
func (p *pages) runImage(c echo.Context) error {
	run, err := p.store.Run(c.Request().Context(), c.Param("id"))
	if err != nil {
		return found(err, "There is no run %s.", c.Param("id"))
	}
	return p.image(c, runPlace(run))
}

// modelImage is GET /logged-models/:id/image.
func (p *pages) modelImage(c echo.Context) error {
	m, err := p.store.LoggedModel(c.Request().Context(), c.Param("id"))
	if err != nil {
		return found(err, "There is no logged model %s.", c.Param("id"))
	}
	return p.image(c, modelPlace(m))
}

// image sends a picture for a page. Whoever opens its address alone gets a document in a sandbox that may load nothing and is of no
// origin, so that not even a file that is a picture and a page at once could do anything. Codes: Invalid, NotFound.
func (p *pages) image(c echo.Context, at place) error {
	store, root, err := p.files.Find(at.uri)
	if err != nil {
		return err
	}
	full, err := below(root, c.QueryParam("path"))
	if err != nil {
		return err
	}
	content, info, err := store.Open(c.Request().Context(), full)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	if info.Size > maxImage {
		return apperror.New(apperror.Invalid, "Only PNG, JPEG, GIF and WebP pictures of at most 8 MB are shown here; download the file.")
	}
	body, err := io.ReadAll(io.LimitReader(content, maxImage))
	if err != nil {
		return err
	}
	kind := imageType(body)
	if kind == "" {
		return apperror.New(apperror.Invalid, "Only PNG, JPEG, GIF and WebP pictures of at most 8 MB are shown here; download the file.")
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set(echo.HeaderContentDisposition, "inline")
	h.Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, kind, body)
}
