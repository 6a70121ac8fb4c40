//go:build !killpoints

package killpoint

// At does nothing in this build.
func At(Point) {}

// ChunkRows is how many rows a bulk load hands over at once at most; 0 for as many as suit the database.
const ChunkRows = 0

// SplitWrites lets what must be written as a whole be written in two parts, with a point between them.
const SplitWrites = false
