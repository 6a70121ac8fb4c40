package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Prefixes of secrets, by which people and programs that look for leaked ones know them.
const (
	tokenPrefix   = "tsd_" // API tokens
	callPrefix    = "tsc_" // what POST /auth/token hands out
	pagePrefix    = "tsp_" // sessions of pages
	processPrefix = "tsi_" // roles of one process among themselves
)

const secretBytes = 32

// secretLength is that of a prefix and the bits.
var secretLength = len(tokenPrefix) + base64.RawURLEncoding.EncodedLen(secretBytes)

func newSecret(prefix string) string {
	bits := make([]byte, secretBytes)
	_, _ = rand.Read(bits) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(bits)
}

// NewToken returns the secret of a new API token: 256 random bits behind a prefix.
func NewToken() string { return newSecret(tokenPrefix) }

// HashSecret returns what is kept of a token or session. Its bits are random, so that a fast hash is enough.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// looksLikeToken reports whether a text can be a secret of ours that a client sends as a bearer token.
func looksLikeToken(secret string) bool {
	return len(secret) == secretLength &&
		(strings.HasPrefix(secret, tokenPrefix) || strings.HasPrefix(secret, callPrefix) || strings.HasPrefix(secret, processPrefix))
}
