package source

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/httpserver"
	"tasador/pkg/listingapi"
)

const (
	maxGroup  = 99  // highest group number; each group has its own place in the plan
	maxKey    = 255 // bytes of an idempotency key
	bufferFor = 64 << 10
)

// data answers the next batch of the group, or the one that the idempotency key got before. Its place is on disk before the
// first byte leaves, and it is streamed, so that the size of a batch costs no memory.
func (r *role) data(c echo.Context) error {
	group, status, problem := parameters(c)
	if problem != "" {
		return detail(c, status, problem)
	}
	key := c.Request().Header.Get(listingapi.HeaderIdempotencyKey)
	if len(key) > maxKey {
		return detail(c, http.StatusBadRequest, fmt.Sprintf("the header %s is longer than %d bytes", listingapi.HeaderIdempotencyKey, maxKey))
	}
	if err := r.stock.check(); err != nil {
		return err // before a batch is taken that could not be handed out
	}
	index, replay, err := r.cursor.take(group, key, r.stock.batches())
	if err != nil {
		return err
	}
	if index == r.stock.batches() {
		r.batches.WithLabelValues("exhausted").Inc()
		return detail(c, http.StatusBadRequest, listingapi.ExhaustedDetail)
	}
	rows, err := r.stream(c, group, index)
	if err != nil {
		if c.Response().Committed {
			r.log.Warn("a batch was broken off", "request_id", httpserver.RequestID(c), "group", group, "batch", index+1, "rows", rows, "error", err)
			panic(http.ErrAbortHandler) // the only way to tell the client that the answer is not whole
		}
		return err
	}
	kind := map[bool]string{true: "replay", false: "batch"}[replay]
	r.batches.WithLabelValues(kind).Inc()
	r.rows.Add(float64(rows))
	r.log.Info("handed out a batch", "request_id", httpserver.RequestID(c), "group", group, "batch", index+1, "rows", rows, "kind", kind, "key", key)
	return nil
}

func (r *role) stream(c echo.Context, group, index int) (int, error) {
	batch, err := r.stock.open(index)
	if err != nil {
		return 0, err
	}
	defer batch.close()
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	out := bufio.NewWriterSize(c.Response(), bufferFor)
	if _, err := fmt.Fprintf(out, `{"group_number":%d,"batch_number":%d,"data":[`, group, index+1); err != nil {
		return 0, err
	}
	rows, err := writeRows(c.Request().Context(), out, batch)
	if err != nil {
		return rows, err
	}
	if _, err := out.WriteString("]}\n"); err != nil {
		return rows, err
	}
	return rows, out.Flush()
}

func writeRows(ctx context.Context, out *bufio.Writer, batch *openBatch) (int, error) {
	encode := newEncoder(batch)
	for rows := 0; ; rows++ {
		more, err := batch.next()
		if err != nil || !more {
			return rows, err
		}
		if rows%1024 == 0 && ctx.Err() != nil {
			return rows, ctx.Err()
		}
		if _, err := out.Write(encode.row(rows, batch.literals)); err != nil {
			return rows, err
		}
	}
}

// restart puts the group back to the first batch. Keys keep the batches that they got.
func (r *role) restart(c echo.Context) error {
	group, status, problem := parameters(c)
	if problem != "" {
		return detail(c, status, problem)
	}
	if err := r.cursor.restart(group); err != nil {
		return err
	}
	r.batches.WithLabelValues("restart").Inc()
	r.log.Info("starts over", "request_id", httpserver.RequestID(c), "group", group)
	return c.JSON(http.StatusOK, map[string]any{"ok": true, "group_number": group})
}

var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// parameters reads group_number and day; on a problem it gives the status and the sentence to answer.
func parameters(c echo.Context) (group, status int, problem string) {
	text, day := c.QueryParam("group_number"), c.QueryParam("day")
	group, err := strconv.Atoi(text)
	switch {
	case text == "":
		return 0, http.StatusUnprocessableEntity, "the parameter group_number is missing; ask with group_number=7 and day=Tuesday"
	case day == "":
		return 0, http.StatusUnprocessableEntity, "the parameter day is missing; ask with group_number=7 and day=Tuesday"
	case err != nil:
		return 0, http.StatusUnprocessableEntity, fmt.Sprintf("group_number=%q is not a whole number", text)
	case group < 1 || group > maxGroup:
		return 0, http.StatusBadRequest, fmt.Sprintf("there is no group %d; the groups are 1 to %d", group, maxGroup)
	case !slices.Contains(weekdays, day):
		return 0, http.StatusBadRequest, fmt.Sprintf("day=%q is not a weekday; those are %s", day, strings.Join(weekdays, ", "))
	}
	return group, http.StatusOK, ""
}
