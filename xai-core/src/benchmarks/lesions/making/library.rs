//! The lesions: found in blurred noise, and selected by area, shape and weight.

use std::sync::LazyLock;

use ndarray::{Array2, s};
use serde::Serialize;

use super::compactness::{compactness, perimeter};
use super::{morphology, noise, otsu};
use crate::error::{Error, Result};
use crate::image::{gaussian, resize};
use crate::process::cores;

/// The side of the noise image.
const NOISE_SIZE: usize = 256;
/// Blur of the noise. It determines the size and smoothness of the blobs.
const NOISE_SIGMA: f64 = 2.0;
/// Margin of a patch around its lesion, and blur of the lesion's edge.
const MARGIN: usize = 2;
const EDGE_SIGMA: f64 = 0.75;
/// Number of seeds that one thread searches at a time.
const BATCH: u32 = 16;
/// The search gives up after this many seeds per requested lesion. 70 pixels need about 18.
const MOST_SEEDS: u32 = 500;

/// The class of a lesion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Round. Class 0.
    Regular,
    /// Ragged. Class 1.
    Irregular,
}

impl Class {
    /// Values of a patch below this are set to 0.
    fn cut(self) -> f64 {
        match self {
            Self::Regular => 0.2,
            Self::Irregular => 0.15,
        }
    }
}

/// The lesions of a library.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recipe {
    /// The number of lesions of each class.
    pub count: usize,
    /// The number of pixels of a lesion as found. Areas of about 50 to 100 are found quickly.
    pub area: usize,
    /// A lesion is regular if its compactness is above this; see
    /// [`compactness`].
    pub regular_above: f64,
    /// A lesion is irregular if its compactness is below this.
    pub irregular_below: f64,
    /// The factor by which found lesions are enlarged along each side (bilinear).
    pub factor: f64,
}

impl Recipe {
    /// The published libraries: 30 lesions of each class, 70 pixels, compactness above 0.8 or below
    /// 0.4, enlarged by 2.
    pub fn published() -> Self {
        Self {
            count: 30,
            area: 70,
            regular_above: 0.8,
            irregular_below: 0.4,
            factor: 2.0,
        }
    }

    /// The class of a compactness. Between the two thresholds, there is none.
    pub fn class(&self, compactness: f64) -> Option<Class> {
        if compactness > self.regular_above {
            Some(Class::Regular)
        } else if compactness < self.irregular_below {
            Some(Class::Irregular)
        } else {
            None
        }
    }

    fn check(&self) -> Result<()> {
        let thresholds = self.irregular_below <= self.regular_above;
        let factor = self.factor > 0.0 && self.factor.is_finite();
        if self.count > 0 && self.area > 0 && thresholds && factor {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "no lesions can be made by {self:?}: count, area and factor must be above 0, and \
             irregular_below must not exceed regular_above"
        )))
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
    /// The lesions of a recipe: `count` of each class, enlarged.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub fn make(recipe: &Recipe) -> Result<Self> {
        Ok(Self::search(recipe)?.enlarged(recipe.count, recipe.factor))
    }

    /// Searches the noise of the seeds 0, 1, 2, … until both classes hold more lesions than the
    /// recipe requests, and returns all lesions found, in their original size.
    ///
    /// For 50 lesions of 70 pixels, this takes the seeds 0 to 886 and finds 51 regular and 207
    /// irregular ones.
    ///
    /// # Errors
    /// If the recipe makes no sense, or its lesions are too rare to be found.
    pub fn search(recipe: &Recipe) -> Result<Self> {
        recipe.check()?;
        let Recipe { count, area, .. } = *recipe;
        let mut library = Self::default();
        let most = u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
        let seeds = MOST_SEEDS.saturating_mul(most);
        let threads = cores() as u32;
        for start in (0..seeds).step_by((BATCH * threads) as usize) {
            let found = search_batches(start, threads, recipe);
            // The search must end at a seed, not at a batch.
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
            "{seeds} noise images contain only {} regular and {} irregular lesions of {area} pixels, but \
             more than {count} of each are needed; request fewer, an area closer to 70, or \
             thresholds of compactness that are closer to each other",
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
        // As `skimage.transform.rescale`. Its `round` rounds halves to the even neighbour.
        let shape =
            [rows, columns].map(|n| ((n as f64 * factor).round_ties_even() as usize).max(1));
        Self {
            patch: resize(self.patch.view(), shape),
            compactness: self.compactness,
        }
    }
}

