package inference_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/inference"
	"tasador/pkg/model"
	"tasador/pkg/registry"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/modeltest"
	"tasador/pkg/trackingclient"
)

// TestAStockMLflowServerIsFollowed follows a stage, an alias and a number of MLflow's own server, and gets a version that a request names.
func TestAStockMLflowServerIsFollowed(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	client := trackingclient.New(testkit.StockMLflow(t), trackingclient.Options{})
	defer client.Close()
	ctx := t.Context()
	const name = "RealtorPriceModel"
	_, err := client.CreateModel(ctx, name, "", nil)
	require.NoError(t, err)
	id, err := client.CreateExperiment(ctx, experiment.NewExperiment{Name: "e"})
	require.NoError(t, err)
	models := map[string]*model.Model{}
	for i, version := range []string{"1", "2", "3"} {
		run, err := client.CreateRun(ctx, experiment.NewRun{ExperimentID: id})
		require.NoError(t, err)
		models[version] = modeltest.Train(t, uint64(i+1))
		modeltest.Upload(t, client, run.ArtifactURI+"/model", models[version])
		v, err := client.CreateVersion(ctx, registry.NewVersion{Name: name, Source: run.ArtifactURI + "/model", RunID: run.ID})
		require.NoError(t, err)
		require.Equal(t, version, v.Version)
	}
	opts := options(t, nil)
	opts.Registry = client
	opts.Live, opts.Shadow = inference.Ref{Alias: "champion"}, inference.Ref{Version: "3"}
	opts.Challenger, opts.Share = inference.Ref{Stage: registry.Staging}, 1
	p := inference.New(opts)
	defer p.StopShadow()
	p.Look(ctx)
	_, err = p.Current()
	require.ErrorContains(t, err, "has the alias champion yet")
	require.NoError(t, client.SetAlias(ctx, name, "champion", "1"))
	_, err = client.TransitionStage(ctx, name, "2", registry.Staging, false)
	require.NoError(t, err)
	p.Look(ctx)

	champion, err := p.Current()
	require.NoError(t, err)
	challenger, err := p.Choose("any")
	require.NoError(t, err)
	requested, err := p.Version(ctx, "2")
	require.NoError(t, err)
	for _, c := range []struct {
		served *inference.Served
		role   inference.Role
		stage  registry.Stage
		number string
	}{
		{champion, inference.Champion, registry.None, "1"},
		{challenger, inference.Challenger, registry.Staging, "2"},
		{requested, inference.Requested, registry.Staging, "2"},
		{p.Followed()[2].Served, inference.Shadow, registry.None, "3"},
	} {
		require.Equal(t, c.role, c.served.Role)
		require.Equal(t, c.stage, c.served.Stage)
		require.Equal(t, c.number, c.served.Version)
		require.Equal(t, models[c.number], c.served.Model)
	}
	_, err = p.Version(ctx, "9")
	require.ErrorContains(t, err, "RealtorPriceModel has no version 9")
	require.NoError(t, client.SetAlias(ctx, name, "champion", "3"))
	p.Look(ctx)
	champion, err = p.Current()
	require.NoError(t, err)
	require.Equal(t, "3", champion.Version)
	require.NoError(t, client.DeleteAlias(ctx, name, "champion"))
	p.Look(ctx)
	require.ErrorContains(t, p.Problem(), "has the alias champion yet")
	champion, err = p.Current()
	require.NoError(t, err)
	require.Equal(t, "3", champion.Version)
}
