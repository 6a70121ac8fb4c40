package experimenttest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
)

func loggedModels(s *suite) {
	id := s.experiment()
	run := s.run(id, experiment.NewRun{})
	m, err := s.Tracking.CreateLoggedModel(s.ctx, experiment.NewLoggedModel{
		ExperimentID: id, Name: "ridge", ModelType: "classic", SourceRunID: run.ID,
		Params: []experiment.Param{{Key: "alpha", Value: "1.0"}}, Tags: []experiment.Tag{{Key: "k", Value: "v"}},
	})
	require.NoError(s, err)
	require.Regexp(s, `^m-[0-9a-f]{32}$`, m.ID)
	require.Equal(s, experiment.ModelPending, m.Status)
	require.True(s, strings.HasSuffix(m.ArtifactURI, "/models/"+m.ID+"/artifacts"), m.ArtifactURI)

	require.NoError(s, s.Tracking.LogOutputs(s.ctx, run.ID, []experiment.ModelOutput{{ModelID: m.ID, Step: 3}}))
	require.Equal(s, []experiment.ModelOutput{{ModelID: m.ID, Step: 3}}, s.get(run.ID).ModelOutputs)
	s.log(run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "test_rmse", Value: 4, Timestamp: 7, Step: 1, ModelID: m.ID}}})
	ready, err := s.Tracking.FinalizeLoggedModel(s.ctx, m.ID, experiment.ModelReady)
	require.NoError(s, err)
	require.Equal(s, experiment.ModelReady, ready.Status)
	require.NoError(s, s.Tracking.SetLoggedModelTags(s.ctx, m.ID, []experiment.Tag{{Key: "k", Value: "w"}, {Key: "a/b", Value: "c"}}))
	require.NoError(s, s.Tracking.LogLoggedModelParams(s.ctx, m.ID, []experiment.Param{{Key: "rows", Value: "9"}}))

	got, err := s.Tracking.LoggedModel(s.ctx, m.ID)
	require.NoError(s, err)
	require.Equal(s, "ridge", got.Name)
	require.Equal(s, run.ID, got.SourceRunID)
	require.ElementsMatch(s, []experiment.Param{{Key: "alpha", Value: "1.0"}, {Key: "rows", Value: "9"}}, got.Params)
	require.ElementsMatch(s, []experiment.Tag{{Key: "k", Value: "w"}, {Key: "a/b", Value: "c"}}, got.Tags)
	require.Len(s, got.Metrics, 1)
	require.Equal(s, 4.0, got.Metrics[0].Value) //nolint:testifylint // exact
	require.NoError(s, s.Tracking.DeleteLoggedModelTag(s.ctx, m.ID, "k"))
	s.code(apperror.NotFound, s.Tracking.DeleteLoggedModelTag(s.ctx, m.ID, "k"))

	second, err := s.Tracking.CreateLoggedModel(s.ctx, experiment.NewLoggedModel{ExperimentID: id, Name: "other"})
	require.NoError(s, err)
	search := func(filter string, order ...string) (out []string) {
		page, err := s.Tracking.SearchLoggedModels(s.ctx, experiment.RunSearch{
			Search: experiment.Search{Filter: filter, OrderBy: order}, ExperimentIDs: []string{id},
		})
		require.NoError(s, err, filter)
		for _, m := range page.Items {
			out = append(out, m.ID)
		}
		return out
	}
	require.Equal(s, []string{m.ID}, search("name = 'ridge' AND params.alpha = '1.0'"))
	require.Equal(s, []string{m.ID}, search("metrics.test_rmse < 5"))
	require.Equal(s, []string{m.ID, second.ID}, search("", "metrics.test_rmse DESC"))
	require.NoError(s, s.Tracking.DeleteLoggedModel(s.ctx, second.ID))
	require.NoError(s, s.Tracking.DeleteLoggedModel(s.ctx, second.ID), "again")
	s.code(apperror.NotFound, s.Tracking.DeleteLoggedModel(s.ctx, "m-"+strings.Repeat("0", 32)))
	require.Equal(s, []string{m.ID}, search(""))
	_, err = s.Tracking.LoggedModel(s.ctx, second.ID)
	s.code(apperror.NotFound, err)
	_, err = s.Tracking.LoggedModel(s.ctx, "m-"+strings.Repeat("0", 32))
	s.code(apperror.NotFound, err)
	_, err = s.Tracking.CreateLoggedModel(s.ctx, experiment.NewLoggedModel{ExperimentID: id, Name: "a/b"})
	s.code(apperror.Invalid, err)
}

// modelName is a name without the characters that models may not have.
func (s *suite) modelName() string {
	return strings.NewReplacer("/", " ", ":", " ").Replace(s.name("model"))
}

