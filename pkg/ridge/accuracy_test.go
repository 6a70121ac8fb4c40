//go:build bench

package ridge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// problem is a regression that is hard for floating point.
type problem struct {
	Name  string      `json:"name"`
	X     [][]float64 `json:"x"`
	Y     []float64   `json:"y"`
	Alpha float64     `json:"alpha"`
}

// problems are the classics, worse from one to the next, and two features that differ ever less.
func problems(draw uint64) []problem {
	var out []problem
	random := rand.New(rand.NewPCG(5, draw))
	add := func(name string, n, p int, alpha float64, value func(i, j int) float64) {
		x, y := make([][]float64, n), make([]float64, n)
		for i := range x {
			x[i] = make([]float64, p)
			for j := range x[i] {
				x[i][j] = value(i, j)
				y[i] += x[i][j]
			}
			y[i] += random.NormFloat64()
		}
		out = append(out, problem{name, x, y, alpha})
	}
	for _, p := range []int{4, 6, 8} { // the matrix that Hilbert made so
		add(fmt.Sprintf("hilbert-%d", p), 60, p, 1e-10, func(i, j int) float64 { return 1 / float64(i+j+1) })
	}
	for _, p := range []int{3, 5} { // Wampler's: the powers of 0 … 20
		add(fmt.Sprintf("powers-%d", p), 21, p, 0.01, func(i, j int) float64 { return math.Pow(float64(i), float64(j+1)) })
	}
	add("trends", 16, 6, 0.01, func(i, j int) float64 { // like Longley's: all grow with the years, from large values
		return math.Pow(10, float64(j)) * (100 + float64(i)*(1+0.1*float64(j)) + random.NormFloat64())
	})
	for _, far := range []float64{1e-2, 1e-4, 1e-6, 1e-8} {
		var first float64
		add(fmt.Sprintf("collinear-%.0e", far), 200, 3, 1e-12, func(_, j int) float64 {
			switch j {
			case 0:
				first = 1000 * random.NormFloat64()
				return first
			case 1:
				return first + 1000*far*random.NormFloat64()
			}
			return 1000 * random.NormFloat64()
		})
	}
	return out
}

// peers is what scikit-learn finds.
type peers struct {
	Condition float64   `json:"condition"` // of the centred features, each scaled to length 1
	SVD       []float64 `json:"svd"`
	Cholesky  []float64 `json:"cholesky"`
}

// draws is how often each problem is drawn: how the last digits fall is luck, so the median counts.
const draws = 15

// TestAccuracy prints to how many digits the worst coefficient agrees with a computation of 200 bits: ours, and scikit-learn's two solvers.
func TestAccuracy(t *testing.T) {
	var all []problem
	for draw := range draws {
		all = append(all, problems(uint64(draw))...)
	}
	right := map[string]map[string][]float64{} // problem → solver → digits of each draw
	for i, found := range solvePeers(t, all) {
		p := all[i]
		want, _ := exactRidge(p.X, p.Y, p.Alpha)
		fit, err := factorOf(rows{x: p.X, y: p.Y}).Fit(p.Alpha)
		require.NoError(t, err)
		if right[p.Name] == nil {
			right[p.Name] = map[string][]float64{}
		}
		for solver, value := range map[string]float64{
			"ours": digits(fit.Coefficients, want), "svd": digits(found.SVD, want), "cholesky": digits(found.Cholesky, want), "condition": found.Condition,
		} {
			right[p.Name][solver] = append(right[p.Name][solver], value)
		}
	}
	fmt.Fprintf(os.Stdout, "%-18s %10s %10s %14s %19s\n", "digits (median)", "condition", "tasador", "sklearn svd", "sklearn cholesky")
	var lines []string
	for _, p := range problems(0) {
		of := func(solver string) float64 {
			slices.Sort(right[p.Name][solver])
			return right[p.Name][solver][draws/2]
		}
		fmt.Fprintf(os.Stdout, "%-18s %10.1e %10.1f %14.1f %19.1f\n", p.Name, of("condition"), of("ours"), of("svd"), of("cholesky"))
		for _, peer := range []string{"svd", "cholesky"} {
			ratio, word := of("ours")/max(of(peer), 0.1), "short"
			if ratio >= 1 {
				word = "ok"
			}
			lines = append(lines, fmt.Sprintf("bench accuracy-%s-%s ours=%.1fdigits peer=%.1fdigits ratio=%.2f expected=>=1 %s", p.Name, peer, of("ours"), of(peer), ratio, word))
		}
	}
	for _, line := range lines {
		fmt.Fprintln(os.Stdout, line)
	}
}

// solvePeers runs scikit-learn on all problems.
func solvePeers(t *testing.T, all []problem) []peers {
	t.Helper()
	input, err := json.Marshal(all)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), testkit.Venv(t, "python"), filepath.Join(testkit.ModuleRoot(t), "scripts/bench/ridge_solvers.py"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	require.NoError(t, err)
	var found []peers
	require.NoError(t, json.Unmarshal(output, &found))
	require.Len(t, found, len(all))
	return found
}

// digits is how many decimal digits of all values are right, of those that a double has.
func digits(got, want []float64) float64 {
	worst := 0x1p-53
	for i := range want {
		worst = max(worst, math.Abs(got[i]-want[i])/math.Abs(want[i]))
	}
	return max(0, -math.Log10(worst))
}
