//go:build !unix

package audit

import "os"

// lock does nothing here: servers on these systems must not share a data folder.
func lock(*os.File) error { return nil }

func unlock(*os.File) error { return nil }
