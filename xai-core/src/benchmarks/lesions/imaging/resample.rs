//! Interpolation of grey values between voxels.

use ndarray::Array3;

/// Points that are interpolated together, so that the compiler uses vectors.
const TOGETHER: usize = 16;

/// The grey value at `[x, y, z]` (voxels), by trilinear interpolation over brain voxels only.
/// `None` if less than half of the neighbouring voxels, by weight, are brain (> 0). `atlas` is
/// `[z, y, x]`, in standard layout.
pub(crate) fn sample(atlas: &Array3<f32>, p: [f32; 3]) -> Option<f32> {
    let voxels = atlas.as_slice().expect("the atlas is in standard layout");
    let (corners, place) = around(voxels, atlas.dim(), p)?;
    let [[grey], [brain]] = blend(&corners.map(|x| [x]), &place.map(|x| [x]));
    (brain >= 0.5).then(|| grey / brain)
}

/// [`sample`] for many points, given by their coordinates. Returns the index and the grey value of those that have
/// one, in order.
pub(crate) fn sample_all(atlas: &Array3<f32>, [x, y, z]: [&[f32]; 3]) -> Vec<(usize, f32)> {
    let voxels = atlas.as_slice().expect("the atlas is in standard layout");
    let mut found = Vec::with_capacity(x.len());
    let (mut corners, mut places) = ([[0.0; TOGETHER]; 8], [[0.0; TOGETHER]; 3]);
    let (mut points, mut count) = ([0; TOGETHER], 0);
    for at in 0..x.len() {
        if let Some((values, place)) = around(voxels, atlas.dim(), [x[at], y[at], z[at]]) {
            (0..8).for_each(|k| corners[k][count] = values[k]);
            (0..3).for_each(|k| places[k][count] = place[k]);
            points[count] = at;
            count += 1;
        }
        if count == TOGETHER || (at + 1 == x.len() && count > 0) {
            let [grey, brain] = blend(&corners, &places);
            for k in 0..count {
                if brain[k] >= 0.5 {
                    found.push((points[k], grey[k] / brain[k]));
                }
            }
            count = 0;
        }
    }
    found
}

/// The voxels around a point in the order z, y, x, and its place between them. `None` if there is no brain or if the
/// point is outside.
#[inline(always)]
fn around(
    voxels: &[f32],
    (nz, ny, nx): (usize, usize, usize),
    p: [f32; 3],
) -> Option<([f32; 8], [f32; 3])> {
    let inside = |v: f32, n: usize| v >= 0.0 && v < n as f32 - 1.0;
    if !(inside(p[0], nx) && inside(p[1], ny) && inside(p[2], nz)) {
        return None;
    }
    let [x, y, z] = p.map(|v| v as usize);
    let start = (z * ny + y) * nx + x;
    // Of two planes, two lines each.
    let (near, far) = (
        &voxels[start..start + nx + 2],
        &voxels[start + ny * nx..][..nx + 2],
    );
    let corners = [
        near[0],
        near[1],
        near[nx],
        near[nx + 1],
        far[0],
        far[1],
        far[nx],
        far[nx + 1],
    ];
    let place = [p[0] - x as f32, p[1] - y as f32, p[2] - z as f32];
    (corners != [0.0; 8]).then_some((corners, place))
}

/// The sums of the voxels and of those that are brain, each times its weight.
#[inline(always)]
fn blend<const N: usize>(corners: &[[f32; N]; 8], [fx, fy, fz]: &[[f32; N]; 3]) -> [[f32; N]; 2] {
    let (mut grey, mut brain) = ([0.0; N], [0.0; N]);
    for at in 0..N {
        let (fx, fy, fz) = (fx[at], fy[at], fz[at]);
        let shares = [
            (1.0 - fz) * (1.0 - fy),
            (1.0 - fz) * fy,
            fz * (1.0 - fy),
            fz * fy,
        ];
        for corner in 0..8 {
            let weight = shares[corner / 2] * [1.0 - fx, fx][corner % 2];
            let value = corners[corner][at];
            grey[at] += weight * value;
            brain[at] += if value > 0.0 { weight } else { 0.0 };
        }
    }
    [grey, brain]
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    /// Points together give the bits of each alone, which is checked against the definition.
    #[test]
    fn many_points_are_sampled_as_one_is() {
        let atlas = Array3::from_shape_fn((5, 7, 6), |(z, y, x)| {
            let grey = (z * 11 + y * 5 + x * 3) % 8;
            if y < 2 || grey < 3 {
                0.0
            } else {
                grey as f32 / 8.0
            }
        });
        let coordinate = |at: usize, step: f32, size: f32| (at as f32 * step) % (size + 0.6) - 0.3;
        let [x, y, z] = [(0.37, 6.0), (0.83, 7.0), (0.59, 5.0)].map(|(step, size)| {
            (0..200)
                .map(|at| coordinate(at, step, size))
                .collect::<Vec<f32>>()
        });
        let alone: Vec<(usize, f32)> = (0..200)
            .filter_map(|at| Some((at, sample(&atlas, [x[at], y[at], z[at]])?)))
            .collect();
        assert_eq!(sample_all(&atlas, [&x, &y, &z]), alone);
        assert!((20..150).contains(&alone.len()), "{}", alone.len());

        for (at, grey) in alone {
            let (mut sum, mut brain) = (0.0, 0.0);
            for ((k, j, i), &value) in atlas.indexed_iter() {
                let near =
                    |p: f32, voxel: usize| (1.0 - (f64::from(p) - voxel as f64).abs()).max(0.0);
                let weight = near(x[at], i) * near(y[at], j) * near(z[at], k);
                sum += weight * f64::from(value);
                brain += if value > 0.0 { weight } else { 0.0 };
            }
            assert!((f64::from(grey) - sum / brain).abs() < 1e-5);
        }
    }
}
