package pipeline

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore/dagrunstore"
)

const (
	defaultLimit = 50
	maxLimit     = 1000
)

// param returns a part of the address, which clients may have escaped (run ids hold colons and plus signs).
func param(c echo.Context, name string) (string, error) {
	value, err := url.PathUnescape(c.Param(name))
	if err != nil {
		return "", apperror.Wrap(apperror.Invalid, err, "the %s in the address is not escaped properly", name)
	}
	return value, nil
}

// checkDAG returns a not-found error unless the address names the DAG of this role.
func (r *role) checkDAG(c echo.Context) error {
	id, err := param(c, "dag_id")
	if err != nil {
		return err
	}
	return r.checkDAGID(id)
}

// checkDAGID returns a not-found error unless id is that of the DAG of this role.
func (r *role) checkDAGID(id string) error {
	if own := r.plan.Definition().ID; id != own {
		return apperror.New(apperror.NotFound, "the DAG %s does not exist; there is %s", id, own)
	}
	return nil
}

// page reads limit and offset.
func page(c echo.Context) (limit, offset int, err error) {
	if limit, err = number(c, "limit", defaultLimit); err != nil {
		return 0, 0, err
	}
	offset, err = number(c, "offset", 0)
	return min(limit, maxLimit), offset, err
}

func number(c echo.Context, name string, otherwise int) (int, error) {
	text := c.QueryParam(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, apperror.New(apperror.Invalid, "%s=%s is not a number; use a whole number from 0", name, text)
	}
	return n, nil
}

// slice cuts a page out of a list.
func slice[T any](list []T, limit, offset int) []T {
	offset = min(offset, len(list))
	return list[offset:min(offset+limit, len(list))]
}

// allowQuery refuses query parameters that are not among known: to ignore a filter would answer another question.
func allowQuery(c echo.Context, known ...string) error {
	for name := range c.QueryParams() {
		if !slices.Contains(known, name) {
			return apperror.New(apperror.Invalid, "the query parameter %s is not supported here; use %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// ranges reads time bounds such as start_date_gte.
func ranges(c echo.Context) ([]dagrunstore.RunRange, error) {
	var out []dagrunstore.RunRange
	for _, name := range rangeNames() {
		text := c.QueryParam(name)
		if text == "" {
			continue
		}
		bound, err := instant(name, text)
		if err != nil {
			return nil, err
		}
		at := strings.LastIndexByte(name, '_')
		out = append(out, dagrunstore.RunRange{Field: name[:at], Op: name[at+1:], Bound: bound})
	}
	return out, nil
}

func rangeNames() []string {
	var names []string
	for _, field := range []string{"run_after", "logical_date", "start_date", "end_date"} {
		for _, op := range []string{"gte", "gt", "lte", "lt"} {
			names = append(names, field+"_"+op)
		}
	}
	return names
}

func orders(c echo.Context) []dagrunstore.RunOrder {
	var out []dagrunstore.RunOrder
	for _, text := range c.QueryParams()["order_by"] {
		field, desc := strings.CutPrefix(text, "-")
		out = append(out, dagrunstore.RunOrder{Field: field, Desc: desc})
	}
	if out == nil {
		out = []dagrunstore.RunOrder{{Field: "id"}} // Airflow's default
	}
	return out
}

// decode reads a JSON object without unknown keys into dst. An empty body counts as {}.
func decode(c echo.Context, dst any) error {
	dec := json.NewDecoder(c.Request().Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(dst)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil && dec.More() {
		err = errors.New("there is something after the object")
	}
	if err == nil {
		return nil
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return apperror.Wrap(apperror.Invalid, err, "%s in the request body must not be of type %s", wrongType.Field, wrongType.Value)
	}
	if unknown, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return apperror.Wrap(apperror.Invalid, err, "the request body has the unknown key %s", unknown)
	}
	return apperror.Wrap(apperror.Invalid, err, "the request body cannot be read as a JSON object")
}

// clientTime is how apache-airflow-client writes times in the query.
const clientTime = "2006-01-02T15:04:05Z0700"

// instant reads a time with its offset; a bare day is midnight UTC.
func instant(name, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, clientTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, apperror.New(apperror.Invalid, "%s %q is not a time; write it as 2026-01-01T00:00:00Z", name, text)
}
