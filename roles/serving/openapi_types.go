package serving

// What follows describes requests that are not decoded into Go values one by one, but read into frames as they come.

// Invocation is the body of POST /invocations: exactly one of its first four members.
type Invocation struct {
	DataframeSplit   *SplitFrame      `json:"dataframe_split,omitempty" nullable:"false" doc:"A data frame by columns and rows."`
	DataframeRecords []map[string]any `json:"dataframe_records,omitempty" nullable:"false" doc:"A data frame as a list of objects."`
	Instances        []any            `json:"instances,omitempty" nullable:"false" doc:"A list of objects that all have the same members."`
	Inputs           any              `json:"inputs,omitempty" doc:"An object with a list for each column, or a list of objects."`
	Params           map[string]any   `json:"params,omitempty" doc:"as_of, for listings; others are ignored."`
}

// SplitFrame is a data frame as pandas writes it with orient=split.
type SplitFrame struct {
	Columns []string `json:"columns,omitempty" nullable:"false" doc:"Names of the columns: the features of the model, or the fields of listings."`
	Index   []any    `json:"index,omitempty" nullable:"false" doc:"Ignored."`
	Data    [][]any  `json:"data" nullable:"false" doc:"Rows of values."`
}

// InferRequest is the body of infer in the Open Inference Protocol.
type InferRequest struct {
	ID         string         `json:"id,omitempty" doc:"Comes back in the answer."`
	Parameters map[string]any `json:"parameters,omitempty" doc:"as_of, for listings; others are ignored."`
	Inputs     []InferInput   `json:"inputs" nullable:"false" minItems:"1" doc:"One tensor for each column, or one of all features in the order of the model."`
	Outputs    []InferOutput  `json:"outputs,omitempty" doc:"Tensors that are asked for; without it, all."`
}

// InferInput is a tensor of a request.
type InferInput struct {
	Name       string         `json:"name" minLength:"1" doc:"Name of the tensor."`
	Shape      []int          `json:"shape" nullable:"false" minItems:"1" maxItems:"2" doc:"Its dimensions: rows, and columns if there are several."`
	Datatype   string         `json:"datatype" enum:"BOOL,UINT8,UINT16,UINT32,UINT64,INT8,INT16,INT32,INT64,FP16,FP32,FP64,BYTES" doc:"Type of its elements."`
	Parameters map[string]any `json:"parameters,omitempty" doc:"Ignored."`
	Data       []any          `json:"data" nullable:"false" doc:"Its elements row by row, flat or nested as its shape."`
}

// InferOutput names a tensor of an answer.
type InferOutput struct {
	Name       string         `json:"name" enum:"prediction" doc:"Name of the tensor."`
	Parameters map[string]any `json:"parameters,omitempty" doc:"Ignored."`
}

// Readiness is the body of GET /readyz.
type Readiness struct {
	Status string            `json:"status" doc:"ready or not ready."`
	Role   string            `json:"role" doc:"Role of the server."`
	Parts  map[string]string `json:"parts" doc:"For each part ok, or what is missing."`
}

// BuildInfo is the body of GET /buildinfo.
type BuildInfo struct {
	Role  string         `json:"role" doc:"Role of the server."`
	Build map[string]any `json:"build" doc:"Version, commit and Go version."`
}
