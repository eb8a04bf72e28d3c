//! Gauss-Legendre quadrature.

use std::f64::consts::PI;

/// Nodes and weights of Gauss-Legendre quadrature with `n` points on [0, 1], in ascending order of
/// the nodes.
///
/// The nodes are the roots of the Legendre polynomial, found by Newton's method from the usual
/// initial guess (Abramowitz and Stegun, 22.16.6).
pub(in crate::attribution) fn gauss_legendre(n: usize) -> (Vec<f64>, Vec<f64>) {
    (0..n)
        .map(|i| {
            let mut x = -(PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 0.0;
            for _ in 0..100 {
                let value;
                (value, slope) = legendre(n, x);
                let step = value / slope;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            // Half of the weight 2 / ((1 - x^2) slope^2), because the interval is half as long.
            ((1.0 + x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .unzip()
}

/// The Legendre polynomial of degree `n` and its derivative at `x`, by the three-term recurrence.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (
            value,
            ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
        );
    }
    let n = n as f64;
    (value, n * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule with n points is exact for polynomials up to degree 2n - 1, and not beyond.
    #[test]
    fn quadrature_is_exact_for_polynomials() {
        for n in [1, 2, 3, 5, 20, 50] {
            let (nodes, weights) = gauss_legendre(n);
            assert!(nodes.is_sorted() && nodes[0] > 0.0 && nodes[n - 1] < 1.0);
            let integral = |degree: usize| -> f64 {
                let terms = nodes.iter().zip(&weights);
                terms.map(|(x, w)| w * x.powi(degree as i32)).sum()
            };
            for degree in 0..2 * n {
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!(
                    (integral(degree) - exact).abs() < 1e-14,
                    "{n} points, x^{degree}"
                );
            }
            if n < 5 {
                assert!((integral(2 * n) - 1.0 / (2.0 * n as f64 + 1.0)).abs() > 1e-8);
            }
        }
    }
}
