package mlflowimport

import "fmt"

// What is counted on both sides.
type What int

// The things, in the order of the report.
const (
	Experiments What = iota
	ExperimentTags
	Runs
	Params
	RunTags
	Points
	Datasets
	ModelLinks
	LoggedModels
	LoggedModelParams
	LoggedModelTags
	LoggedModelPoints
	RegisteredModels
	RegisteredModelTags
	Versions
	VersionTags
	Aliases
	Files
	Bytes
	whats
)

// String is how a report calls it.
func (w What) String() string {
	return [...]string{
		"experiments", "tags of experiments", "runs", "params", "tags of runs", "metric points", "datasets of runs", "logged models of runs",
		"logged models", "params of logged models", "tags of logged models", "metric points of logged models",
		"registered models", "tags of registered models", "versions", "tags of versions", "aliases", "artifact files", "artifact bytes",
	}[w]
}

// Count is how many there are at the source, and how many of these are here.
type Count struct{ There, Here int64 }

// Placed is an experiment that is not under its own id here.
type Placed struct {
	SourceID, ID, Name string
	Merged             bool // into one that was here
}

// mostNamed bounds how many sentences a report keeps of a kind.
const mostNamed = 200

// Report is what an import found on both sides when it had copied.
type Report struct {
	Counts  [whats]Count
	Missing []string // sentences that name what is not here, the first ones
	More    int      // how many others there are
	Placed  []Placed
	Notes   []string // what whoever imports should know
}

// Same reports whether all that is there is here.
func (r *Report) Same() bool {
	for _, c := range r.Counts {
		if c.Here != c.There {
			return false
		}
	}
	return len(r.Missing) == 0
}

// All are the things that are counted, in order.
func All() []What {
	list := make([]What, whats)
	for w := range list {
		list[w] = What(w)
	}
	return list
}

// count adds to the report, and a sentence if less is here than there.
func (i *importer) count(what What, there, here int, of string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := &i.report.Counts[what]
	c.There, c.Here = c.There+int64(there), c.Here+int64(here)
	if here < there {
		i.lack(fmt.Sprintf("%s: %d of %d %s", of, there-here, there, what))
	}
}

// lack names something that is missing. The caller holds the lock.
func (i *importer) lack(sentence string) {
	if len(i.report.Missing) == mostNamed {
		i.report.More++
		return
	}
	i.report.Missing = append(i.report.Missing, sentence)
}

// misses names something that is missing.
func (i *importer) misses(format string, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lack(fmt.Sprintf(format, args...))
}

func (i *importer) notice(format string, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.report.Notes) < mostNamed {
		i.report.Notes = append(i.report.Notes, fmt.Sprintf(format, args...))
	}
}

// held counts how many of the wanted are among those that are here.
func held[A, B any, K comparable](wanted []A, key func(A) K, here []B, keyHere func(B) K) int {
	have := make(map[K]bool, len(here))
	for _, b := range here {
		have[keyHere(b)] = true
	}
	n := 0
	for _, a := range wanted {
		if have[key(a)] {
			n++
		}
	}
	return n
}
