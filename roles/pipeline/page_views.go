package pipeline

import (
	"net/url"

	"tasador/pkg/sqlstore/dagrunstore"
)

// dagHead is what stands on top of every page of the DAG: its name, the switch that pauses it, and the way to the other pages.
type dagHead struct {
	DAG   dagView
	Pause pauseSwitch
	Views []viewLink
}

// viewLink leads to one of the pages of the DAG.
type viewLink struct {
	ID      string
	Label   string // a key of the translations
	Href    string
	Current bool
}

// head completes the top of the page current; runID is the run that was asked for, which the links keep.
func (p *pages) head(stored dagrunstore.DAG, current, runID string) dagHead {
	h := dagHead{DAG: p.dagView(stored)}
	h.Pause.DAG = h.DAG
	query := ""
	if runID != "" {
		query = "?run=" + url.QueryEscape(runID)
	}
	for _, v := range []viewLink{
		{ID: "graph", Label: "Graph and runs", Href: h.DAG.Href + query},
		{ID: "gantt", Label: "Gantt", Href: h.DAG.Href + "/gantt" + query},
		{ID: "durations", Label: "Durations", Href: h.DAG.Href + "/durations"},
		{ID: "calendar", Label: "Calendar", Href: h.DAG.Href + "/calendar"},
		{ID: "backfills", Label: "Backfills", Href: h.DAG.Href + "/backfills"},
	} {
		v.Current = v.ID == current
		h.Views = append(h.Views, v)
	}
	return h
}
