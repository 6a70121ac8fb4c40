package serving

import (
	"path/filepath"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/inference"
	"tasador/pkg/model"
	"tasador/pkg/registry"
)

// defaultStage is the stage that is followed if nothing is said.
const defaultStage = registry.Production

// followOptions says which versions answer. Codes: Invalid for a wrong setting.
func followOptions(cfg *config.Config) (inference.Options, error) {
	s := cfg.Serving
	opts := inference.Options{Model: s.Model, Follow: s.Follow, Share: s.ChallengerShare, Dir: filepath.Join(cfg.DataDir, filepath.FromSlash(modelFolder))}
	stage, err := registry.ParseStage(s.Stage)
	switch {
	case err != nil:
		return opts, err
	case s.Alias != "" && stage != defaultStage:
		return opts, apperror.New(apperror.Invalid, "--serving.alias=%s and --serving.stage=%s both say what is served; give one of them", s.Alias, s.Stage)
	case s.Follow <= 0:
		return opts, apperror.New(apperror.Invalid, "--serving.follow=%s is no time between two looks; use a positive one, such as 2s", s.Follow)
	case !(s.ChallengerShare >= 0 && s.ChallengerShare <= 1):
		return opts, apperror.New(apperror.Invalid, "--serving.challenger-share=%v is no share; use a number from 0 to 1", s.ChallengerShare)
	case model.CheckLevel(s.IntervalLevel) != nil:
		return opts, apperror.New(apperror.Invalid, "--serving.interval-level=%v is not from %v to %v", s.IntervalLevel, model.LeastLevel, model.MostLevel)
	}
	opts.Live = inference.Ref{Stage: stage}
	if s.Alias != "" {
		if opts.Live, err = inference.ParseRef(s.Alias); err == nil && opts.Live.Alias == "" {
			opts.Live = inference.Ref{Alias: s.Alias} // one that looks like a stage or a number
		}
		if err != nil {
			return opts, err
		}
	}
	for _, other := range []struct {
		text string
		into *inference.Ref
	}{{s.Challenger, &opts.Challenger}, {s.Shadow, &opts.Shadow}} {
		if other.text == "" {
			continue
		}
		if *other.into, err = inference.ParseRef(other.text); err != nil {
			return opts, err
		}
	}
	return opts, nil
}
