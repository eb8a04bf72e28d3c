//! The operations of [`norm`](super::norm) for planes of one number, as after a fully connected layer: `[n][channels]`.
//!
//! The numbers of a row are side by side in memory, so channels are the inner loop. There are too few numbers for several
//! threads. All bits are those of the same operation on planes.

/// The gate of a ReLU after an affine map: factor and shift of each channel.
pub(super) type Gate<'a> = Option<[&'a [f32]; 2]>;

/// `x` where `gate[0] * y + gate[1]` is above 0, and 0 elsewhere. Without `GATED`, `x` everywhere.
#[inline(always)]
pub(super) fn gated_number<const GATED: bool>(x: f32, y: f32, [a, shift]: [f32; 2]) -> f32 {
    if !GATED || a * y + shift > 0.0 {
        x
    } else {
        0.0
    }
}

/// `max(a * x + shift, 0)`; NaN stays NaN.
#[inline(always)]
pub(super) fn affine_relu_number(x: f32, a: f32, shift: f32) -> f32 {
    let y = a * x + shift;
    if y < 0.0 { 0.0 } else { y }
}

pub(super) fn affine(x: &mut [f32], [a, shift]: [&[f32]; 2]) {
    for x in x.chunks_exact_mut(a.len()) {
        for (x, (a, shift)) in x.iter_mut().zip(a.iter().zip(shift)) {
            *x = a * *x + shift;
        }
    }
}

pub(super) fn affine_relu(x: &[f32], [a, shift]: [&[f32]; 2]) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    for x in x.chunks_exact(a.len()) {
        let factors = a.iter().zip(shift);
        y.extend(
            x.iter()
                .zip(factors)
                .map(|(x, (a, shift))| affine_relu_number(*x, *a, *shift)),
        );
    }
    y
}

pub(super) fn sums(x: &[f32], y: &[f32], gate: Gate<'_>, channels: usize) -> [Vec<f32>; 2] {
    let mut sums = vec![[0.0; 2]; channels];
    for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact(channels)) {
        for (channel, sums) in sums.iter_mut().enumerate() {
            let (x, y) = (gated(x[channel], y[channel], gate, channel), y[channel]);
            *sums = [sums[0] + f64::from(x), sums[1] + f64::from(x * y)];
        }
    }
    [0, 1].map(|which| sums.iter().map(|sums| sums[which] as f32).collect())
}

/// [`gated_number`], if there is a gate.
#[inline(always)]
fn gated(x: f32, y: f32, gate: Gate<'_>, channel: usize) -> f32 {
    match gate {
        Some([a, shift]) => gated_number::<true>(x, y, [a[channel], shift[channel]]),
        None => x,
    }
}

/// The first result of [`sums`] without a gate.
pub(in crate::network) fn column_sums(x: &[f32], channels: usize) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    for row in x.chunks_exact(channels) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    sums.iter().map(|&sum| sum as f32).collect()
}

pub(super) fn combine(
    x: &mut [f32],
    y: &[f32],
    [a, b, shift]: [&[f32]; 3],
    gate: Gate<'_>,
) -> Vec<f32> {
    let channels = a.len();
    for (x, y) in x.chunks_exact_mut(channels).zip(y.chunks_exact(channels)) {
        for channel in 0..channels {
            let (g, y) = (gated(x[channel], y[channel], gate, channel), y[channel]);
            x[channel] = a[channel] * g + b[channel] * y + shift[channel];
        }
    }
    column_sums(x, channels)
}
