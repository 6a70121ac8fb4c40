// Package dataset shuffles and splits the raw rows, and judges whether a batch of them is worth training on.
package dataset
