//! The affine map from voxel indices to millimetres.

use crate::benchmarks::lesions::imaging::header::Orientation;
use crate::error::{Error, Result};

/// A map `p -> matrix p + offset` in three dimensions, such as from voxel indices to millimetres
/// towards the right, the front and the top (RAS).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Column `k` is the step along axis `k`.
    pub matrix: [[f64; 3]; 3],
    /// The centre of the first voxel.
    pub offset: [f64; 3],
}

impl Affine {
    /// The map in a NIfTI header: its sform, or its qform if there is no sform. A form with a code
    /// outside the standard counts as absent, as in nibabel.
    pub(crate) fn of_header(header: &Orientation) -> Result<Self> {
        let known = |code: i32| (1..=5).contains(&code);
        let affine = if known(header.sform_code) {
            Self {
                matrix: header.s_rows.map(|row| [row[0], row[1], row[2]]),
                offset: header.s_rows.map(|row| row[3]),
            }
        } else if known(header.qform_code) {
            Self::of_quaternion(header)?
        } else {
            return Err(Error::invalid(
                "the image has no orientation (sform and qform codes are 0), so that left and right would \
                 be a guess; write one with its converter",
            ));
        };
        let volume = affine.determinant().abs();
        // No scanner is longer than a kilometre. The comparison also rejects infinity and NaN.
        let numbers = affine.matrix.iter().flatten().chain(&affine.offset);
        let near = numbers.into_iter().all(|number| number.abs() < 1e6);
        if !(near && volume > 1e-6) {
            return Err(Error::invalid(
                "the image's orientation (its affine) maps voxels to no volume; write a valid one with its \
                 converter",
            ));
        }
        Ok(affine)
    }

    /// NIfTI standard, "method 2": a unit quaternion, the voxel sizes and an offset. Where the
    /// standard is ambiguous, this follows nibabel 5: sizes count without their sign, and the third
    /// axis is reversed only if `pixdim[0]` is -1.
    fn of_quaternion(header: &Orientation) -> Result<Self> {
        let [b, c, d] = header.quaternion;
        let rest = 1.0 - (b * b + c * c + d * d);
        let rounding = 3.0 * header.precision;
        if rest <= -rounding {
            return Err(Error::invalid(format!(
                "the quaternion of the image's orientation (qform) is longer than 1 ({:.6}), so that it is no \
                 rotation; write a valid one with its converter",
                (1.0 - rest).sqrt()
            )));
        }
        let a = if rest < rounding { 0.0 } else { rest.sqrt() };
        // Twice the product of two of the numbers, for the quaternion at length 1.
        let length = a * a + b * b + c * c + d * d;
        let twice = |p: f64, q: f64| 2.0 * p * q / length;
        let rotation = [
            [
                1.0 - twice(c, c) - twice(d, d),
                twice(b, c) - twice(a, d),
                twice(b, d) + twice(a, c),
            ],
            [
                twice(b, c) + twice(a, d),
                1.0 - twice(b, b) - twice(d, d),
                twice(c, d) - twice(a, b),
            ],
            [
                twice(b, d) - twice(a, c),
                twice(c, d) + twice(a, b),
                1.0 - twice(b, b) - twice(c, c),
            ],
        ];
        let [sign, x, y, z] = header.pixdim;
        let handedness = if sign == -1.0 { -1.0 } else { 1.0 };
        let size = [x.abs(), y.abs(), z.abs() * handedness];
        Ok(Self {
            matrix: rotation.map(|row| std::array::from_fn(|k| row[k] * size[k])),
            offset: header.q_offset,
        })
    }

    /// The image of `point`.
    pub fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|r| {
            self.offset[r] + (0..3).map(|k| self.matrix[r][k] * point[k]).sum::<f64>()
        })
    }

    /// The inverse map. The matrix must be invertible, as in every [`Volume`](super::Volume).
    pub fn inverse(&self) -> Self {
        let m = &self.matrix;
        let determinant = self.determinant();
        // Cofactors, with cyclic indices.
        let matrix = std::array::from_fn(|r| {
            std::array::from_fn(|k| {
                let [(k1, k2), (r1, r2)] = [k, r].map(|i| ((i + 1) % 3, (i + 2) % 3));
                (m[k1][r1] * m[k2][r2] - m[k1][r2] * m[k2][r1]) / determinant
            })
        });
        let linear = Self {
            matrix,
            offset: [0.0; 3],
        };
        Self {
            matrix,
            offset: linear.apply(self.offset).map(|v| -v),
        }
    }

    /// The length of a step along axis `k`, in millimetres.
    pub fn spacing(&self, k: usize) -> f64 {
        self.matrix
            .map(|row| row[k])
            .iter()
            .map(|v| v * v)
            .sum::<f64>()
            .sqrt()
    }

    /// The volume of a voxel in cubic millimetres. Negative if the axes are left-handed.
    pub fn determinant(&self) -> f64 {
        let [a, b, c] = self.matrix;
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
            + a[2] * (b[0] * c[1] - b[1] * c[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_undoes_a_sheared_map() {
        let affine = Affine {
            matrix: [[0.7, 0.2, -0.1], [0.0, -1.2, 0.3], [0.4, 0.1, 2.0]],
            offset: [-90.0, 126.0, -72.0],
        };
        let point = [3.0, -4.0, 5.5];
        let back = affine.inverse().apply(affine.apply(point));
        assert!(
            (0..3).all(|k| (back[k] - point[k]).abs() < 1e-12),
            "{back:?}"
        );
    }
}
