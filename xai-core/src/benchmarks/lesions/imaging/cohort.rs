//! Synthetic subjects, made from one real brain.
//!
//! Every subject is Colin27, smoothly deformed at random and scaled, with its own tissue contrast,
//! bias field and noise. The cohort has the texture, edges and grey values of T1 slices, any number
//! of images, separate subjects, and an anatomical attribute to pre-train on. It lacks real variety
//! (all subjects have one person's sulci, only deformed), pathology, age, different scanners, and
//! real differences between women and men. A claim about people needs real scans. A claim about
//! explanation methods can be tested here.
//!
//! # The attribute sex
//!
//! It acts on anatomy alone, never on grey values, through three quantities that overlap between
//! the sexes. Half of the subjects are of each sex.
//!
//! | quantity | female | male |
//! |---|---|---|
//! | linear size of the brain (factor) | 0.985 ± 0.03 | 1.015 ± 0.03 |
//! | widening of the lateral ventricles (share) | 0.00 ± 0.10 | 0.20 ± 0.10 |
//! | folding: fine bends of the cortex (mm, standard deviation) | 1.6 ± 0.25 | 0.6 ± 0.25 |
//!
//! The directions follow the literature: men's brains and ventricles are larger, and women's cortex
//! is more folded for its size. The strengths were chosen so that the sex can be learnt from single
//! slices. Size is the weakest cue and folding the strongest, so a network must use edges and texture.
//! Measured at 112 x 112: a small network reaches 87 % on unseen subjects after 7 epochs on 1,500
//! slices; a linear classifier reaches 57 % from the brain's area and 55 % from the histogram of
//! its grey values.

use std::f32::consts::PI;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use ndarray::{Array2, Array3};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::benchmarks::lesions::imaging::bspline::SmoothField;
use crate::benchmarks::lesions::imaging::colin27;
use crate::benchmarks::lesions::imaging::resample::sample_all;
use crate::random::stream;

/// Rows and columns of a slice: Colin27's 217 x 181 mm at 0.7 mm.
pub const SLICE_SHAPE: [usize; 2] = [310, 258];

/// Side of a slice's pixels in millimetres.
pub(crate) const PIXEL_MM: f32 = 0.7;

/// The largest grey value of a slice. It leaves room for brighter lesions.
pub(crate) const BRIGHTEST: f32 = 0.7;

/// Approximate centre of the brain, and of its lateral ventricles (mm in Colin27).
const BRAIN_CENTRE: [f32; 3] = [90.0, 109.0, 80.0];
const VENTRICLES: [f32; 3] = [89.5, 110.0, 88.0];
/// Half axes (mm) of the ellipsoid in which the ventricles are widened.
const VENTRICLES_REACH: [f32; 3] = [45.0, 85.0, 40.0];

/// The binary attribute of the pre-training task. The module's documentation explains how it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sex {
    /// Class 0.
    Female,
    /// Class 1.
    Male,
}

/// Any number of subjects for one seed.
#[derive(Clone, Copy, Debug)]
pub struct Cohort {
    seed: u64,
}

impl Cohort {
    /// The cohort of `seed`. Cohorts of different seeds share no subject.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed with which its subjects are drawn.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The subject with the number `index`. Disjoint ranges share no subject.
    pub fn subject(&self, index: u64) -> Subject {
        Subject::new(self.seed, index)
    }
}

/// `count` heights between the ends of `range` (mm above the volume's floor; the benchmark uses
/// 60..=130), one drawn at random in each of `count` equal parts.
pub fn heights(range: RangeInclusive<f32>, count: usize, rng: &mut impl Rng) -> Vec<f32> {
    let part = (range.end() - range.start()) / count as f32;
    (0..count)
        .map(|k| range.start() + part * (k as f32 + rng.random::<f32>()))
        .collect()
}

/// One synthetic person.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The attribute that the pre-training task predicts.
    pub sex: Sex,
    seed: u64,
    index: u64,
    size: f32,
    ventricles: f32,
    /// Displacement in mm: the shape of the head and lobes, and the folds.
    shape: SmoothField<3>,
    folds: SmoothField<3>,
    /// Coefficients of the grey-value curve; see [`contrast`].
    contrast: [f32; 2],
    /// Logarithm of the coil's sensitivity.
    bias: SmoothField<1>,
    /// Standard deviation of the noise. White matter is about 0.9.
    noise: f32,
}

impl Subject {
    fn new(seed: u64, index: u64) -> Self {
        // Of two neighbours, one is female and one male, so that every even range is balanced.
        let swapped = stream(seed, &format!("cohort/sex/{}", index / 2)).random::<bool>();
        let sex = if index.is_multiple_of(2) ^ swapped {
            Sex::Female
        } else {
            Sex::Male
        };
        let [size, ventricles, folding] = match sex {
            Sex::Female => [0.985, 0.0, 1.6],
            Sex::Male => [1.015, 0.2, 0.6],
        };
        let rng = &mut stream(seed, &format!("cohort/subject/{index}"));
        let mut normal = |mean: f32, sd: f32| {
            // At most two and a half standard deviations, to exclude extreme shapes.
            let draw: f32 = StandardNormal.sample(rng);
            mean + sd * draw.clamp(-2.5, 2.5)
        };
        let size = normal(size, 0.03);
        let ventricles = normal(ventricles, 0.1);
        let folding = normal(folding, 0.25).max(0.1);
        let contrast = [normal(0.0, 0.2), normal(0.0, 0.1)];
        let noise = normal(0.03, 0.008);
        let (dx, dy, dz) = colin27().voxels.dim();
        let extent = [dx as f32, dy as f32, dz as f32];
        Self {
            sex,
            seed,
            index,
            size,
            ventricles,
            shape: SmoothField::random(32.0, 2.5, extent, rng),
            folds: SmoothField::random(8.0, folding, extent, rng),
            contrast,
            bias: SmoothField::random(60.0, 0.08, extent, rng),
            noise,
        }
    }

