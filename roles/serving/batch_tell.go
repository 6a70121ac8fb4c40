package serving

import (
	"errors"

	"tasador/pkg/apperror"
)

// teller writes sentences in the language of a reader; nil writes English.
type teller func(apperror.Sentence) string

func (t teller) say(format string, args []any) string {
	what := apperror.Sentence{Format: format, Args: args}
	if t == nil {
		return what.String()
	}
	return t(what)
}

// details are problems as a client reads them.
func (t teller) details(problems []fieldError) ValidationError {
	out := ValidationError{Detail: make([]ErrorDetail, 0, len(problems))}
	for _, p := range problems {
		out.Detail = append(out.Detail, ErrorDetail{Loc: p.Loc, Msg: t.say(p.Format, p.Args), Type: p.Type, Input: p.Input})
	}
	return out
}

// ended is why a stream cannot be read further.
func (t teller) ended(err error) string {
	var problem *fieldError
	if errors.As(err, &problem) {
		return t.say(problem.Format, problem.Args)
	}
	what := apperror.SentenceOf(err)
	return t.say(what.Format, what.Args)
}
