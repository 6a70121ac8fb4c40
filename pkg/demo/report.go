package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/dag"
	"tasador/pkg/pipelineclient"
	"tasador/pkg/realtor"
)

// say writes a line of progress; a closed error output is no reason to stop.
func (s *show) say(format string, args ...any) { _, _ = fmt.Fprintf(s.opts.Err, format+"\n", args...) }

func (s *show) announce() {
	from := "generated listings"
	if s.opts.CSV != "" {
		from = s.opts.CSV
	}
	s.say("pipeline, tracking, serving and the data source run in one process, fed with %s", from)
	for _, note := range s.plan.notes {
		s.say("set %s", note)
	}
}

// follow waits for the end of a step's DAG run and tells of each task that ends on the way.
func (s *show) follow(ctx context.Context, i int, st step) error {
	s.say("[%d/%d] %s", i+1, len(s.plan.steps), st.title)
	told := map[string]bool{}
	err := s.pipeline.Follow(ctx, realtor.DAG, st.runID, func(_ *pipelineclient.Run, tasks []pipelineclient.Task) {
		for _, t := range tasks {
			if t.State != nil && t.State.Finished() && *t.State != dag.StateSkipped && !told[t.ID] {
				told[t.ID] = true
				s.say("      %-22s %-8s %s", t.ID, t.StateName(), seconds(t))
			}
		}
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return apperror.Wrap(apperror.Unavailable, err, "the DAG run did not end within %s", runLimit)
	}
	return err
}

func seconds(t pipelineclient.Task) string {
	if t.Duration == nil {
		return ""
	}
	return fmt.Sprintf("%.2f s", *t.Duration)
}

func (s *show) tell(i int, r result) {
	s.say("[%d/%d] %s: %s because of %q (%.1f s)", i+1, len(s.plan.steps), r.step.title, r.decision, r.reason, r.took.Seconds())
}

// askPrice asks serving for the price of the form's example until the promoted version answers.
func (s *show) askPrice(ctx context.Context) error {
	const listing = `{"brokered_by": 74802, "status": "for_sale", "price": 394900, "bed": 3, "bath": 2, "acre_lot": 1.17, "street": 1589662,
		"city": "Crossville", "state": "Tennessee", "zip_code": 38571, "house_size": 2056, "prev_sold_date": "2021-12-01"}`
	ctx, cancel := context.WithTimeout(ctx, servingLimit)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		var answer struct {
			Prediction   float64 `json:"prediction"`
			ModelVersion string  `json:"model_version"`
		}
		body, err := s.post(ctx, "/predict", listing)
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		if err == nil && answer.ModelVersion == s.version {
			s.price = answer.Prediction
			return nil
		}
		select {
		case <-ctx.Done():
			return apperror.Wrap(apperror.Unavailable, err, "serving did not answer with version %s within %s", s.version, servingLimit)
		case <-ticker.C:
		}
	}
}

func (s *show) post(ctx context.Context, path, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.Address(config.RoleServing)+path, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "serving does not answer")
	}
	defer func() { _ = res.Body.Close() }() // only read from
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "serving broke off its answer")
	}
	if res.StatusCode != http.StatusOK {
		return nil, apperror.New(apperror.Unavailable, "serving answered %s: %s", res.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}

// closing writes the table of what happened and the one line that scripts look for.
func (s *show) closing() error {
	w := tabwriter.NewWriter(s.opts.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "PATH\tDAG RUN\tDECISION\tREASON\tSECONDS") // Flush reports what fails
	for _, r := range s.results {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.1f\n", r.step.title, r.step.runID, r.decision, r.reason, r.took.Seconds())
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("summary: %w", err)
	}
	_, err := fmt.Fprintf(s.opts.Out, "\ndemo: ok promoted=%s/%s test_rmse=%.2f prediction=%.2f seconds=%.1f\n",
		realtor.Model, s.version, s.testRMSE, s.price, time.Since(s.begin).Seconds())
	return err
}
