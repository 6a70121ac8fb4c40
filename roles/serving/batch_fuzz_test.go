package serving

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/testkit/modeltest"
)

// cutAll cuts data that comes in pieces of a size, as batches do, and writes down what it finds.
func cutAll(c cutter, data []byte, size int) (rows []string, problem error) {
	var rest []byte
	for ended := false; !ended; {
		n := min(size, len(data))
		ended = n == len(data)
		rest = append(rest, data[:n]...)
		data = data[n:]
		spans, taken, err := c.cut(rest, ended, nil)
		for _, s := range spans {
			rows = append(rows, string(rest[s.from:s.to])+strconv.Itoa(int(s.flaw)))
		}
		if err != nil {
			return rows, err
		}
		rest = append([]byte{}, rest[taken:]...)
	}
	return rows, nil
}

// FuzzCut holds that rows do not depend on the pieces that a stream comes in.
func FuzzCut(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "a,b\n1,2\n", "\"a\",\"b\n\"\"\"\r\nx\"y,\"z\"w\n\"", "[1,{\"a\":[\"]\\\"\"]} , null]", "[", "[}]", "[[]", "{}\n\n {}\r\n",
		"a\n\"" + strings.Repeat("x\n", maxRow/2) + "\"\n1\n", "[\"" + strings.Repeat("x", maxRow) + "\",1]", strings.Repeat("x", maxRow+1) + "\ny",
	} {
		f.Add([]byte(seed), 1000)
	}
	forms := func() []cutter {
		return []cutter{&lineCutter{}, &arrayCutter{}, &csvCutter{head: &csvHead{anyColumns: true}}}
	}
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 1 || len(data)/size > 2000 {
			size = len(data)/2 + 1
		}
		for i := range forms() {
			whole, err := cutAll(forms()[i], data, len(data)+1)
			pieces, perr := cutAll(forms()[i], data, size)
			require.Equal(t, whole, pieces)
			require.Equal(t, err == nil, perr == nil)
			if err != nil {
				require.Equal(t, err.Error(), perr.Error())
			}
		}
	})
}

// FuzzJSON holds the jsonScanner to encoding/json: it takes the same objects and finds the same values in them.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"bed":3,"bath":2.5e-3,"city":"a\u00e9\ud800\n","pool":[{"a":[]}],"bed":-0,"zip_code":1e999,"state":null,"street":true}`, ``, ` {} `, `{"bed":01}`, `{"bed":1.}`,
		`{"a":"\x"}`, "{\"a\":\"\n\"}", `{"a":"\\"}`, `{"a"}`, `{"a":1,}`, `{,}`, `[]`, `"x"`, `{"a":tru}`, `{}{}`, "{\"\xff\":1}", `{"be\u0064":4}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if beyondEncodingJSON(body) {
			return
		}
		var ours decoded
		p := jsonScanner{s: body}
		problem := p.listing(&ours.values, ours.ignore)
		theirs, err := byEncodingJSON([]byte(body))
		require.Equal(t, err == nil, problem == nil, "%v %v", err, problem)
		if err == nil {
			ours.ordered()
			require.Equal(t, theirs, ours)
		}
	})
}

// FuzzBatch sends anything as a batch: the answer is whole in its form, with as many rows as were read.
func FuzzBatch(f *testing.F) {
	m := modeltest.Train(f, 5)
	s := startServer(f, m)
	lines := string(ndjsonOf(f, modeltest.Listings(8, 3)))
	f.Add([]byte(lines), byte(0))
	f.Add([]byte(csvOf(modeltest.Listings(8, 3))), byte(4))
	f.Add([]byte("["+strings.ReplaceAll(strings.TrimSpace(lines), "\n", ",")+"]"), byte(8))
	f.Add([]byte("status,bed,bath,acre_lot,house_size\n\"so\"\"ld\",1e308,NaN,0x1p4,\xff\n,,,,,\n"), byte(3))
	media := []string{mimeNDJSON, mimeCSV, "application/json"}
	f.Fuzz(func(t *testing.T, body []byte, forms byte) {
		b := batch{role: s.role, now: recordable(time.Now()), asOf: recordable(time.Now()), out: newOutlet(t.TempDir(), s.role.spill)}
		b.version, _ = s.role.version()
		in, out := media[forms%3], media[forms/3%3]
		b.forms(in, out)
		b.run(t.Context(), bytes.NewReader(body))
		var got []byte
		for {
			piece, err := b.out.next(nil)
			got = append(got, piece...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil { // of a stream that holds no row
				problem := (*fieldError)(nil)
				require.ErrorAs(t, err, &problem)
				require.Empty(t, got)
				return
			}
		}
		require.Equal(t, b.summary.Rows, b.summary.OK+b.summary.Failed)
		switch rows := b.summary.Rows; out {
		case mimeCSV:
			records, err := csv.NewReader(bytes.NewReader(got)).ReadAll()
			require.NoError(t, err, "%q", got)
			if b.summary.Error != "" {
				rows++
			}
			require.Len(t, records, rows+1, "%q", got)
		case mimeNDJSON:
			require.Equal(t, rows+1, bytes.Count(got, []byte("\n")))
			for line := range bytes.Lines(got) {
				require.True(t, json.Valid(line), "%q", line)
			}
		default:
			require.Len(t, parsed[BatchAnswer](t, string(got)).Results, rows)
		}
	})
}

// FuzzFrame reads anything as a request of MLflow's protocol and of the Open Inference Protocol: it is refused, or gives finite features or checked listings.
func FuzzFrame(f *testing.F) {
	m := modeltest.Train(f, 5)
	example, err := json.Marshal(map[string]any{"dataframe_records": []any{exampleBody()}, "params": map[string]any{"as_of": "2026-01-01"}})
	require.NoError(f, err)
	tensors, err := json.Marshal(exampleTensors())
	require.NoError(f, err)
	for _, seed := range []string{
		string(example), string(tensors), `{"dataframe_split":{"data":[[1,2],[]],"columns":["a","b"]}}`, `{"instances":[[1],[2]]}`, `{"inputs":{"a":[[1],2],"status":"sold"}}`,
		`{"inputs":[{"name":"x","shape":[2,6],"datatype":"FP64","data":[[1,2,3,4,5,6],[1,2,3,4,5,1e308]]}],"outputs":[{"name":"prediction"}],"id":"a"}`, "a,b\n1,2\n",
		`{"inputs":[{"name":"status","shape":[1],"datatype":"BYTES","data":["sold"]},{"name":"bed","shape":[1,1],"datatype":"INT8","data":[true]}]}`,
	} {
		f.Add(seed)
	}
	s := startServer(f, m)
	v, err := s.role.version()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body string) {
		look := func(frame *frame, err error) {
			if err == nil {
				require.LessOrEqual(t, len(frame.names), maxColumns)
				var requests []request
				if requests, err = frame.requests(v, time.Unix(0, 0)); err == nil {
					require.Len(t, requests, frame.rows)
				}
				for _, r := range requests {
					for _, x := range r.Encoded {
						require.False(t, math.IsNaN(x) || math.IsInf(x, 0))
					}
				}
			}
			if err != nil {
				require.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%v", err)
			}
		}
		frame, _, err := mlflowFrame(body)
		look(frame, err)
		look(csvFrame(body))
		req, err := parseInfer(body)
		if err == nil {
			frame, err = req.frame(m.Schema.Features)
		}
		look(frame, err)
	})
}
