package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"tasador/pkg/apperror"
)

// Lengths of passwords: at least so many characters, so that guessing is hopeless at the rate that is allowed, and at most so many bytes.
const (
	MinPassword = 12
	maxPassword = 1024
)

// Cost of argon2id, as OWASP's cheat sheet on storing passwords has it (19 MiB, two passes, one lane): some 30 ms.
const (
	hashMemory = 19 * 1024 // KiB
	hashPasses = 2
	hashLanes  = 1
	hashSalt   = 16 // bytes
	hashLength = 32 // bytes
)

// The most that a stored hash may ask for, so that a row which somebody has changed cannot take all memory.
const (
	maxMemory = 1 << 20 // KiB
	maxPasses = 64
)

// CheckPassword refuses a new password that is too short, too long or the name itself. Codes: Invalid.
func CheckPassword(name, password string) error {
	switch {
	case !utf8.ValidString(password):
		return apperror.New(apperror.Invalid, "the password is not UTF-8 text")
	case utf8.RuneCountInString(password) < MinPassword:
		return apperror.New(apperror.Invalid, "the password is too short; use at least %d characters", MinPassword)
	case len(password) > maxPassword:
		return apperror.New(apperror.Invalid, "the password is too long; use at most %d bytes", maxPassword)
	case strings.EqualFold(password, name):
		return apperror.New(apperror.Invalid, "the password is the user's name; use another one")
	}
	return nil
}

// HashPassword returns what is kept of a password: argon2id in the PHC string format.
func HashPassword(password string) string {
	salt := make([]byte, hashSalt)
	_, _ = rand.Read(salt) // never fails
	key := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, hashLength)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashLanes, b64(salt), b64(key))
}

var errHash = errors.New("what is kept of the password is no argon2id hash")

// matches reports whether a password is the one of which hash is kept.
func matches(hash, password string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false, errHash
	}
	var version int
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false, errHash
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, errHash
	}
	key, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(key) == 0 || len(salt) == 0 || passes == 0 || lanes == 0 || memory > maxMemory || passes > maxPasses {
		return false, errHash
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1, nil
}

// hashing bounds how many passwords are hashed at once, and with them memory and processors.
type hashing chan struct{}

const hashesAtOnce = 2

// matches is matches in its turn. The error may be that of ctx.
func (h hashing) matches(ctx context.Context, hash, password string) (bool, error) {
	select {
	case h <- struct{}{}:
		defer func() { <-h }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return matches(hash, password)
}
