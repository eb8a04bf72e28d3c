//! Flows of a problem that is almost one that was solved before.
//!
//! Several methods give an image the same map but for rounding: on a linear model, Integrated Gradients, DeepLIFT and Shapley
//! values are all weight times pixel. The arcs of one solution then solve the next problem as well.

use std::cell::RefCell;

use super::masses::{Flow, Mass};

/// How many solutions a thread remembers. Maps are scored in turn by several metrics, each with its own problem, and
/// between two maps that are almost equal come others.
const REMEMBERED: usize = 8;
/// They have at most so many masses together, or a single one is remembered. A mass takes about 50 bytes.
const MOST: usize = 1 << 17;
/// Arcs are tried if at most this share of the mass is elsewhere.
const NEAR: f64 = 1e-3;

thread_local! {
    /// The latest first.
    static SOLVED: RefCell<Vec<Solved>> = const { RefCell::new(Vec::new()) };
}

/// A problem, and the arcs of its solution.
struct Solved {
    sources: Vec<Mass>,
    sinks: Vec<Mass>,
    /// Each arc has an end that no later arc has.
    arcs: Vec<Arc>,
}

#[derive(Clone, Copy)]
struct Arc {
    source: usize,
    sink: usize,
    /// Whether no later arc has its source. Otherwise none has its sink.
    last_of_source: bool,
}

/// The optimal flows, if the arcs of the solution of almost the same problem can carry them.
///
/// The costs of arcs do not depend on masses. So arcs that are optimal for some masses are optimal for all that
/// they can carry without a flow below 0.
pub(super) fn known(sources: &[Mass], sinks: &[Mass]) -> Option<Vec<Flow>> {
    SOLVED.with_borrow_mut(|solved| {
        let near = |one: &Solved| is_near(&one.sources, sources) && is_near(&one.sinks, sinks);
        let found = solved.iter().position(near)?;
        solved[..=found].rotate_right(1);
        solved[0].flows(sources, sinks)
    })
}

/// Whether the masses are at the same places and almost equal.
fn is_near(one: &[Mass], other: &[Mass]) -> bool {
    let mut pairs = one.iter().zip(other);
    if one.len() != other.len() || !pairs.clone().all(|(a, b)| a.at == b.at) {
        return false;
    }
    let total: f64 = one.iter().map(|mass| mass.mass as f64).sum();
    let mut apart = 0.0;
    pairs.all(|(a, b)| {
        apart += (a.mass - b.mass).abs() as f64;
        apart <= NEAR * total
    })
}

/// Remembers the optimal flows of a problem, and forgets the oldest.
pub(super) fn remember(sources: &[Mass], sinks: &[Mass], flows: &[Flow]) {
    let one = Solved {
        sources: sources.to_vec(),
        sinks: sinks.to_vec(),
        arcs: in_order(flows, sources.len(), sinks.len()),
    };
    SOLVED.with_borrow_mut(|solved| {
        solved.insert(0, one);
        solved.truncate(REMEMBERED);
        let masses = |one: &Solved| one.sources.len() + one.sinks.len();
        while solved.len() > 1 && solved.iter().map(masses).sum::<usize>() > MOST {
            solved.pop();
        }
    });
}

impl Solved {
    fn flows(&self, sources: &[Mass], sinks: &[Mass]) -> Option<Vec<Flow>> {
        let mut supply: Vec<i64> = sources.iter().map(|source| source.mass).collect();
        let mut demand: Vec<i64> = sinks.iter().map(|sink| sink.mass).collect();
        let mut flows = Vec::with_capacity(self.arcs.len());
        for &Arc {
            source,
            sink,
            last_of_source,
        } in &self.arcs
        {
            let mass = if last_of_source {
                supply[source]
            } else {
                demand[sink]
            };
            supply[source] -= mass;
            demand[sink] -= mass;
            flows.push(Flow { source, sink, mass });
        }
        let done = supply.iter().chain(&demand).all(|&left| left == 0);
        (done && flows.iter().all(|flow| flow.mass >= 0)).then_some(flows)
    }
}

/// The arcs of flows, which form a forest, so that each has an end that no later one has.
fn in_order(flows: &[Flow], sources: usize, sinks: usize) -> Vec<Arc> {
    // Sources and sinks are nodes; sinks come after the sources.
    let ends = |flow: &Flow| [flow.source, sources + flow.sink];
    let mut arcs_of: Vec<Vec<usize>> = vec![Vec::new(); sources + sinks];
    for (arc, flow) in flows.iter().enumerate() {
        for end in ends(flow) {
            arcs_of[end].push(arc);
        }
    }
    let mut open: Vec<usize> = arcs_of.iter().map(Vec::len).collect();
    let mut leaves: Vec<usize> = (0..open.len()).filter(|&node| open[node] == 1).collect();
    let mut taken = vec![false; flows.len()];
    let mut arcs = Vec::with_capacity(flows.len());
    while let Some(leaf) = leaves.pop() {
        let Some(&arc) = arcs_of[leaf].iter().find(|&&arc| !taken[arc]) else {
            continue;
        };
        taken[arc] = true;
        let Flow { source, sink, .. } = flows[arc];
        arcs.push(Arc {
            source,
            sink,
            last_of_source: leaf < sources,
        });
        for end in ends(&flows[arc]) {
            open[end] -= 1;
            if open[end] == 1 {
                leaves.push(end);
            }
        }
    }
    arcs
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::super::cost;
    use super::*;
    use crate::random;

    /// Masses with a sum of 2^40 at the pixels of a rectangle, each changed by at most this share.
    fn masses(rows: std::ops::Range<i32>, change: f64, seed: u64) -> Vec<Mass> {
        let (mut base, mut noise) = (random::stream(0, "masses"), random::stream(seed, "noise"));
        let weights: Vec<f64> = (rows.clone().flat_map(|y| (0..20).map(move |x| (y, x))))
            .map(|_| base.random_range(0.1..1.0) * (1.0 + change * noise.random_range(-1.0..1.0)))
            .collect();
        let total: f64 = weights.iter().sum();
        let mut masses: Vec<Mass> = (rows.flat_map(|y| (0..20).map(move |x| (y, x))))
            .zip(&weights)
            .map(|((y, x), weight)| Mass {
                at: [f64::from(y), f64::from(x)],
                mass: (weight / total * (1_u64 << 40) as f64) as i64,
            })
            .collect();
        let sum: i64 = masses.iter().map(|mass| mass.mass).sum();
        masses[0].mass += (1 << 40) - sum;
        masses
    }

    /// A thread that remembers nothing gives the same bits.
    #[test]
    fn almost_known_masses_give_the_same_bits() {
        let mut known_again = 0;
        for change in [1e-7, 1e-5, 1e-3] {
            for seed in 0..4 {
                let (sources, sinks) = (masses(0..40, change, seed), masses(40..50, change, seed));
                let here = cost(&sources, &sinks);
                assert!(known(&sources, &sorted(&sinks)).is_some());
                let moved = masses(0..40, change, seed + 100);
                known_again += usize::from(known(&moved, &sorted(&sinks)).is_some());
                let anew = std::thread::spawn(move || cost(&sources, &sinks)).join();
                assert_eq!(here.to_bits(), anew.unwrap().to_bits(), "{change} {seed}");
            }
        }
        assert!((1..12).contains(&known_again), "{known_again} of 12");
    }

    fn sorted(sinks: &[Mass]) -> Vec<Mass> {
        let mut sinks = sinks.to_vec();
        sinks.sort_by_key(|sink| super::super::square(sink.at, super::super::TILE));
        sinks
    }
}
