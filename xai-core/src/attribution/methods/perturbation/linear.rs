//! Weighted linear regressions on coalitions. The problems are small and often underdetermined,
//! with fewer samples than parts.

use super::coalition::Coalition;

/// The coefficients of the Lasso with an intercept: the minimum of
/// `1 / (2 sum w) * sum of w (y - z b - b0)^2 + alpha * |b|`.
///
/// Coordinate descent from zero until nothing changes (like scikit-learn's `Lasso` with a tolerance of 0).
pub(super) fn lasso(z: &[Coalition], y: &[f64], weights: &[f64], alpha: f64) -> Vec<f64> {
    const SWEEPS: usize = 10_000;
    const SWEEPS_OF_FEW: usize = 100;
    let total: f64 = weights.iter().sum();
    let mean = |values: &mut dyn Iterator<Item = f64>| -> f64 {
        values
            .zip(weights)
            .map(|(value, weight)| value * weight)
            .sum::<f64>()
            / total
    };
    let parts = z.first().map_or(0, Vec::len);
    // Centred, and multiplied by the root of the weight: one column per part, and the residuals,
    // which are initially y.
    let root: Vec<f64> = weights
        .iter()
        .map(|weight| (weight / total).sqrt())
        .collect();
    let columns: Vec<Vec<f64>> = (0..parts)
        .map(|part| {
            let value = |shown: &Coalition| f64::from(u8::from(shown[part]));
            let middle = mean(&mut z.iter().map(value));
            let centred = z.iter().map(|shown| value(shown) - middle);
            centred
                .zip(&root)
                .map(|(value, root)| value * root)
                .collect()
        })
        .collect();
    let middle = mean(&mut y.iter().copied());
    let mut residual: Vec<f64> = y
        .iter()
        .zip(&root)
        .map(|(y, root)| (y - middle) * root)
        .collect();
    let norms: Vec<f64> = columns.iter().map(|column| dot(column, column)).collect();

    // A smaller step may be lost when it is subtracted from the residuals, and would then be taken for ever.
    let least = f64::EPSILON * dot(&residual, &residual).sqrt();
    let mut b = vec![0.0; parts];
    // Moves each of these parts to its best value. Returns whether that changes anything.
    let mut sweep = |b: &mut [f64], these: &[usize]| {
        let (mut largest, mut moved) = (0.0f64, 0.0f64);
        for &part in these {
            let (column, norm) = (&columns[part], norms[part]);
            let pull = dot(column, &residual) + norm * b[part];
            let next = pull.signum() * (pull.abs() - alpha).max(0.0) / norm;
            let step = next - b[part];
            if step != 0.0 {
                add(&mut residual, column, -step);
                b[part] = next;
            }
            largest = largest.max(next.abs());
            moved = moved.max(step.abs());
        }
        moved > (1e-12 * largest).max(least)
    };
    // The other parts are always shown, or never: nothing can be said.
    let all: Vec<usize> = (0..parts)
        .filter(|&part| norms[part] > f64::EPSILON)
        .collect();
    for _ in 0..SWEEPS {
        if !sweep(&mut b, &all) {
            break;
        }
        // Few parts are not 0, so these come closer to their best values before the others are looked at again.
        let found: Vec<usize> = all.iter().copied().filter(|&part| b[part] != 0.0).collect();
        for _ in 0..SWEEPS_OF_FEW {
            if !sweep(&mut b, &found) {
                break;
            }
        }
    }
    b
}

/// The minimum of `sum of w (y - z b)^2` among the b that sum to `total`. If there are several, the
/// shortest.
///
/// b is an equal share of the total for each part plus a deviation that sums to 0. Conjugate
/// gradients find the shortest deviation, because they start at 0 and never leave the span of the
/// rows.
pub(super) fn with_given_sum(
    z: &[Coalition],
    y: &[f64],
    weights: &[f64],
    total: f64,
    parts: usize,
) -> Vec<f64> {
    let share = total / parts as f64;
    let sizes: Vec<f64> = z
        .iter()
        .map(|z| z.iter().filter(|&&shown| shown).count() as f64)
        .collect();
    let root: Vec<f64> = weights.iter().map(|weight| weight.sqrt()).collect();
    // The rows (z - size / parts) sqrt(w), and their transpose.
    let apply = |u: &[f64]| -> Vec<f64> {
        let mean = u.iter().sum::<f64>() / parts as f64;
        let row = |(z, (size, root)): (&Coalition, (&f64, &f64))| {
            let shown: f64 = z
                .iter()
                .zip(u)
                .filter(|(shown, _)| **shown)
                .map(|(_, u)| u)
                .sum();
            (shown - size * mean) * root
        };
        z.iter().zip(sizes.iter().zip(&root)).map(row).collect()
    };
    let transposed = |r: &[f64]| -> Vec<f64> {
        let mut sum = vec![0.0; parts];
        for ((z, r), root) in z.iter().zip(r).zip(&root) {
            for (sum, _) in sum.iter_mut().zip(z).filter(|(_, shown)| **shown) {
                *sum += r * root;
            }
        }
        let mean = sum.iter().sum::<f64>() / parts as f64;
        sum.iter_mut().for_each(|value| *value -= mean);
        sum
    };
    let owed = y.iter().zip(sizes.iter().zip(&root));
    let mut residual: Vec<f64> = owed
        .map(|(y, (size, root))| (y - size * share) * root)
        .collect();
    let mut u = vec![0.0; parts];
    let mut slope = transposed(&residual);
    let mut direction = slope.clone();
    let mut steepness = dot(&slope, &slope);
    let flat = steepness * 1e-28;
    // In exact arithmetic, this takes at most as many steps as there are rows or parts. Rounding
    // adds some.
    for _ in 0..10 * z.len().min(parts) + 10 {
        if steepness <= flat {
            break;
        }
        let change = apply(&direction);
        let step = steepness / dot(&change, &change);
        add(&mut u, &direction, step);
        add(&mut residual, &change, -step);
        slope = transposed(&residual);
        let before = std::mem::replace(&mut steepness, dot(&slope, &slope));
        let keep = steepness / before;
        for (direction, slope) in direction.iter_mut().zip(&slope) {
            *direction = slope + keep * *direction;
        }
    }
    u.iter().map(|u| u + share).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `sum += factor * values`
fn add(sum: &mut [f64], values: &[f64], factor: f64) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += factor * value;
    }
}
