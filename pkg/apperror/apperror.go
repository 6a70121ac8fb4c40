// Package apperror gives errors a code that every edge (HTTP, command line, SQL) can translate.
//
// Functions return plain error. A coded error carries a message that a client may read; its cause is for the log only.
package apperror

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an error is, independent of any protocol.
type Code string

// The codes. An error without one counts as Internal.
const (
	Invalid            Code = "invalid"             // the request or a setting is wrong
	NotFound           Code = "not_found"           // the thing named does not exist
	AlreadyExists      Code = "already_exists"      // the name is taken
	FailedPrecondition Code = "failed_precondition" // the thing exists, but its state forbids the call
	Unauthenticated    Code = "unauthenticated"     // nobody knows who the caller is
	PermissionDenied   Code = "permission_denied"   // the caller may not do this
	RateLimited        Code = "rate_limited"        // the caller has tried too often
	Unavailable        Code = "unavailable"         // a dependency is away; trying again may help
	Internal           Code = "internal"            // a fault of ours
)

// Sentence is what a message says, still apart: a format of package fmt in English, by which translations know it, and what it names. An argument may be a
// Sentence itself.
type Sentence struct {
	Format string
	Args   []any
}

// String returns the sentence in English.
func (s Sentence) String() string { return fmt.Sprintf(s.Format, s.Args...) }

type coded struct {
	code    Code
	message Sentence
	cause   error
}

func (e *coded) Error() string {
	if e.cause == nil {
		return e.message.String()
	}
	return e.message.String() + ": " + e.cause.Error()
}

func (e *coded) Unwrap() error { return e.cause }

// New returns an error with a code and a message for people.
func New(code Code, format string, args ...any) error {
	return &coded{code: code, message: Sentence{format, args}}
}

// Wrap returns an error with a code and a message for people that keeps cause for the log and for errors.Is.
func Wrap(code Code, cause error, format string, args ...any) error {
	return &coded{code: code, message: Sentence{format, args}, cause: cause}
}

// CodeOf returns the code of the outermost coded error in err's chain, or Internal.
func CodeOf(err error) Code {
	var e *coded
	if errors.As(err, &e) {
		return e.code
	}
	return Internal
}

// SentenceOf returns what a client may read: the message of the outermost coded error, or a neutral one. Pages translate it.
func SentenceOf(err error) Sentence {
	var e *coded
	if errors.As(err, &e) && e.code != Internal {
		return e.message
	}
	return Sentence{Format: "something went wrong on our side; the log of this server has the details"}
}

// MessageOf returns SentenceOf in English.
func MessageOf(err error) string { return SentenceOf(err).String() }
