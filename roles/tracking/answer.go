package tracking

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

// longList is an answer with a page of runs or points, which is written piece by piece: all at once it would be in memory twice.
type longList struct {
	name   string
	n      int
	append func(b []byte, i int) []byte // adds element i as JSON
	next   string                       // page token
}

// sendEvery is how many bytes of a list are gathered before they are sent.
const sendEvery = 32 << 10

// write sends the list as paged would: an empty list and an empty token are left out.
func (l *longList) write(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(http.StatusOK)
	b := append(make([]byte, 0, sendEvery+sendEvery/4), '{')
	for i := range l.n {
		if i == 0 {
			b = append(append(append(b, '"'), l.name...), `":[`...)
		} else {
			b = append(b, ',')
		}
		if b = l.append(b, i); len(b) >= sendEvery {
			if _, err := c.Response().Write(b); err != nil {
				return nil //nolint:nilerr // the client has gone; nobody is left to tell
			}
			b = b[:0]
		}
	}
	if l.n > 0 {
		b = append(b, ']')
	}
	if l.next != "" {
		if l.n > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `"next_page_token":"`...), l.next...), '"') // base64
	}
	_, _ = c.Response().Write(append(b, "}\n"...)) // as above
	return nil
}

func runList(page experiment.Page[experiment.Run], err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return &longList{name: "runs", n: len(page.Items), next: page.NextPageToken, append: func(b []byte, i int) []byte {
		run := mlflowapi.FromRun(page.Items[i])
		return mlflowapi.AppendRun(b, &run)
	}}, nil
}

func pointList(page experiment.Page[experiment.Metric], err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return &longList{name: "metrics", n: len(page.Items), next: page.NextPageToken, append: func(b []byte, i int) []byte {
		point := mlflowapi.FromMetric(page.Items[i])
		return mlflowapi.AppendMetric(b, &point)
	}}, nil
}
