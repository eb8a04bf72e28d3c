//! Sinks with their potentials, and the search for the one that is shortest to reach from a point.

#![expect(
    clippy::needless_range_loop,
    reason = "a lane is the index of several arrays at once"
)]

use std::ops::{Deref, DerefMut};

use super::masses::{Mass, square};
use crate::device::vectorised;

/// Sinks share a tile if they are in the same square of this side.
pub(super) const TILE: f64 = 8.0;

/// Sinks and tiles are compared in groups of this size, which fill one or more vectors.
const LANES: usize = 8;

/// A group of numbers, in one cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Lanes([f64; LANES]);

impl Deref for Lanes {
    type Target = [f64; LANES];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Lanes {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// Sinks, grouped in tiles. Each has a place. A tile begins at a multiple of [`LANES`]; places that no
/// sink has are at an infinite potential.
pub(super) struct Sinks {
    /// Rows and columns of each group of places.
    at: Vec<[Lanes; 2]>,
    potential: Vec<Lanes>,
    /// The tile of each group of places.
    tile: Vec<u32>,
    bounds: Vec<Bounds>,
    /// The first group of places of each tile, and the end of the last.
    first: Vec<u32>,
}

/// The bounds of a group of tiles.
struct Bounds {
    /// Of the rows and the columns.
    low: [Lanes; 2],
    high: [Lanes; 2],
    /// A lower bound of the potentials. Infinite for tiles that do not exist.
    least: Lanes,
}

impl Sinks {
    /// Sinks at potential 0, and their places. They must be in the order of tiles.
    pub fn new(sinks: &[Mass]) -> (Self, Vec<u32>) {
        let mut all = Self {
            at: Vec::new(),
            potential: Vec::new(),
            tile: Vec::new(),
            bounds: Vec::new(),
            first: vec![0],
        };
        let mut places = Vec::new();
        let together = |a: &Mass, b: &Mass| square(a.at, TILE) == square(b.at, TILE);
        for (number, tile) in sinks.chunk_by(together).enumerate() {
            let first = all.places();
            places.extend((first..first + tile.len()).map(|place| place as u32));
            for group in tile.chunks(LANES) {
                let of = |axis: usize| {
                    Lanes(std::array::from_fn(|lane| {
                        group.get(lane).map_or(0.0, |sink| sink.at[axis])
                    }))
                };
                all.at.push([of(0), of(1)]);
                let empty = |lane| group.get(lane).map_or(f64::INFINITY, |_| 0.0);
                all.potential.push(Lanes(std::array::from_fn(empty)));
                all.tile.push(number as u32);
            }
            all.first.push(all.at.len() as u32);
            let lane = number % LANES;
            if lane == 0 {
                all.bounds.push(Bounds {
                    low: [Lanes([0.0; LANES]); 2],
                    high: [Lanes([0.0; LANES]); 2],
                    least: Lanes([f64::INFINITY; LANES]),
                });
            }
            let bounds = &mut all.bounds[number / LANES];
            for axis in 0..2 {
                let along = tile.iter().map(|sink| sink.at[axis]);
                bounds.low[axis][lane] = along.clone().fold(f64::INFINITY, f64::min);
                bounds.high[axis][lane] = along.fold(f64::NEG_INFINITY, f64::max);
            }
        }
        (all, places)
    }

    /// The number of places.
    pub fn places(&self) -> usize {
        self.at.len() * LANES
    }

    #[inline]
    pub fn at(&self, place: u32) -> [f64; 2] {
        let (group, lane) = split(place);
        [self.at[group][0][lane], self.at[group][1][lane]]
    }

    #[inline]
    pub fn potential(&self, place: u32) -> f64 {
        let (group, lane) = split(place);
        self.potential[group][lane]
    }

    /// Adds to a potential.
    #[inline]
    pub fn shift(&mut self, place: u32, by: f64) {
        let (group, lane) = split(place);
        let potential = self.potential[group][lane] + by;
        self.potential[group][lane] = potential;
        if by < 0.0 {
            let (tiles, lane) = split(self.tile[group]);
            let least = &mut self.bounds[tiles].least[lane];
            *least = least.min(potential);
        }
    }

    /// Recomputes the tiles' bounds, which [`shift`](Self::shift) only lowers.
    pub fn tighten(&mut self) {
        for (tile, groups) in self.first.windows(2).enumerate() {
            let potentials = &self.potential[groups[0] as usize..groups[1] as usize];
            let mut least = [f64::INFINITY; LANES];
            for group in potentials {
                for (least, potential) in least.iter_mut().zip(group.iter()) {
                    *least = least.min(*potential);
                }
            }
            let (tiles, lane) = split(tile as u32);
            self.bounds[tiles].least[lane] = least.into_iter().fold(f64::INFINITY, f64::min);
        }
    }

    /// The sink with the smallest potential, if that is below `bound`.
    pub fn lowest(&self, bound: f64) -> Option<u32> {
        let potentials = self.potential.iter().flat_map(|group| group.0);
        let (place, least) = (0..).zip(potentials).min_by(|a, b| a.1.total_cmp(&b.1))?;
        (least < bound).then_some(place)
    }
}

/// The group and the lane of a place or of a tile.
#[inline(always)]
fn split(number: u32) -> (usize, usize) {
    (number as usize / LANES, number as usize % LANES)
}

vectorised! {
    /// The sink with the smallest distance plus potential, if that is below `bound`.
    pub(super) fn shortest(sinks: &Sinks, at: [f64; 2], bound: f64) -> Option<u32> {
        let (mut best, mut found) = (bound, None);
        for (number, bounds) in sinks.bounds.iter().enumerate() {
            let mut open = [false; LANES];
            for lane in 0..LANES {
                let outside = |axis: usize| {
                    let (low, high) = (bounds.low[axis][lane], bounds.high[axis][lane]);
                    (low - at[axis]).max(at[axis] - high).max(0.0)
                };
                let (dy, dx, room) = (outside(0), outside(1), best - bounds.least[lane]);
                open[lane] = (room > 0.0) & (dy * dy + dx * dx < room * room);
            }
            if open == [false; LANES] {
                continue;
            }
            for (lane, _) in open.iter().enumerate().filter(|(_, open)| **open) {
                let tile = number * LANES + lane;
                for group in sinks.first[tile] as usize..sinks.first[tile + 1] as usize {
                    let ([y, x], potential) = (&sinks.at[group], &sinks.potential[group]);
                    let closer = |best: f64, lane: usize| {
                        let (dy, dx) = (at[0] - y[lane], at[1] - x[lane]);
                        let (square, room) = (dy * dy + dx * dx, best - potential[lane]);
                        ((room > 0.0) & (square < room * room)).then_some(square)
                    };
                    // A loop without branches, which the compiler vectorises.
                    let mut any = false;
                    for lane in 0..LANES {
                        any |= closer(best, lane).is_some();
                    }
                    for lane in 0..if any { LANES } else { 0 } {
                        if let Some(square) = closer(best, lane) {
                            best = square.sqrt() + potential[lane];
                            found = Some((group * LANES + lane) as u32);
                        }
                    }
                }
            }
        }
        found
    }
}
