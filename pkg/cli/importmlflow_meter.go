package cli

import (
	"fmt"
	"io"

	"tasador/pkg/mlflowimport"
)

// importMeter shows how far the import of a server is.
type importMeter struct{ display }

func newImportMeter(w io.Writer) *importMeter { return &importMeter{newDisplay(w, "importing")} }

func (m *importMeter) tell(p mlflowimport.Progress) {
	text := fmt.Sprintf("%d runs, %d points, %d files of %.1f MB", p.Runs, p.Points, p.Files, float64(p.Bytes)/1e6)
	if m.terminal {
		m.draw(int64(p.Done), int64(p.Total), text)
		return
	}
	m.say(fmt.Sprintf("%d of %d things looked at: %s copied\n", p.Done, p.Total, text))
}