func (s *suite) model() string {
	s.Helper()
	name := s.modelName()
	_, err := s.Models.CreateModel(s.ctx, name, "", nil)
	require.NoError(s, err)
	return name
}

// version registers a new logged model as the next version.
func (s *suite) version(name string) (*registry.Version, *experiment.LoggedModel) {
	s.Helper()
	id := s.experiment()
	run := s.run(id, experiment.NewRun{})
	m, err := s.Tracking.CreateLoggedModel(s.ctx, experiment.NewLoggedModel{ExperimentID: id, Name: "m", SourceRunID: run.ID})
	require.NoError(s, err)
	v, err := s.Models.CreateVersion(s.ctx, registry.NewVersion{Name: name, Source: "models:/" + m.ID, ModelID: m.ID})
	require.NoError(s, err)
	return v, m
}

func registeredModels(s *suite) {
	name := s.modelName()
	m, err := s.Models.CreateModel(s.ctx, name, "prices", []experiment.Tag{{Key: "k", Value: "v"}})
	require.NoError(s, err)
	require.Equal(s, "prices", m.Description)
	_, err = s.Models.CreateModel(s.ctx, name, "", nil)
	s.code(apperror.AlreadyExists, err)
	for _, bad := range []string{"a/b", "a:b", "..", " "} {
		_, err = s.Models.CreateModel(s.ctx, bad, "", nil)
		s.code(apperror.Invalid, err)
	}
	require.NoError(s, s.Models.SetModelTag(s.ctx, name, experiment.Tag{Key: "k2", Value: "v2"}))
	require.NoError(s, s.Models.DeleteModelTag(s.ctx, name, "k"))
	_, err = s.Models.UpdateModel(s.ctx, name, "new text")
	require.NoError(s, err)
	v, _ := s.version(name)
	require.NoError(s, s.Models.SetAlias(s.ctx, name, "champion", v.Version))
	renamed := s.modelName()
	_, err = s.Models.RenameModel(s.ctx, name, renamed)
	require.NoError(s, err)
	_, err = s.Models.Model(s.ctx, name)
	s.code(apperror.NotFound, err)
	got, err := s.Models.Model(s.ctx, renamed)
	require.NoError(s, err)
	require.Equal(s, "new text", got.Description)
	require.Equal(s, []experiment.Tag{{Key: "k2", Value: "v2"}}, got.Tags)
	require.Equal(s, []registry.Alias{{Name: "champion", Version: "1"}}, got.Aliases)
	require.Len(s, got.LatestVersions, 1)
	require.Equal(s, renamed, got.LatestVersions[0].Name)

	page, err := s.Models.SearchModels(s.ctx, experiment.Search{Filter: "name = '" + renamed + "'"})
	require.NoError(s, err)
	require.Len(s, page.Items, 1)
	page, err = s.Models.SearchModels(s.ctx, experiment.Search{Filter: "name LIKE '%" + renamed[6:] + "' AND tags.k2 = 'v2'", OrderBy: []string{"name DESC"}})
	require.NoError(s, err)
	require.Len(s, page.Items, 1)
	_, err = s.Models.SearchModels(s.ctx, experiment.Search{OrderBy: []string{"colour"}})
	s.code(apperror.Invalid, err)

	require.NoError(s, s.Models.DeleteModel(s.ctx, renamed))
	s.code(apperror.NotFound, s.Models.DeleteModel(s.ctx, renamed))
	_, err = s.Models.Version(s.ctx, renamed, "1")
	s.code(apperror.NotFound, err)
}

func modelVersions(s *suite) {
	name := s.model()
	first, logged := s.version(name)
	require.Equal(s, "1", first.Version)
	require.Equal(s, registry.None, first.Stage)
	require.Equal(s, "READY", first.Status)
	require.Equal(s, logged.SourceRunID, first.RunID, "the run of the logged model")
	uri, err := s.Models.DownloadURI(s.ctx, name, "1")
	require.NoError(s, err)
	require.Equal(s, logged.ArtifactURI, uri)

	s.version(name)
	require.NoError(s, s.Models.DeleteVersion(s.ctx, name, "2"))
	s.code(apperror.NotFound, s.Models.DeleteVersion(s.ctx, name, "2"))
	third, _ := s.version(name)
	require.Equal(s, "3", third.Version, "numbers are never given again")

	_, err = s.Models.UpdateVersion(s.ctx, name, "3", "better")
	require.NoError(s, err)
	require.NoError(s, s.Models.SetVersionTag(s.ctx, name, "3", experiment.Tag{Key: "k", Value: "v"}))
	require.NoError(s, s.Models.SetVersionTag(s.ctx, name, "3", experiment.Tag{Key: "gone", Value: "v"}))
	require.NoError(s, s.Models.DeleteVersionTag(s.ctx, name, "3", "gone"))
	got, err := s.Models.Version(s.ctx, name, "3")
	require.NoError(s, err)
	require.Equal(s, "better", got.Description)
	require.Equal(s, []experiment.Tag{{Key: "k", Value: "v"}}, got.Tags)
	for _, missing := range []string{"2", "9"} {
		_, err = s.Models.Version(s.ctx, name, missing)
		s.code(apperror.NotFound, err)
	}
	_, err = s.Models.Version(s.ctx, name, "one")
	s.code(apperror.Invalid, err)
	_, err = s.Models.CreateVersion(s.ctx, registry.NewVersion{Name: s.modelName(), Source: "models:/" + logged.ID, ModelID: logged.ID})
	s.code(apperror.NotFound, err)
	copied, err := s.Models.CreateVersion(s.ctx, registry.NewVersion{Name: s.model(), Source: "models:/" + name + "/1"})
	require.NoError(s, err)
	require.Equal(s, first.RunID, copied.RunID)
}

