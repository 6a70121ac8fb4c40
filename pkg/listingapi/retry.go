package listingapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"tasador/pkg/apperror"
)

const (
	maxDelay = time.Minute     // between two requests, unless the source asks for more
	maxWait  = 5 * time.Minute // that a source may ask for; whoever wants more is left alone
)

// try makes a request and hands the answer to use, again and again while it fails for now. before is called before all but the first.
func (c *Client) try(ctx context.Context, path string, req Request, before func() error, use func(*exchange) error) error {
	delay := c.opts.RetryDelay
	for n := 1; ; n++ {
		asked, err := c.once(ctx, path, req, use)
		if err == nil || n > c.opts.Retries || !mayPass(err) {
			return err
		}
		if asked > maxWait {
			return apperror.Wrap(apperror.Unavailable, err, "the data API wants to be asked again in %s, which is too long to wait for here", asked.Round(time.Second))
		}
		if emptyErr := before(); errors.Is(emptyErr, errCannotEmpty) {
			return err
		} else if emptyErr != nil {
			return emptyErr
		}
		wait := max(delay, asked)
		c.opts.Log.WarnContext(ctx, "the data API is asked again", "try", n+1, "of", c.opts.Retries+1, "in", wait, "error", err)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		delay = min(2*delay, maxDelay)
	}
}

// once makes one request. It returns how long the source asks to be left alone.
func (c *Client) once(ctx context.Context, path string, req Request, use func(*exchange) error) (time.Duration, error) {
	if err := c.limit.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, apperror.Wrap(apperror.Unavailable, err, "the next request may not be made in time; see --source.rate")
	}
	ex, err := c.get(ctx, path, req)
	if err != nil {
		return 0, err
	}
	defer ex.close()
	return ex.retryAfter, use(ex)
}

// mayPass reports whether asking again may help. An answer that was too slow would be too slow again.
func mayPass(err error) bool {
	return apperror.CodeOf(err) == apperror.Unavailable && !errors.Is(err, errTooSlow)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads the header Retry-After: seconds, or a date (RFC 9110, 10.2.3). What is neither, or is past, is 0.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
