package mlflowapi

import (
	"net/http"

	"tasador/pkg/apperror"
)

// Error is the body of every answer that is not a success.
type Error struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

// The error codes that MLflow gives a meaning.
const (
	InvalidParameterValue  = "INVALID_PARAMETER_VALUE"
	BadRequest             = "BAD_REQUEST"
	ResourceDoesNotExist   = "RESOURCE_DOES_NOT_EXIST"
	ResourceAlreadyExists  = "RESOURCE_ALREADY_EXISTS"
	EndpointNotFound       = "ENDPOINT_NOT_FOUND"
	InvalidState           = "INVALID_STATE"
	PermissionDenied       = "PERMISSION_DENIED"
	Unauthenticated        = "UNAUTHENTICATED"
	RequestLimitExceeded   = "REQUEST_LIMIT_EXCEEDED"
	TemporarilyUnavailable = "TEMPORARILY_UNAVAILABLE"
	InternalError          = "INTERNAL_ERROR"
	NotImplemented         = "NOT_IMPLEMENTED"
)

// FromError translates an error of ours into MLflow's status and body. A duplicate name is 400, as MLflow has it; a wrong state is
// 400 too, because clients repeat a 500 for minutes.
func FromError(err error) (int, Error) {
	message := apperror.MessageOf(err)
	switch apperror.CodeOf(err) {
	case apperror.Invalid:
		return http.StatusBadRequest, Error{InvalidParameterValue, message}
	case apperror.NotFound:
		return http.StatusNotFound, Error{ResourceDoesNotExist, message}
	case apperror.AlreadyExists:
		return http.StatusBadRequest, Error{ResourceAlreadyExists, message}
	case apperror.FailedPrecondition:
		return http.StatusBadRequest, Error{InvalidState, message}
	case apperror.Unauthenticated:
		return http.StatusUnauthorized, Error{Unauthenticated, message}
	case apperror.RateLimited:
		return http.StatusTooManyRequests, Error{RequestLimitExceeded, message}
	case apperror.PermissionDenied:
		return http.StatusForbidden, Error{PermissionDenied, message}
	case apperror.Unavailable:
		return http.StatusServiceUnavailable, Error{TemporarilyUnavailable, message}
	default:
		return http.StatusInternalServerError, Error{InternalError, message}
	}
}

// AppCode translates MLflow's error code, or where it is missing or unknown the status, into a code of ours. A server that fails
// or is away is Unavailable: trying again may help.
func AppCode(status int, code string) apperror.Code {
	switch code {
	case InvalidParameterValue, BadRequest:
		return apperror.Invalid
	case ResourceDoesNotExist, "NOT_FOUND":
		return apperror.NotFound
	case ResourceAlreadyExists, "ALREADY_EXISTS":
		return apperror.AlreadyExists
	case InvalidState, "RESOURCE_CONFLICT", "ABORTED", EndpointNotFound, NotImplemented:
		return apperror.FailedPrecondition
	case PermissionDenied, Unauthenticated, "CUSTOMER_UNAUTHORIZED":
		return apperror.PermissionDenied
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return apperror.PermissionDenied
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented:
		return apperror.FailedPrecondition // not MLflow's own 404: there is no tracking server at this address
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return apperror.Unavailable
	case status >= 400:
		return apperror.Invalid
	}
	return apperror.Internal
}
