//! Interpolation of grey values between voxels.

use ndarray::Array3;

/// The grey value at `[x, y, z]` (voxels), by trilinear interpolation over brain voxels only.
/// `None` if less than half of the neighbouring voxels, by weight, are brain (> 0). `atlas` is
/// `[z, y, x]`, in standard layout.
pub(crate) fn sample(atlas: &Array3<f32>, p: [f32; 3]) -> Option<f32> {
    let (nz, ny, nx) = atlas.dim();
    let inside = |v: f32, n: usize| v >= 0.0 && v < n as f32 - 1.0;
    if !(inside(p[0], nx) && inside(p[1], ny) && inside(p[2], nz)) {
        return None;
    }
    let [x, y, z] = p.map(|v| v as usize);
    let voxels = atlas.as_slice().expect("the atlas is in standard layout");
    let line = |z: usize, y: usize| -> [f32; 2] {
        let start = (z * ny + y) * nx + x;
        [voxels[start], voxels[start + 1]]
    };
    let lines = [
        line(z, y),
        line(z, y + 1),
        line(z + 1, y),
        line(z + 1, y + 1),
    ];
    if lines == [[0.0; 2]; 4] {
        return None;
    }
    let [fx, fy, fz] = [p[0] - x as f32, p[1] - y as f32, p[2] - z as f32];
    let shares = [
        (1.0 - fz) * (1.0 - fy),
        (1.0 - fz) * fy,
        fz * (1.0 - fy),
        fz * fy,
    ];
    let (mut grey, mut brain) = (0.0, 0.0);
    for (line, share) in lines.iter().zip(shares) {
        for (value, weight) in line.iter().zip([share * (1.0 - fx), share * fx]) {
            grey += weight * value;
            brain += if *value > 0.0 { weight } else { 0.0 };
        }
    }
    (brain >= 0.5).then(|| grey / brain)
}
