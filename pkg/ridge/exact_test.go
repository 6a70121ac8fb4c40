package ridge_test

import (
	"math/big"
)

// precision is that of the exact results, in bits: a double has 53.
const precision = 200

func exact(v float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(v) }

func zero() *big.Float { return new(big.Float).SetPrec(precision) }

// exactRidge solves the normal equations of the centred rows, free of rounding as far as a double can tell.
func exactRidge(x [][]float64, y []float64, alpha float64) (b []float64, b0 float64) {
	p, n := len(x[0]), len(x)
	rows := make([][]*big.Float, n) // centred [X y]
	means := make([]*big.Float, p+1)
	for j := range means {
		means[j] = zero()
	}
	for i := range rows {
		rows[i] = make([]*big.Float, p+1)
		for j := range p {
			rows[i][j] = exact(x[i][j])
		}
		rows[i][p] = exact(y[i])
		for j, v := range rows[i] {
			means[j].Add(means[j], v)
		}
	}
	for j := range means {
		means[j].Quo(means[j], exact(float64(n)))
		for i := range rows {
			rows[i][j].Sub(rows[i][j], means[j])
		}
	}
	solution := exactSolve(normalEquations(rows, p, alpha))
	intercept := zero().Set(means[p])
	b = make([]float64, p)
	for j, v := range solution {
		b[j], _ = v.Float64()
		intercept.Sub(intercept, zero().Mul(v, means[j]))
	}
	b0, _ = intercept.Float64()
	return b, b0
}

// normalEquations returns [XᵀX + alpha·I | Xᵀy].
func normalEquations(rows [][]*big.Float, p int, alpha float64) [][]*big.Float {
	a := make([][]*big.Float, p)
	for i := range a {
		a[i] = make([]*big.Float, p+1)
		for j := range a[i] {
			a[i][j] = zero()
			for _, row := range rows {
				a[i][j].Add(a[i][j], zero().Mul(row[i], row[j]))
			}
		}
		a[i][i].Add(a[i][i], exact(alpha))
	}
	return a
}

// exactSolve is Gauss–Jordan elimination; the matrix is positive definite.
func exactSolve(a [][]*big.Float) []*big.Float {
	p := len(a)
	for i := range a {
		for j := p; j >= i; j-- {
			a[i][j].Quo(a[i][j], a[i][i])
		}
		for k := range a {
			if k == i {
				continue
			}
			factor := zero().Set(a[k][i])
			for j := i; j <= p; j++ {
				a[k][j].Sub(a[k][j], zero().Mul(factor, a[i][j]))
			}
		}
	}
	solution := make([]*big.Float, p)
	for i := range solution {
		solution[i] = a[i][p]
	}
	return solution
}