func (s *suite) stagesOf(name string) map[string]registry.Stage {
	s.Helper()
	page, err := s.Models.SearchVersions(s.ctx, experiment.Search{Filter: "name='" + name + "'"})
	require.NoError(s, err)
	out := map[string]registry.Stage{}
	for _, v := range page.Items {
		out[v.Version] = v.Stage
	}
	return out
}

func stages(s *suite) {
	name := s.model()
	for range 4 {
		s.version(name)
	}
	move := func(version string, stage registry.Stage, archive bool) {
		s.Helper()
		v, err := s.Models.TransitionStage(s.ctx, name, version, stage, archive)
		require.NoError(s, err)
		require.True(s, strings.EqualFold(string(stage), string(v.Stage)))
	}
	move("1", "pRODUCTION", true)
	move("2", registry.Production, false)
	require.Equal(s, map[string]registry.Stage{"1": registry.Production, "2": registry.Production, "3": registry.None, "4": registry.None}, s.stagesOf(name))
	latest, err := s.Models.LatestVersions(s.ctx, name, []registry.Stage{registry.Production})
	require.NoError(s, err)
	require.Len(s, latest, 1)
	require.Equal(s, "2", latest[0].Version)
	move("3", registry.Production, true)
	require.Equal(s, map[string]registry.Stage{"1": registry.Archived, "2": registry.Archived, "3": registry.Production, "4": registry.None}, s.stagesOf(name))
	latest, err = s.Models.LatestVersions(s.ctx, name, nil)
	require.NoError(s, err)
	var versions []string
	for _, v := range latest {
		versions = append(versions, v.Version)
	}
	require.ElementsMatch(s, []string{"2", "3", "4"}, versions, "the newest of every stage")

	_, err = s.Models.TransitionStage(s.ctx, name, "1", "Somewhere", false)
	s.code(apperror.Invalid, err)
	_, err = s.Models.TransitionStage(s.ctx, name, "9", registry.Staging, false)
	s.code(apperror.NotFound, err)
	_, err = s.Models.LatestVersions(s.ctx, name, []registry.Stage{"Somewhere"})
	s.code(apperror.Invalid, err)
	_, err = s.Models.LatestVersions(s.ctx, s.modelName(), nil)
	s.code(apperror.NotFound, err)
}

func aliases(s *suite) {
	name := s.model()
	s.version(name)
	s.version(name)
	require.NoError(s, s.Models.SetAlias(s.ctx, name, "champion", "1"))
	require.NoError(s, s.Models.SetAlias(s.ctx, name, "champion", "2"))
	v, err := s.Models.VersionByAlias(s.ctx, name, "champion")
	require.NoError(s, err)
	require.Equal(s, "2", v.Version)
	require.Equal(s, []string{"champion"}, v.Aliases)
	v, err = s.Models.VersionByAlias(s.ctx, name, "Latest")
	require.NoError(s, err)
	require.Equal(s, "2", v.Version)
	for _, bad := range []string{"latest", "v12", "a b", "a/b", strings.Repeat("a", 256)} {
		s.code(apperror.Invalid, s.Models.SetAlias(s.ctx, name, bad, "1"))
	}
	s.code(apperror.NotFound, s.Models.SetAlias(s.ctx, name, "challenger", "9"))
	require.NoError(s, s.Models.DeleteAlias(s.ctx, name, "champion"))
	require.NoError(s, s.Models.DeleteAlias(s.ctx, name, "champion"))
	_, err = s.Models.VersionByAlias(s.ctx, name, "champion")
	s.code(apperror.Invalid, err)
	require.NoError(s, s.Models.SetAlias(s.ctx, name, "champion", "2"))
	require.NoError(s, s.Models.DeleteVersion(s.ctx, name, "2"))
	_, err = s.Models.VersionByAlias(s.ctx, name, "champion")
	s.code(apperror.Invalid, err)
}

