package apperror_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
)

func TestOutermostCodeCountsAndTheCauseIsKept(t *testing.T) {
	cause := errors.New("connection refused")
	inner := apperror.Wrap(apperror.NotFound, cause, "run 7 does not exist")
	outer := fmt.Errorf("promote: %w", apperror.Wrap(apperror.FailedPrecondition, inner, "the model cannot be promoted"))
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(outer))
	require.Equal(t, "the model cannot be promoted", apperror.MessageOf(outer))
	require.ErrorIs(t, outer, cause)
	require.EqualError(t, inner, "run 7 does not exist: connection refused")
}

func TestUncodedErrorsAreInternalAndTheirTextStaysInside(t *testing.T) {
	err := errors.New("password is hunter2")
	require.Equal(t, apperror.Internal, apperror.CodeOf(err))
	require.NotContains(t, apperror.MessageOf(err), "hunter2")
	require.NotContains(t, apperror.MessageOf(apperror.New(apperror.Internal, "hunter2")), "hunter2")
}

func TestASentenceMayHoldOthers(t *testing.T) {
	inner := apperror.New(apperror.Unavailable, "the server %s cannot be reached", "a")
	outer := apperror.Wrap(apperror.Unavailable, inner, "no version of %s can be served: %s", "m", apperror.SentenceOf(inner))
	require.Equal(t, "no version of m can be served: the server a cannot be reached", apperror.MessageOf(outer))
	require.Equal(t, "no version of %s can be served: %s", apperror.SentenceOf(outer).Format)
}
