//go:build verify

package tracking_test

// oneOf says which share of the hostile requests is tried: all.
const oneOf = 1

// largeMiB is how large a large file is: over the 2 GB that a 32-bit number can count.
const largeMiB = 2049
