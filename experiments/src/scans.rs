//! A scan as the images of its slices, and maps of these images as scans.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use clap::ValueEnum;
use ndarray::{Array3, Array4, ArrayBase, Axis, Ix3, RawData, s};
use xai_core::lesions::imaging::{Grid, Volume};
use xai_core::{Error, Result};

/// The planes in which a scan is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// Rows run from front to back, columns from the subject's left to the right.
    Axial,
    /// Rows run from top to bottom, columns from the subject's left to the right.
    Coronal,
    /// Rows run from top to bottom, columns from back to front.
    Sagittal,
}

impl Direction {
    /// The axes of a volume in RAS order: across the planes, along rows (against the volume's
    /// direction), and along columns.
    fn axes(self) -> [usize; 3] {
        match self {
            Self::Axial => [2, 1, 0],
            Self::Coronal => [1, 2, 0],
            Self::Sagittal => [0, 2, 1],
        }
    }
}

/// Planes of a scan, `first..end` or one number, counted from 0 along the file's own axis as viewers
/// show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planes(Range<usize>);

impl FromStr for Planes {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let range = match text.split_once("..") {
            Some((first, end)) => number(first).zip(number(end)),
            None => number(text).map(|plane| (plane, plane + 1)),
        };
        match range {
            Some((first, end)) if first < end => Ok(Self(first..end)),
            _ => Err("write one plane, such as 90, or some, such as 80..100 for 80 to 99".into()),
        }
    }
}

impl fmt::Display for Planes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0.start, self.0.end)
    }
}

/// Whether the name of a file is that of a scan.
pub fn is_scan(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    let ends = [".nii", ".nii.gz", ".mgz", ".mgh"];
    ends.iter().any(|end| name.ends_with(end))
}

/// A scan that was cut into slices.
pub struct CutScan {
    grid: Grid,
    /// Of the volume, `[x, y, z]`.
    shape: [usize; 3],
    axes: [usize; 3],
    /// In the volume's direction.
    planes: Range<usize>,
}

impl CutScan {
    /// Reads a scan, and cuts its planes of voxels into images `[n, 1, rows, columns]`, from left to
    /// right, back to front or bottom to top. Nothing is resampled or scaled. In an oblique scan, the
    /// planes are those nearest to the direction.
    ///
    /// # Errors
    /// If the file is not a NIfTI image of three dimensions with an orientation, or lacks a plane.
    pub fn open(
        path: &Path,
        direction: Direction,
        planes: Option<&Planes>,
    ) -> Result<(Self, Array4<f32>)> {
        let name = path.to_string_lossy().to_lowercase();
        if name.ends_with(".mgz") || name.ends_with(".mgh") {
            let path_text = path.display();
            let problem = format!(
                "is a volume of FreeSurfer; convert it: `mri_convert {path_text} scan.nii.gz`"
            );
            return Err(Error::file(path, problem));
        }
        let (Volume { voxels, .. }, grid) = Volume::open_with_grid(path)?;
        let axes = direction.axes();
        let count = voxels.len_of(Axis(axes[0]));
        let planes = match planes {
            None => 0..count,
            Some(Planes(asked)) if asked.end > count => {
                let problem = format!(
                    "has no plane {}: in this direction, it has the planes 0 to {}",
                    asked.end - 1,
                    count - 1
                );
                return Err(Error::file(path, problem));
            }
            Some(Planes(asked)) if grid.is_flipped(axes[0]) => {
                count - asked.end..count - asked.start
            }
            Some(Planes(asked)) => asked.clone(),
        };
        let shape = voxels.dim().into();
        let images = cut(voxels, axes);
        let images = images.slice_move(s![planes.clone(), .., ..]);
        let images = images.as_standard_layout().into_owned();
        let scan = Self {
            grid,
            shape,
            axes,
            planes,
        };
        Ok((scan, images.insert_axis(Axis(1))))
    }

    /// Writes maps `[n, 1, rows, columns]` of the images as one NIfTI image on the scan's own grid. It is
    /// 0 in planes that were not explained.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path, maps: &Array4<f32>) -> Result<()> {
        let mut image = Array3::zeros(self.shape);
        let mut slices = cut(image.view_mut(), self.axes);
        let explained = s![self.planes.clone(), .., ..];
        slices
            .slice_mut(explained)
            .assign(&maps.index_axis(Axis(1), 0));
        self.grid.write(path, image.view())
    }
}

/// A volume in RAS order as `[plane, row, column]`.
fn cut<S: RawData>(volume: ArrayBase<S, Ix3>, axes: [usize; 3]) -> ArrayBase<S, Ix3> {
    let mut slices = volume.permuted_axes(axes);
    slices.invert_axis(Axis(1));
    slices
}
