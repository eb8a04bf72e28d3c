//! Earth mover's distance: how far is the mass of the map from the ground truth?

use ndarray::{Array2, ArrayView2};
use rand::seq::index;

use crate::error::Result;
use crate::metrics::localisation::ranking::{size, top};
use crate::metrics::localisation::transport::{ANYWHERE, Mass, cost};
use crate::metrics::{Metric, check};
use crate::random;

/// The total mass of a map. Masses are integers, so that flows are exact. Rounding changes the mass of
/// a pixel by less than one part in 10^15 of the total.
const WHOLE: f64 = (1_u64 << 60) as f64;

/// One minus the earth mover's distance between the map and the ground truth, as a share of the longest
/// distance in the image (EXACT, Clark et al. 2024). |map| and the ground truth are each scaled to a sum
/// of 1. Moving mass costs the Euclidean distance between pixel centres. A map that is spread evenly over
/// exactly the ground truth scores 1.
///
/// The distance is exact and equal to POT's `ot.emd2`, but needs no matrix of costs. An image of 224 x
/// 224 pixels takes seconds. Values count by their magnitude, whatever their sign. A map of zeros has no
/// mass to move. It scores 0, the worst score. `None` for an empty ground truth.
///
/// Chance level: the score of a uniform map. It is an upper bound of the mean score of random maps,
/// because the noise in a random map has to be moved, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emd;

impl Metric for Emd {
    fn name(&self) -> &'static str {
        "emd"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        of_masses(map, truth, |found, wanted| {
            let net: Vec<i64> = found.iter().zip(wanted).map(|(a, b)| a - b).collect();
            1.0 - distance(&net, map.dim()) / WHOLE
        })
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        self.score(Array2::ones(truth.dim()).view(), truth).ok()?
    }

    fn adds_absolute_values(&self) -> bool {
        true
    }
}

/// A variant of [`Emd`] that does not penalise false negatives. Moving mass within the truth costs
/// nothing, so a map on any part of the truth scores 1 (Clark et al. 2025, "Correcting misinterpretations
/// of additive models", appendix D).
///
/// The cost is divided by the cost of the worst pixel: the largest cost of a map with all its mass
/// in one place. A map of zeros scores 0. An empty truth has no score (`None`). If all pixels are
/// truth, the score is 1.
///
/// Chance level: the score of a uniform map, as in [`Emd`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmdFalseNegativeInvariant;

impl EmdFalseNegativeInvariant {
    /// The cost of moving all mass of the worst pixel to the truth, in pixels.
    pub fn scale(truth: ArrayView2<bool>) -> f64 {
        let inside: Vec<_> = truth
            .indexed_iter()
            .filter(|(_, inside)| **inside)
            .map(|(at, _)| at)
            .collect();
        let way = |(y, x): (usize, usize)| {
            let ways = inside
                .iter()
                .map(|&(ty, tx)| (y as f64 - ty as f64).hypot(x as f64 - tx as f64));
            ways.sum::<f64>() / inside.len() as f64
        };
        // The cost is a convex function of the place, so the worst pixel of a row is its first or its last.
        let ends = truth.outer_iter().enumerate().flat_map(|(y, row)| {
            let outside = |x: &usize| !row[*x];
            let first = (0..row.len()).find(outside);
            let last = (0..row.len()).rfind(outside);
            first.into_iter().chain(last).map(move |x| (y, x))
        });
        ends.map(way).fold(0.0, f64::max)
    }
}

impl Metric for EmdFalseNegativeInvariant {
    fn name(&self) -> &'static str {
        "emd_false_negative_invariant"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        of_masses(map, truth, |found, wanted| {
            let (mut sources, mut sinks) = (Vec::new(), Vec::new());
            let mut free = Mass {
                at: ANYWHERE,
                mass: 0,
            };
            for (((y, x), &inside), (&found, &wanted)) in
                truth.indexed_iter().zip(found.iter().zip(wanted))
            {
                let at = [y as f64, x as f64];
                if inside {
                    free.mass += found;
                } else if found > 0 {
                    sources.push(Mass { at, mass: found });
                }
                if wanted > 0 {
                    sinks.push(Mass { at, mass: wanted });
                }
            }
            if sources.is_empty() {
                return 1.0;
            }
            if free.mass > 0 {
                sources.push(free);
            }
            1.0 - cost(&sources, &sinks) / WHOLE / Self::scale(truth)
        })
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        self.score(Array2::ones(truth.dim()).view(), truth).ok()?
    }

    fn adds_absolute_values(&self) -> bool {
        true
    }
}

