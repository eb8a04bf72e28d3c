//! Transforms between polynomials and their values at the points.

use super::sizes::{A, B, H, POINTS, TILE};
use crate::network::simd::Lanes;

/// B^T d.
#[inline(always)]
pub(super) fn to_points<V: Lanes>(d: [V; POINTS]) -> [V; POINTS] {
    let times = |d: V, factor: f64, to: V| V::splat(factor as f32).mul_add(d, to);
    let zero = times(d[2], -(A * A + B * B), d[0].add(d[4]));
    let infinity = times(d[3], -(A * A + B * B), d[1].add(d[5]));
    let (even_a, even_b) = (times(d[2], -B * B, d[4]), times(d[2], -A * A, d[4]));
    let odd_a = times(d[1], -B, d[3].mul(V::splat(A as f32)));
    let odd_b = times(d[1], -A, d[3].mul(V::splat(B as f32)));
    let (a, minus_a) = (even_a.add(odd_a), even_a.sub(odd_a));
    let (b, minus_b) = (even_b.add(odd_b), even_b.sub(odd_b));
    [zero, a, minus_a, b, minus_b, infinity]
}

/// A^T m.
#[inline(always)]
pub(super) fn from_points<V: Lanes>(
    [zero, a, minus_a, b, minus_b, infinity]: [V; POINTS],
) -> [V; TILE] {
    let times = |m: V, factor: f64, to: V| V::splat(factor as f32).mul_add(m, to);
    let (even_a, odd_a) = (a.add(minus_a), a.sub(minus_a));
    let (even_b, odd_b) = (b.add(minus_b), b.sub(minus_b));
    [
        times(even_a, -B, times(even_b, A, zero)),
        odd_b.sub(odd_a),
        times(even_a, -A, even_b.mul(V::splat(B as f32))),
        times(odd_a, -A * A, times(odd_b, B * B, infinity)),
    ]
}

/// A g, the transpose of [`from_points`]: the gradient at each point, from the gradient of a tile.
#[inline(always)]
pub(super) fn gradient_to_points<V: Lanes>(g: [V; TILE]) -> [V; POINTS] {
    let times = |g: V, factor: f64, to: V| V::splat(factor as f32).mul_add(g, to);
    let even_a = times(g[0], -B, g[2].mul(V::splat(-A as f32)));
    let even_b = times(g[0], A, g[2].mul(V::splat(B as f32)));
    let (odd_a, odd_b) = (times(g[3], A * A, g[1]), times(g[3], B * B, g[1]));
    let (a, minus_a) = (even_a.sub(odd_a), even_a.add(odd_a));
    let (b, minus_b) = (even_b.add(odd_b), even_b.sub(odd_b));
    [g[0], a, minus_a, b, minus_b, g[3]]
}

/// G^T u: the gradient of a line of three weights, from the gradients at its points.
#[inline(always)]
pub(super) fn gradient_from_points<V: Lanes>(
    [zero, a, minus_a, b, minus_b, infinity]: [V; POINTS],
) -> [V; 3] {
    let times = |u: V, factor: f64, to: V| V::splat(factor as f32).mul_add(u, to);
    let (even_a, odd_a) = (a.add(minus_a), a.sub(minus_a));
    let (even_b, odd_b) = (b.add(minus_b), b.sub(minus_b));
    [
        times(even_a, H * B, times(even_b, H * A, zero)),
        odd_a.add(odd_b).mul(V::splat(H as f32)),
        times(even_a, H * A, times(even_b, H * B, infinity)),
    ]
}