func sources(s *suite) {
	name := s.model()
	id := s.experiment()
	run := s.run(id, experiment.NewRun{})
	other := s.run(id, experiment.NewRun{})
	for _, bad := range []string{
		"/etc", "file:///etc/passwd", "relative/path", "../up", "mlflow-artifacts:/../../etc", "mlflow-artifacts:/1/../../x",
		"mlflow-artifacts://host/%2e%2e/%2e%2e", "mlflow-artifacts:/1/%252e%252e/%252e%252e/x", "s3://bucket/../../x", "http://host/../../etc",
		"mlflow-artifacts:/..%2f..%2fx", "mlflow-artifacts:/1/%zz/..%2fx", "", "models:/m-" + strings.Repeat("0", 32), other.ArtifactURI + "/model",
		"mlflow-artifacts:/0/secret", "C:\\Windows", "\\\\host\\share", "runs:/" + other.ID + "/model",
	} {
		_, err := s.Models.CreateVersion(s.ctx, registry.NewVersion{Name: name, Source: bad, RunID: run.ID})
		require.Error(s, err, bad)
		require.Contains(s, []apperror.Code{apperror.Invalid, apperror.NotFound}, apperror.CodeOf(err), "%s: %v", bad, err)
		_, err = s.Models.CreateVersion(s.ctx, registry.NewVersion{
			Name: name, Source: bad, Tags: []experiment.Tag{{Key: "mlflow.prompt.is_prompt", Value: "true"}},
		})
		require.Error(s, err, bad)
	}
	require.Empty(s, s.stagesOf(name), "nothing was stored")
	prompt := s.modelName()
	tags := []experiment.Tag{{Key: "mlflow.prompt.is_prompt", Value: "true"}, {Key: "mlflow.prompt.text", Value: "hello"}}
	_, err := s.Models.CreateModel(s.ctx, prompt, "", tags[:1])
	require.NoError(s, err)
	_, err = s.Models.CreateVersion(s.ctx, registry.NewVersion{Name: prompt, Source: "dummy-source", Tags: tags})
	require.NoError(s, err)
	found, err := s.Models.SearchModels(s.ctx, experiment.Search{Filter: "name = '" + prompt + "'"})
	require.NoError(s, err)
	require.Empty(s, found.Items, "prompts are found only if they are asked for")
	found, err = s.Models.SearchModels(s.ctx, experiment.Search{Filter: "name = '" + prompt + "' AND tags.`mlflow.prompt.is_prompt` = 'true'"})
	require.NoError(s, err)
	require.Len(s, found.Items, 1)

	v, err := s.Models.CreateVersion(s.ctx, registry.NewVersion{Name: name, Source: run.ArtifactURI + "/model", RunID: run.ID})
	require.NoError(s, err)
	require.Equal(s, run.ID, v.RunID)
	_, err = s.Models.CreateVersion(s.ctx, registry.NewVersion{Name: name, Source: "runs:/" + run.ID + "/model", RunID: run.ID})
	require.NoError(s, err)
	_, err = s.Models.CreateVersion(s.ctx, registry.NewVersion{Name: name, Source: "s3://bucket/models/1"})
	require.NoError(s, err)
}

func versionSearch(s *suite) {
	name := s.model()
	first, _ := s.version(name)
	s.version(name)
	s.version(name)
	require.NoError(s, s.Models.SetVersionTag(s.ctx, name, "2", experiment.Tag{Key: "k", Value: "v"}))
	find := func(filter string, order ...string) (out []string) {
		page, err := s.Models.SearchVersions(s.ctx, experiment.Search{Filter: filter, OrderBy: order})
		require.NoError(s, err, filter)
		for _, v := range page.Items {
			out = append(out, v.Version)
		}
		return out
	}
	mine := "name = '" + name + "'"
	require.Equal(s, []string{"3", "2", "1"}, find(mine, "version_number DESC"))
	require.Equal(s, []string{"1", "2", "3"}, find(mine, "version_number ASC"))
	require.Equal(s, []string{"1"}, find("run_id = '"+first.RunID+"'"))
	require.Equal(s, []string{"1"}, find("run_id IN ('"+first.RunID+"')"))
	require.Equal(s, []string{"2"}, find(mine+" AND tags.k = 'v'"))
	require.Equal(s, []string{"3"}, find(mine+" AND version_number > 2"))
	page, err := s.Models.SearchVersions(s.ctx, experiment.Search{Filter: mine, PageRequest: experiment.PageRequest{MaxResults: 2}, OrderBy: []string{"version_number"}})
	require.NoError(s, err)
	require.Len(s, page.Items, 2)
	require.NotEmpty(s, page.NextPageToken)
	_, err = s.Models.SearchVersions(s.ctx, experiment.Search{Filter: "metrics.x > 1"})
	s.code(apperror.Invalid, err)
}