/// The lesions of [`Recipe::published`]. Built on first use (about a second), then shared.
pub fn published() -> &'static Library {
    static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
        Library::make(&Recipe::published())
            .expect("the first thousand noise images hold them; a test counts them")
    });
    &LIBRARY
}

/// The lesions of `threads` batches of seeds from `start` on, one list per seed, in the order of
/// the seeds.
///
/// This uses its own threads, not rayon's. [`published`] may first be called inside a rayon task. A
/// waiting rayon thread takes other tasks, which would then wait forever for this library.
fn search_batches(start: u32, threads: u32, recipe: &Recipe) -> Vec<Vec<(Class, Lesion)>> {
    let batch = |k: u32| {
        let first = start + k * BATCH;
        (first..first + BATCH)
            .map(|seed| candidates(seed, recipe))
            .collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|k| scope.spawn(move || batch(k)))
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("the search has no panics"))
            .collect()
    })
}

/// The steps from noise to lesions. All images are 256 x 256.
pub struct Steps {
    /// Uniform noise.
    pub noise: Array2<f64>,
    /// The noise, blurred.
    pub blurred: Array2<f64>,
    /// The pixels above Otsu's threshold.
    pub bright: Array2<bool>,
    /// The bright pixels, eroded and opened. The components are candidates.
    pub opened: Array2<bool>,
    /// The opened pixels, eroded once more. The components are also candidates.
    pub eroded: Array2<bool>,
}

impl Steps {
    /// The steps of a seed.
    pub fn of(seed: u32) -> Self {
        let noise = noise::uniform(seed, NOISE_SIZE, NOISE_SIZE);
        let blurred = gaussian(noise.view(), NOISE_SIGMA);
        let threshold = otsu::threshold(&blurred);
        let bright = blurred.mapv(|v| v > threshold);
        let opened = morphology::open(&morphology::erode(&bright));
        let eroded = morphology::erode(&opened);
        Self {
            noise,
            blurred,
            bright,
            opened,
            eroded,
        }
    }
}

/// All lesions in the noise of one seed.
fn candidates(seed: u32, recipe: &Recipe) -> Vec<(Class, Lesion)> {
    let Steps { opened, eroded, .. } = Steps::of(seed);
    [opened, eroded]
        .iter()
        .flat_map(|mask| morphology::components_of(mask, |area| area == recipe.area))
        .filter_map(|component| lesion(&component, recipe))
        .collect()
}

/// Cuts out a component, softens its edge, and returns it if its shape and weight fit a class.
fn lesion(component: &[[usize; 2]], recipe: &Recipe) -> Option<(Class, Lesion)> {
    let [top, left] = [0, 1].map(|k| component.iter().map(|p| p[k]).min().unwrap_or(0));
    let [bottom, right] = [0, 1].map(|k| component.iter().map(|p| p[k]).max().unwrap_or(0));
    let mut mask = Array2::from_elem((bottom - top + 1, right - left + 1), false);
    for &[r, c] in component {
        mask[(r - top, c - left)] = true;
    }
    let compactness = compactness(component.len(), perimeter(mask.view()));
    let class = recipe.class(compactness)?;

    let (rows, columns) = mask.dim();
    let mut sharp = Array2::zeros((rows + 2 * MARGIN, columns + 2 * MARGIN));
    sharp
        .slice_mut(s![MARGIN..MARGIN + rows, MARGIN..MARGIN + columns])
        .assign(&mask.mapv(|set| f64::from(u8::from(set))));
    let mut patch = gaussian(sharp.view(), EDGE_SIGMA);
    patch.mapv_inplace(|v| if v < class.cut() { 0.0 } else { v });

    // All selected lesions have about the same weight, so that brightness does not distinguish the
    // classes.
    let wanted = component.len() as f64 * (1.0 - 0.05 * EDGE_SIGMA);
    let weight = (patch.sum() * 100.0).round_ties_even() / 100.0;
    ((weight - wanted).abs() <= 1.0).then_some((class, Lesion { patch, compactness }))
}
