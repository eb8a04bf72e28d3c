//! The lesions themselves: found in blurred noise, kept by area, shape and weight.

use std::sync::LazyLock;

use ndarray::{Array2, s};
use rayon::prelude::*;

use super::{morphology, noise, otsu, shape};
use crate::data::{gaussian, resize};
use crate::error::{Error, Result};

/// The side of the noise image.
const NOISE_SIZE: usize = 256;
/// Blur of the noise: sets how large and how smooth the blobs are.
const NOISE_SIGMA: f64 = 2.0;
/// Margin of a patch around its lesion, and blur of the lesion's edge.
const MARGIN: usize = 2;
const EDGE_SIGMA: f64 = 0.75;
/// Seeds are searched in parallel, this many at a time.
const BATCH: u32 = 32;
/// About a hundred times what the published libraries take.
const MOST_SEEDS: u32 = 100_000;

/// What the classifier is to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Round: compactness above 0.8. Class 0.
    Regular,
    /// Ragged: compactness below 0.4. Class 1.
    Irregular,
}

impl Class {
    /// The class that a compactness stands for; between 0.4 and 0.8 neither.
    pub fn of(compactness: f64) -> Option<Self> {
        if compactness > 0.8 {
            Some(Self::Regular)
        } else if compactness < 0.4 {
            Some(Self::Irregular)
        } else {
            None
        }
    }

    /// Below this a patch is cut to 0.
    fn cut(self) -> f64 {
        match self {
            Self::Regular => 0.2,
            Self::Irregular => 0.15,
        }
    }
}

/// One lesion.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesion {
    /// Its intensity in [0, 1] within its padded bounding box; 0 is background.
    pub patch: Array2<f64>,
    /// 4 pi area / perimeter^2 of the lesion before blur and scaling.
    pub compactness: f64,
}

/// Lesions of both classes, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Library {
    /// Round lesions.
    pub regular: Vec<Lesion>,
    /// Ragged lesions.
    pub irregular: Vec<Lesion>,
}

impl Library {
    /// Searches the noise of the seeds 0, 1, 2, … until both classes hold more than `count`
    /// lesions of `area` pixels, and returns all that were found, in their original size.
    ///
    /// `search(50, 70)` takes the seeds 0 to 886 and finds 51 regular and 207 irregular lesions.
    /// An error says so if an area is too rare to be found.
    pub fn search(count: usize, area: usize) -> Result<Self> {
        let mut library = Self::default();
        for start in (0..MOST_SEEDS).step_by(BATCH as usize) {
            let found: Vec<_> = (start..start + BATCH)
                .into_par_iter()
                .map(|seed| candidates(seed, area))
                .collect();
            // The search ends at a seed, not at a batch.
            for lesions in found {
                for (class, lesion) in lesions {
                    library.class_mut(class).push(lesion);
                }
                if library.regular.len() > count && library.irregular.len() > count {
                    return Ok(library);
                }
            }
        }
        Err(Error::invalid(format!(
            "{MOST_SEEDS} noise images hold only {} regular and {} irregular lesions of {area} pixels, \
             {count} of each are wanted; ask for fewer or for an area nearer to 70",
            library.regular.len(),
            library.irregular.len(),
        )))
    }

    /// The first `count` lesions of each class, enlarged by `factor` (bilinear).
    pub fn enlarged(&self, count: usize, factor: f64) -> Self {
        let enlarge = |lesions: &[Lesion]| {
            lesions
                .iter()
                .take(count)
                .map(|lesion| lesion.enlarged(factor))
                .collect()
        };
        Self {
            regular: enlarge(&self.regular),
            irregular: enlarge(&self.irregular),
        }
    }

    /// The lesions of one class.
    pub fn class(&self, class: Class) -> &[Lesion] {
        match class {
            Class::Regular => &self.regular,
            Class::Irregular => &self.irregular,
        }
    }

    fn class_mut(&mut self, class: Class) -> &mut Vec<Lesion> {
        match class {
            Class::Regular => &mut self.regular,
            Class::Irregular => &mut self.irregular,
        }
    }
}

impl Lesion {
    fn enlarged(&self, factor: f64) -> Self {
        let (rows, columns) = self.patch.dim();
        // As skimage.transform.rescale; `round` there goes to the even neighbour of a half.
        let shape =
            [rows, columns].map(|n| ((n as f64 * factor).round_ties_even() as usize).max(1));
        Self {
            patch: resize(self.patch.view(), shape),
            compactness: self.compactness,
        }
    }
}

/// The published libraries: the first 30 lesions of 70 pixels of each class, enlarged twice.
/// Built on first use (about a second), then shared.
pub fn published() -> &'static Library {
    static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
        Library::search(30, 70)
            .expect("the first thousand noise images hold them; a test counts them")
            .enlarged(30, 2.0)
    });
    &LIBRARY
}

/// All lesions in the noise of one seed.
fn candidates(seed: u32, area: usize) -> Vec<(Class, Lesion)> {
    let noise = noise::uniform(seed, NOISE_SIZE, NOISE_SIZE);
    let blurred = gaussian(noise.view(), NOISE_SIGMA);
    let threshold = otsu::threshold(&blurred);
    let bright = blurred.mapv(|v| v > threshold);
    let opened = morphology::open(&morphology::erode(&bright));
    let eroded = morphology::erode(&opened);
    [opened, eroded]
        .iter()
        .flat_map(morphology::components)
        .filter(|component| component.len() == area)
        .filter_map(|component| lesion(&component))
        .collect()
}

/// Cuts a component out, softens its edge and keeps it if its shape and weight fit a class.
fn lesion(component: &[[usize; 2]]) -> Option<(Class, Lesion)> {
    let [top, left] = [0, 1].map(|k| component.iter().map(|p| p[k]).min().unwrap_or(0));
    let [bottom, right] = [0, 1].map(|k| component.iter().map(|p| p[k]).max().unwrap_or(0));
    let mut mask = Array2::from_elem((bottom - top + 1, right - left + 1), false);
    for &[r, c] in component {
        mask[(r - top, c - left)] = true;
    }
    let compactness = shape::compactness(component.len(), shape::perimeter(mask.view()));
    let class = Class::of(compactness)?;

    let (rows, columns) = mask.dim();
    let mut sharp = Array2::zeros((rows + 2 * MARGIN, columns + 2 * MARGIN));
    sharp
        .slice_mut(s![MARGIN..MARGIN + rows, MARGIN..MARGIN + columns])
        .assign(&mask.mapv(|set| f64::from(u8::from(set))));
    let mut patch = gaussian(sharp.view(), EDGE_SIGMA);
    patch.mapv_inplace(|v| if v < class.cut() { 0.0 } else { v });

    // What is kept has about the same weight, so that brightness does not tell the classes apart.
    let wanted = component.len() as f64 * (1.0 - 0.05 * EDGE_SIGMA);
    let weight = (patch.sum() * 100.0).round_ties_even() / 100.0;
    ((weight - wanted).abs() <= 1.0).then_some((class, Lesion { patch, compactness }))
}
