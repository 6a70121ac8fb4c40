//go:build !verify

package tracking_test

// oneOf says which share of the hostile requests is tried. It is no divisor of their numbers, so that all fields and values come up.
const oneOf = 17

// largeMiB is how large a large file is.
const largeMiB = 256