    /// Axial slices of [`SLICE_SHAPE`] at the given heights (mm above Colin27's floor), with 0.7 mm
    /// pixels.
    ///
    /// They are exactly 0 outside the brain and above 0 in it. The brightest pixel of each slice is
    /// 0.7. A height without brain gives a slice of zeros.
    pub fn slices(&self, heights_mm: &[f32]) -> Vec<Array2<f32>> {
        heights_mm.iter().map(|&z| self.slice(z)).collect()
    }

    fn slice(&self, z_mm: f32) -> Array2<f32> {
        let atlas = atlas();
        let [rows, columns] = SLICE_SHAPE;
        let (shape, folds) = (self.shape.plane(z_mm), self.folds.plane(z_mm));
        let bias = self.bias.plane(z_mm);
        let x_mm = |column: usize| (column as f32 + 0.5) * PIXEL_MM - 0.5;
        let shape_columns = shape.columns((0..columns).map(x_mm));
        let folds_columns = folds.columns((0..columns).map(x_mm));
        let bias_columns = bias.columns((0..columns).map(x_mm));
        let rng = &mut stream(self.seed, &format!("cohort/noise/{}/{z_mm}", self.index));

        let front = atlas.dim().1 as f32 - 1.0;
        let mut slice = Array2::zeros(SLICE_SHAPE);
        let x: Vec<f32> = (0..columns).map(x_mm).collect();
        for row in 0..rows {
            // The first row is the front of the head.
            let y = front - x_mm(row);
            let mut bent = [x.clone(), vec![y; columns], vec![z_mm; columns]];
            let (shape, folds) = (shape.row(y, &shape_columns), folds.row(y, &folds_columns));
            for ((bent, shape), folds) in bent.iter_mut().zip(&shape).zip(&folds) {
                for ((bent, shape), folds) in bent.iter_mut().zip(shape).zip(folds) {
                    *bent = *bent + shape + folds;
                }
            }
            self.to_colin(&mut bent);
            let [bias] = bias.row(y, &bias_columns);
            for (column, grey) in sample_all(atlas, bent.each_ref().map(Vec::as_slice)) {
                let tissue = contrast(grey, self.contrast) * bias[column].exp();
                // Magnitude images have Rician noise: the magnitude of a complex number with normal
                // noise.
                let [real, imaginary] = std::array::from_fn(|_| {
                    let normal: f32 = StandardNormal.sample(rng);
                    self.noise * normal
                });
                slice[(row, column)] = (tissue + real).hypot(imaginary).max(1e-3);
            }
        }
        let brightest = slice.iter().copied().fold(0.0, f32::max);
        if brightest > 0.0 {
            slice.mapv_inplace(|v| v / brightest * BRIGHTEST);
        }
        slice
    }

    /// Replaces points of this subject, given by their coordinates, by their positions in Colin27: the inverse of the
    /// changes of size and ventricles.
    fn to_colin(&self, [x, y, z]: &mut [Vec<f32>; 3]) {
        for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
            let point = [*x, *y, *z];
            let mut p: [f32; 3] =
                std::array::from_fn(|k| BRAIN_CENTRE[k] + (point[k] - BRAIN_CENTRE[k]) / self.size);
            // Strongest in the middle, fading smoothly to 0 at the ellipsoid's surface.
            let near: f32 = (0..3)
                .map(|k| ((p[k] - VENTRICLES[k]) / VENTRICLES_REACH[k]).powi(2))
                .sum();
            p[0] -= self.ventricles * (p[0] - VENTRICLES[0]) * (1.0 - near).max(0.0).powi(2);
            [*x, *y, *z] = p;
        }
    }
}

/// A smooth, monotone curve of the grey value (for |a| + |b| < 1) that maps 0 to 0 and 1 to 1.
fn contrast(grey: f32, [a, b]: [f32; 2]) -> f32 {
    grey + (a * (PI * grey).sin() + b * 0.5 * (2.0 * PI * grey).sin()) / PI
}

/// Colin27 in the order `[z, y, x]`, so that the voxels of an axial slice are neighbours in memory.
/// Grey values are in [0, 1].
fn atlas() -> &'static Array3<f32> {
    static ATLAS: LazyLock<Array3<f32>> = LazyLock::new(|| {
        let voxels = &colin27().voxels;
        let brightest = voxels.iter().copied().fold(0.0, f32::max);
        voxels
            .view()
            .reversed_axes()
            .as_standard_layout()
            .mapv(|v| v / brightest)
    });
    &ATLAS
}
