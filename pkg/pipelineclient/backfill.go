package pipelineclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"tasador/pkg/dag"
)

// NewBackfill says which intervals of a DAG's schedule to run. Dates are bare days, by the clocks of the schedule, or times with their offset; both ends are
// included. Conf is a JSON object.
type NewBackfill struct {
	DAGID     string          `json:"dag_id"`
	FromDate  string          `json:"from_date"`
	ToDate    string          `json:"to_date"`
	Reprocess dag.Reprocess   `json:"reprocess_behavior,omitempty"`
	Backwards bool            `json:"run_backwards,omitempty"`
	Conf      json.RawMessage `json:"dag_run_conf,omitempty"`
}

// Backfill is a backfill as the server tells of it.
type Backfill struct {
	ID          int64         `json:"id"`
	DAGID       string        `json:"dag_id"`
	FromDate    time.Time     `json:"from_date"`
	ToDate      time.Time     `json:"to_date"`
	Reprocess   dag.Reprocess `json:"reprocess_behavior"`
	CreatedAt   time.Time     `json:"created_at"`
	CompletedAt *time.Time    `json:"completed_at"`
}

// Backfill queues the runs of a backfill. Codes: Invalid, NotFound, AlreadyExists (another one is active), Unavailable.
func (c *Client) Backfill(ctx context.Context, n NewBackfill) (*Backfill, error) {
	var b Backfill
	return &b, c.call(ctx, http.MethodPost, "/api/v2/backfills", n, &b)
}

// PreviewBackfill returns the logical dates whose runs a backfill would make or run again, in its order. Codes: Invalid, NotFound, Unavailable.
func (c *Client) PreviewBackfill(ctx context.Context, n NewBackfill) ([]time.Time, error) {
	var answer struct {
		Backfills []struct {
			LogicalDate time.Time `json:"logical_date"`
		} `json:"backfills"`
	}
	err := c.call(ctx, http.MethodPost, "/api/v2/backfills/dry_run", n, &answer)
	dates := make([]time.Time, len(answer.Backfills))
	for i, b := range answer.Backfills {
		dates[i] = b.LogicalDate
	}
	return dates, err
}

// Backfills returns the newest backfills of a DAG, at most limit. Codes: NotFound, Unavailable.
func (c *Client) Backfills(ctx context.Context, dagID string, limit int) ([]Backfill, error) {
	var answer struct {
		Backfills []Backfill `json:"backfills"`
	}
	query := url.Values{"dag_id": {dagID}, "limit": {fmt.Sprint(limit)}, "order_by": {"-id"}}
	err := c.call(ctx, http.MethodGet, "/api/v2/backfills?"+query.Encode(), nil, &answer)
	return answer.Backfills, err
}

// CancelBackfill lets no more runs of a backfill start. Codes: NotFound, AlreadyExists (it is complete), Unavailable.
func (c *Client) CancelBackfill(ctx context.Context, id int64) (*Backfill, error) {
	var b Backfill
	return &b, c.call(ctx, http.MethodPut, fmt.Sprintf("/api/v2/backfills/%d/cancel", id), nil, &b)
}
