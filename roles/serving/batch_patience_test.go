package serving

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// deadlines notes what is set for a connection.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error  { d.read = at; return nil }
func (d *deadlines) SetWriteDeadline(at time.Time) error { d.write = at; return nil }

// TestWhatIsSentGivesAnAnswerTime holds a slow client, which takes nothing before it has sent all, to the last piece that came.
func TestWhatIsSentGivesAnAnswerTime(t *testing.T) {
	d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	body := &patientBody{ReadCloser: io.NopCloser(strings.NewReader("status,bed")), control: http.NewResponseController(d)}
	piece := make([]byte, 6)
	before := time.Now()
	_, err := body.Read(piece)
	require.NoError(t, err)
	require.WithinRange(t, d.write, before.Add(batchPause), time.Now().Add(batchPause))
	require.WithinRange(t, d.read, before.Add(batchPause), time.Now().Add(batchPause))
	_, err = io.ReadAll(body)
	require.NoError(t, err)
	require.Zero(t, d.read, "at the end the server only watches whether the client stays")
	last := d.write
	_, err = body.Read(piece)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, last, d.write, "what sends nothing gets no more time")
}