/// As [`Emd`], between the set of the k highest-valued pixels and the ground truth, where k is the number
/// of pixels in the ground truth. This is the distance that the paper's code computes. A map whose top
/// pixels are the ground truth scores 1.
///
/// Ties are broken as in [`Precision`](super::Precision), so the score of a map of zeros is that of its
/// first k pixels. `None` for an empty ground truth.
///
/// Chance level: there is no closed form. It is estimated as the mean over [`EmdTopK::DRAWS`] random sets
/// of k pixels, drawn from the stream `score/emd_top_k/chance` of seed 0. Its standard error is a quarter
/// of the standard deviation of one set's score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmdTopK;

impl EmdTopK {
    /// The number of random sets over which the chance level is averaged.
    pub const DRAWS: usize = 16;
}

impl Metric for EmdTopK {
    fn name(&self) -> &'static str {
        "emd_top_k"
    }

    fn score(&self, map: ArrayView2<f32>, truth: ArrayView2<bool>) -> Result<Option<f64>> {
        check(&map, &truth)?;
        let k = size(&truth);
        Ok((k > 0).then(|| of_sets(&top(map, k), truth)))
    }

    fn chance(&self, truth: ArrayView2<bool>) -> Option<f64> {
        let k = size(&truth);
        let mut random = random::stream(0, "score/emd_top_k/chance");
        let mut draw = || {
            let mut set = vec![false; truth.len()];
            for pixel in index::sample(&mut random, truth.len(), k) {
                set[pixel] = true;
            }
            of_sets(&set, truth)
        };
        (k > 0).then(|| (0..Self::DRAWS).map(|_| draw()).sum::<f64>() / Self::DRAWS as f64)
    }
}

/// The score of a set of pixels that is as large as the ground truth.
fn of_sets(found: &[bool], truth: ArrayView2<bool>) -> f64 {
    let net = found.iter().zip(&truth);
    let net: Vec<i64> = net.map(|(&a, &b)| i64::from(a) - i64::from(b)).collect();
    1.0 - distance(&net, truth.dim()) / size(&truth) as f64
}

/// The minimal cost (mass times distance) of moving the surplus (> 0) to where mass is missing (< 0), as a
/// share of the longest distance.
///
/// Mass that map and ground truth have in common is already subtracted. It can stay in place because
/// distances obey the triangle inequality.
fn distance(net: &[i64], (height, width): (usize, usize)) -> f64 {
    let (mut surplus, mut lack) = (Vec::new(), Vec::new());
    for (place, &mass) in net.iter().enumerate() {
        let at = [(place / width) as f64, (place % width) as f64];
        if mass != 0 {
            let side = if mass > 0 { &mut surplus } else { &mut lack };
            side.push(Mass {
                at,
                mass: mass.abs(),
            });
        }
    }
    let longest = (height as f64 - 1.0).hypot(width as f64 - 1.0);
    // In an image of a single pixel, there is no distance.
    cost(&surplus, &lack) / longest.max(1.0)
}

/// A score from the masses of map and truth, which is defined if both have any: `None` if the truth is empty,
/// 0 if the map is 0 everywhere.
fn of_masses(
    map: ArrayView2<f32>,
    truth: ArrayView2<bool>,
    score: impl FnOnce(&[i64], &[i64]) -> f64,
) -> Result<Option<f64>> {
    check(&map, &truth)?;
    if size(&truth) == 0 {
        return Ok(None);
    }
    if map.iter().all(|&value| value == 0.0) {
        return Ok(Some(0.0));
    }
    let (found, wanted) = both(map, truth);
    Ok(Some(score(&found, &wanted)))
}

/// The masses of |map| and of the ground truth, each with the sum [`WHOLE`].
fn both(map: ArrayView2<f32>, truth: ArrayView2<bool>) -> (Vec<i64>, Vec<i64>) {
    let found = map.iter().map(|value| f64::from(value.abs()));
    let wanted = truth.iter().map(|&inside| f64::from(u8::from(inside)));
    (masses(found.collect()), masses(wanted.collect()))
}

/// Weights as integers that sum to exactly [`WHOLE`].
fn masses(weights: Vec<f64>) -> Vec<i64> {
    let total: f64 = weights.iter().sum();
    let mut masses: Vec<i64> = weights
        .iter()
        .map(|weight| (weight / total * WHOLE) as i64)
        .collect();
    let rest = WHOLE as i64 - masses.iter().sum::<i64>();
    if let Some(largest) = masses.iter_mut().max() {
        *largest += rest;
    }
    masses
}
