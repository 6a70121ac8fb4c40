package mlflowapi_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/mlflowapi"
)

// TestAppendIsEncodingJSON: what is written by hand is what encoding/json writes.
func TestAppendIsEncodingJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	texts := []string{"", "loss", "a b/c:d", `"quoted" \ <tag> & more`, "ñandú 家", "\x00\n\t\u2028\x7f", "bad \xff bytes", "\u2029 🏠👩‍👩‍👧", "\xed\xa0\x80 half a pair",
		"\ufeff\ufffd", "\x1b[31m\b\f\r\v", "cut \xe2\x80"}
	text := func() string { return texts[random.IntN(len(texts))] }
	values := []float64{0, math.Copysign(0, -1), 1, -2.5, 0.1, 1e-6, 9.99e-7, 1e-7, 1e20, 1e21, -1e21, 123456789.25, math.MaxFloat64, 5e-324, 1e-320, 2.2250738585072014e-308, 0.1 + 0.2, 1<<53 + 2, math.NaN(), math.Inf(1), math.Inf(-1)}
	metric := func() mlflowapi.Metric {
		v := values[random.IntN(len(values))]
		if random.IntN(2) == 0 {
			v = math.Float64frombits(random.Uint64())
		}
		return mlflowapi.Metric{Key: text(), Value: mlflowapi.Float(v), Timestamp: mlflowapi.Int(random.Int64()), Step: mlflowapi.Int(-random.Int64()), ModelID: text(), RunID: text(), Dataset: text(), Digest: text()}
	}
	some := func() int { return random.IntN(3) }
	for range 2000 {
		m := metric()
		if some() == 0 {
			m.Timestamp, m.Step = math.MaxInt64, math.MinInt64
		}
		want, err := json.Marshal(m)
		require.NoError(t, err)
		require.Equal(t, string(want), string(mlflowapi.AppendMetric(nil, &m)))

		r := mlflowapi.Run{Info: mlflowapi.RunInfo{
			RunUUID: text(), RunID: text(), ExperimentID: text(), RunName: text(), UserID: text(), Status: text(), StartTime: mlflowapi.Int(random.Int64()),
			ArtifactURI: text(), LifecycleStage: text(),
		}}
		if some() > 0 {
			end := mlflowapi.Int(random.Int64())
			r.Info.EndTime = &end
		}
		for range some() {
			r.Data.Metrics = append(r.Data.Metrics, metric())
		}
		for range some() {
			r.Data.Params = append(r.Data.Params, mlflowapi.KeyValue{Key: text(), Value: text()})
		}
		for range some() {
			r.Data.Tags = append(r.Data.Tags, mlflowapi.KeyValue{Key: text(), Value: text()})
		}
		for range some() {
			r.Inputs.DatasetInputs = append(r.Inputs.DatasetInputs, mlflowapi.DatasetInput{Dataset: mlflowapi.Dataset{Name: text(), Profile: text()}})
			r.Outputs.ModelOutputs = append(r.Outputs.ModelOutputs, mlflowapi.ModelOutput{ModelID: text(), Step: 3})
		}
		want, err = json.Marshal(r)
		require.NoError(t, err)
		require.Equal(t, string(want), string(mlflowapi.AppendRun(nil, &r)))
	}
}
