package tracking

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
	"tasador/pkg/registry"
	"tasador/web"
)

// moveForm is one of the forms that move a version or an alias, as it was typed, with what is wrong.
type moveForm struct {
	Matter       registry.Matter
	Version      string
	Stage        registry.Stage
	Archive      bool
	Alias        string
	Remove       bool // the alias
	VersionError *apperror.Sentence
	AliasError   *apperror.Sentence
	Error        *apperror.Sentence // what is wrong with all of it
}

// newMoveForm is the form before anybody typed into it.
func newMoveForm(version string) moveForm {
	return moveForm{Version: version, Stage: registry.Production, Archive: true}
}

func (f *moveForm) wrong() bool {
	return f.VersionError != nil || f.AliasError != nil || f.Error != nil
}

// readMoveForm reads what a form sent. Codes: Invalid.
func readMoveForm(typed url.Values) (moveForm, error) {
	f := moveForm{
		Matter: registry.Matter(typed.Get("matter")), Version: strings.TrimSpace(typed.Get("version")), Archive: typed.Get("archive") != "",
		Alias: strings.TrimPrefix(strings.TrimSpace(typed.Get("alias")), "@"), Remove: typed.Get("remove") != "",
	}
	var err error
	switch f.Matter {
	case registry.StageMatter:
		if f.Stage, err = registry.ParseStage(typed.Get("stage")); err != nil {
			return f, apperror.New(apperror.Invalid, "This form names no stage; go back to the model and send it from there.")
		}
		f.Archive = f.Archive && f.makesRoom()
	case registry.AliasMatter:
		if registry.CheckAlias(f.Alias, !f.Remove) != nil {
			f.AliasError = &apperror.Sentence{Format: "This cannot be an alias: take up to 255 letters, digits, _ and -, but neither latest nor v and a number."}
		}
	default:
		return f, apperror.New(apperror.Invalid, "This form names nothing to move; go back to the model and send it from there.")
	}
	if _, err := registry.ParseVersion(f.Version); err != nil && !f.Remove {
		f.VersionError = &apperror.Sentence{Format: "Choose a version."}
	}
	return f, nil
}

// makesRoom reports whether versions that are in the stage already may be archived: MLflow has that for these two.
func (f *moveForm) makesRoom() bool {
	return f.Stage == registry.Production || f.Stage == registry.Staging
}

// movePage is the content of the page that asks before it moves anything.
type movePage struct {
	Model, Href string
	Form        moveForm
	Moves       []registry.Move
	Seen        string
	Changed     bool // since it was shown
	By          registry.Actor
}

// errUnseen keeps a change from being made that nobody has seen.
var errUnseen = errors.New("not agreed to")

// move is POST /models/:name. At first it only shows what would change; the form there sends what was shown along, and only if that is
// still so it is done.
func (p *pages) move(c echo.Context) error {
	if err := c.Request().ParseForm(); err != nil {
		return apperror.Wrap(apperror.Invalid, err, "the form cannot be read; send it as a browser does")
	}
	typed, name := c.Request().PostForm, last(c)
	form, err := readMoveForm(typed)
	if err != nil {
		return err
	}
	if form.wrong() {
		return p.modelPage(c, http.StatusUnprocessableEntity, form)
	}
	body := movePage{Model: name, Href: modelHref(name), Form: form, Changed: typed.Get("seen") != ""}
	httpserver.Touch(c, "version", form.Version, "stage", string(form.Stage), "alias", form.Alias)
	ctx := withActor(c, registry.ViaPage)
	body.By = registry.ActorOf(ctx)
	agree := func(moves []registry.Move) error {
		body.Moves, body.Seen = moves, digest(moves)
		if len(moves) == 0 || typed.Get("seen") != body.Seen {
			return errUnseen
		}
		return nil
	}
	switch {
	case form.Matter == registry.StageMatter:
		_, err = p.store.MoveStage(ctx, name, form.Version, form.Stage, form.Archive, agree)
	case form.Remove:
		err = p.store.MoveAlias(ctx, name, form.Alias, "", agree)
	default:
		err = p.store.MoveAlias(ctx, name, form.Alias, form.Version, agree)
	}
	switch {
	case err == nil:
		return c.Redirect(http.StatusSeeOther, body.Href+"?moved=yes")
	case !errors.Is(err, errUnseen):
		return p.notMoved(c, form, err)
	case len(body.Moves) == 0:
		form.Error = &apperror.Sentence{Format: "That is so already: nothing would change."}
		return p.modelPage(c, http.StatusUnprocessableEntity, form)
	}
	httpserver.Untouched(c)
	return p.write(c, http.StatusOK, "move", web.Page{Title: "Models", Name: name, Body: body})
}

// notMoved shows the model again if the version is the matter; else the model is missing, or more is wrong.
func (p *pages) notMoved(c echo.Context, form moveForm, err error) error {
	if apperror.CodeOf(err) != apperror.NotFound {
		return err
	}
	form.VersionError = &apperror.Sentence{Format: "This model has no version %s.", Args: []any{form.Version}}
	return p.modelPage(c, http.StatusUnprocessableEntity, form)
}

// digest tells whether moves are those that were shown.
func digest(moves []registry.Move) string {
	h := sha256.New()
	for _, m := range moves {
		_, _ = fmt.Fprintf(h, "%q %q %q %q %q\n", m.Matter, m.Version, m.Alias, m.From, m.To) // a hash takes every write
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
