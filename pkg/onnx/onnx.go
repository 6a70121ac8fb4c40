// Package onnx writes linear models in the Open Neural Network Exchange format. It knows the few messages that one matrix product
// and one sum in double precision need, so that it asks for no generated code.
package onnx

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Versions that every ONNX Runtime of the last years reads: MatMul and Add have not changed since.
const (
	irVersion    = 8
	opsetVersion = 13
)

// Linear is y = x·Coefficients + Intercept in doubles. The input is a matrix of any number of rows and one column for each
// coefficient; the output has one column.
type Linear struct {
	Name         string // of the graph
	Input        string // name of the input
	Output       string // name of the output
	Coefficients []float64
	Intercept    float64
	Producer     string            // the program that writes the model
	Version      string            // of that program
	Doc          string            // for people
	Properties   map[string]string // written in the order of their names
}

// Encode returns the model as the bytes of a ModelProto.
func (l Linear) Encode() ([]byte, error) {
	if len(l.Coefficients) == 0 {
		return nil, fmt.Errorf("a linear model needs at least one coefficient")
	}
	if l.Name == "" || l.Input == "" || l.Output == "" || l.Input == l.Output {
		return nil, fmt.Errorf("a linear model needs a name and two different names for its input and output")
	}
	var m message
	m.number(1, irVersion)
	m.text(2, l.Producer)
	m.text(3, l.Version)
	m.text(6, l.Doc)
	m.nested(7, l.graph())
	var opset message
	opset.number(2, opsetVersion)
	m.nested(8, opset)
	for _, key := range slices.Sorted(maps.Keys(l.Properties)) {
		var property message
		property.text(1, key)
		property.text(2, l.Properties[key])
		m.nested(14, property)
	}
	return m, nil
}

// Names inside the graph; neither is an input nor an output of the model.
const (
	weights = "coefficients"
	bias    = "intercept"
	product = "product"
)

func (l Linear) graph() message {
	columns := int64(len(l.Coefficients))
	var g message
	g.nested(1, node("MatMul", []string{l.Input, weights}, product))
	g.nested(1, node("Add", []string{product, bias}, l.Output))
	g.text(2, l.Name)
	g.nested(5, tensor(weights, []int64{columns, 1}, l.Coefficients))
	g.nested(5, tensor(bias, []int64{1}, []float64{l.Intercept}))
	g.nested(11, matrix(l.Input, columns))
	g.nested(12, matrix(l.Output, 1))
	return g
}

// node is a NodeProto: an operator with what it reads and what it makes.
func node(operator string, inputs []string, output string) message {
	var n message
	for _, in := range inputs {
		n.text(1, in)
	}
	n.text(2, output)
	n.text(3, operator)
	n.text(4, operator)
	return n
}

// double is TensorProto.DataType DOUBLE.
const double = 11

// tensor is a TensorProto of doubles.
func tensor(name string, shape []int64, values []float64) message {
	var t message
	for _, size := range shape {
		t.number(1, size)
	}
	t.number(2, double)
	t.text(8, name)
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	t.nested(9, raw)
	return t
}

// matrix is the ValueInfoProto of a matrix of doubles: any number of rows, the columns given.
func matrix(name string, columns int64) message {
	var rows, width, shape, kind, outer, value message
	rows.text(2, "rows")
	width.number(1, columns)
	shape.nested(1, rows)
	shape.nested(1, width)
	kind.number(1, double)
	kind.nested(2, shape)
	outer.nested(1, kind)
	value.text(1, name)
	value.nested(2, outer)
	return value
}

// message is a protobuf message under construction.
type message []byte

func (m *message) number(field protowire.Number, v int64) {
	*m = protowire.AppendTag(*m, field, protowire.VarintType)
	*m = protowire.AppendVarint(*m, uint64(v)) // #nosec G115 -- protobuf's int64 is two's complement
}

// text leaves out what is empty, as proto readers expect.
func (m *message) text(field protowire.Number, s string) {
	if s == "" {
		return
	}
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendString(*m, s)
}

func (m *message) nested(field protowire.Number, b []byte) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendBytes(*m, b)
}
