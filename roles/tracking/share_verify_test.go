//go:build verify

package tracking_test

// oneOf says which share of the hostile requests is tried: all.
const oneOf = 1
