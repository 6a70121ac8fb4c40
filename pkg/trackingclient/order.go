package trackingclient

import (
	"strings"
	"time"
)

// splitOrder takes `field ASC` apart, because the search of logged models wants the parts.
func splitOrder(clause string) (field string, ascending bool) {
	clause = strings.TrimSpace(clause)
	at := strings.LastIndexByte(clause, ' ')
	if at < 0 {
		return clause, true
	}
	switch strings.ToUpper(clause[at+1:]) {
	case "ASC":
		return strings.TrimSpace(clause[:at]), true
	case "DESC":
		return strings.TrimSpace(clause[:at]), false
	}
	return clause, true
}

// now is the time as MLflow writes it: milliseconds since 1970.
func (c *Client) now() int64 { return time.Now().UnixMilli() }
