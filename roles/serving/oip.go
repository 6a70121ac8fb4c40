package serving

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
)

// oipName is the only output of a model.
const oipName = "prediction"

// OIPServer is what GET /v2 answers.
type OIPServer struct {
	Name       string   `json:"name" doc:"tasador."`
	Version    string   `json:"version" doc:"Version of this program."`
	Extensions []string `json:"extensions" nullable:"false" doc:"None: tensors are JSON."`
}

// OIPLive is what GET /v2/health/live answers.
type OIPLive struct {
	Live bool `json:"live" doc:"Whether the server runs."`
}

// OIPReady is what GET /v2/health/ready answers.
type OIPReady struct {
	Ready bool `json:"ready" doc:"Whether a model is loaded."`
}

// OIPModels is what GET /v2/models answers.
type OIPModels struct {
	Models []string `json:"models" nullable:"false" doc:"Names of the models."`
}

// OIPModelReady is what GET /v2/models/{model}/ready answers.
type OIPModelReady struct {
	Name  string `json:"name" doc:"Name of the model."`
	Ready bool   `json:"ready" doc:"Whether it can be asked."`
}

// OIPMetadata is what GET /v2/models/{model} answers.
type OIPMetadata struct {
	Name     string      `json:"name" doc:"Name of the model."`
	Versions []string    `json:"versions" nullable:"false" doc:"Versions that can be asked."`
	Platform string      `json:"platform" doc:"Kind of the model."`
	Inputs   []OIPTensor `json:"inputs" nullable:"false" doc:"Tensors of a request, one for each feature."`
	Outputs  []OIPTensor `json:"outputs" nullable:"false" doc:"Tensors of an answer."`
}

// OIPTensor describes a tensor.
type OIPTensor struct {
	Name     string `json:"name" doc:"Name of the tensor."`
	Datatype string `json:"datatype" doc:"Type of its elements."`
	Shape    []int  `json:"shape" nullable:"false" doc:"Its dimensions; -1 is any number of rows."`
}

// OIPAnswer is what infer answers.
type OIPAnswer struct {
	ModelName    string      `json:"model_name" doc:"Registered model that answered."`
	ModelVersion string      `json:"model_version" doc:"Its version."`
	ID           string      `json:"id" doc:"Id of the request: its own, or else the one under which the predictions are recorded."`
	Outputs      []OIPOutput `json:"outputs" nullable:"false" doc:"Tensors of the answer."`
}

// OIPOutput is a tensor of an answer.
type OIPOutput struct {
	Name     string    `json:"name" doc:"Name of the tensor."`
	Shape    []int     `json:"shape" nullable:"false" doc:"Its dimensions: rows, 1."`
	Datatype string    `json:"datatype" doc:"Type of its elements."`
	Data     []float64 `json:"data" nullable:"false" doc:"Prices in dollars, in the order of the rows."`
}

// OIPError is the body of an error of the Open Inference Protocol.
type OIPError struct {
	Error string `json:"error" doc:"What is wrong and what to do."`
}

func (r *role) oipServer(c echo.Context) error {
	return c.JSON(http.StatusOK, OIPServer{Name: "tasador", Version: r.build.Version, Extensions: []string{}})
}

func (r *role) oipLive(c echo.Context) error { return c.JSON(http.StatusOK, OIPLive{Live: true}) }

func (r *role) oipReady(c echo.Context) error {
	if _, err := r.version(); err != nil {
		return c.JSON(http.StatusServiceUnavailable, OIPReady{})
	}
	return c.JSON(http.StatusOK, OIPReady{Ready: true})
}

func (r *role) oipModels(c echo.Context) error {
	return c.JSON(http.StatusOK, OIPModels{Models: []string{r.cfg.Serving.Model}})
}

func (r *role) oipModelReady(c echo.Context) error {
	v, err := r.modelVersion(c)
	if noModel(err) {
		return c.JSON(http.StatusServiceUnavailable, OIPModelReady{Name: r.cfg.Serving.Model})
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, OIPModelReady{Name: v.Name, Ready: true})
}

func (r *role) oipMetadata(c echo.Context) error {
	v, err := r.modelVersion(c)
	if err != nil {
		return err
	}
	out := OIPMetadata{
		Name: v.Name, Versions: []string{v.Version}, Platform: "mlflow_onnx",
		Outputs: []OIPTensor{{Name: oipName, Datatype: fp64, Shape: []int{-1, 1}}},
	}
	for _, name := range v.Model.Schema.Features {
		out.Inputs = append(out.Inputs, OIPTensor{Name: name, Datatype: fp64, Shape: []int{-1, 1}})
	}
	return c.JSON(http.StatusOK, out)
}

// oipInfer is POST /v2/models/{model}[/versions/{version}]/infer.
func (r *role) oipInfer(c echo.Context) error {
	q := &question{id: httpserver.RequestID(c), now: recordable(time.Now())}
	out, err := r.infer(c, q)
	r.answered(protocolOIP, q.version, outcomeOf(err), len(q.prices), q.now)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

func (r *role) infer(c echo.Context, q *question) (*OIPAnswer, error) {
	v, err := r.modelVersion(c)
	if err != nil {
		return nil, err
	}
	q.version = v
	req, err := readInfer(c)
	if err != nil {
		return nil, err
	}
	at, err := instantOf(req.asOf, q.now)
	if err != nil {
		return nil, err
	}
	f, err := req.frame(v.Model.Schema.Features)
	if err != nil {
		return nil, err
	}
	if f.rows == 0 {
		return nil, apperror.New(apperror.Invalid, "the inputs have no rows")
	}
	if err := r.answerFrame(q, f, at, func() error { return r.answer(c.Request().Context(), q) }); err != nil {
		return nil, err
	}
	out := &OIPAnswer{ModelName: v.Name, ModelVersion: v.Version, ID: req.id, Outputs: []OIPOutput{}}
	if out.ID == "" {
		out.ID = q.id
	}
	for range max(1, req.outputs) {
		out.Outputs = append(out.Outputs, OIPOutput{Name: oipName, Shape: []int{f.rows, 1}, Datatype: fp64, Data: q.prices})
	}
	return out, nil
}
