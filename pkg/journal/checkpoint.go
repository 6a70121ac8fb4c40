package journal

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// checkpointName is the file that says how far the shipper is.
const checkpointName = "shipped"

// checkpoint is a place between two entries: everything before it is shipped.
type checkpoint struct {
	Number   int64  `json:"number"` // of the segment; those before it are shipped as a whole
	ID       string `json:"id"`
	Offset   int64  `json:"offset"`   // in the segment, bytes
	Sequence int64  `json:"sequence"` // of the entry before
}

// readCheckpoint returns the place up to which everything is shipped. A file that is not whole, as a power cut may leave it, says nothing: then all that is there
// is shipped once more.
func readCheckpoint(dir string) (c checkpoint, err error) {
	content, err := os.ReadFile(filepath.Join(dir, checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return checkpoint{}, nil
	}
	if err != nil {
		return checkpoint{}, err
	}
	if json.Unmarshal(content, &c) != nil || c.Number < 0 || c.Offset < 0 || c.Sequence < 0 {
		return checkpoint{}, nil //nolint:nilerr // as said above
	}
	return c, nil
}

// save puts the checkpoint in place at once.
func (c checkpoint) save(dir string) error {
	content, err := json.Marshal(c)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, checkpointName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
