//! The cheapest way to move masses in the plane at Euclidean cost: exact optimal transport.
//!
//! A network simplex ([`simplex`]) computes costs from coordinates when it needs them. Memory
//! therefore grows with the number of points, not with the number of pairs. The simplex starts from
//! the solution of a coarser problem, in which nearby masses are merged, unless almost the same problem was solved before
//! ([`again`]).

mod again;
mod masses;
mod simplex;
mod sinks;
mod tree;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

pub(super) use masses::{ANYWHERE, Mass};
use masses::{Flow, distance, square, squared_distance};
use simplex::Simplex;
use sinks::TILE;

/// The minimal sum of mass times distance that moves all masses from `sources` to `sinks`. Their
/// total masses must be equal, and all rows and columns must be integers.
///
/// Problems often have several solutions. All give the same bits.
pub(crate) fn cost(sources: &[Mass], sinks: &[Mass]) -> f64 {
    // Time depends more on the number of sinks than on that of sources, and the problem is
    // symmetric.
    let few = sources.len().min(sinks.len());
    let nowhere = sources.iter().any(|source| source.at == ANYWHERE);
    let (sources, sinks) = if nowhere || few == sinks.len() {
        (sources, sinks)
    } else {
        (sinks, sources)
    };
    let mut sinks = sinks.to_vec();
    sinks.sort_by_key(|sink| square(sink.at, TILE));
    let flows = again::known(sources, &sinks).unwrap_or_else(|| {
        let flows = flows(sources, &sinks, 2.0);
        again::remember(sources, &sinks, &flows);
        flows
    });
    let mut masses: BTreeMap<u64, i128> = BTreeMap::new();
    for Flow { source, sink, mass } in flows {
        let of_square = squared_distance(sources[source].at, sinks[sink].at);
        *masses.entry(of_square).or_default() += i128::from(mass);
    }
    total(masses)
}

/// The sum of masses times the square roots of their numbers.
///
/// The number 12 counts as twice its mass at the number 3. Square roots of numbers without a square factor are linearly
/// independent over the integers, so equal sums have equal masses at each such number.
fn total(masses: BTreeMap<u64, i128>) -> f64 {
    let mut of_roots: BTreeMap<u64, i128> = BTreeMap::new();
    for (number, mass) in masses {
        let divides = |root: &u64| number.is_multiple_of(root * root);
        let root = (1..=number.isqrt()).rfind(divides).unwrap_or(1);
        *of_roots.entry(number / (root * root)).or_default() += mass * i128::from(root);
    }
    let terms = of_roots.into_iter();
    terms
        .map(|(number, mass)| mass as f64 * (number as f64).sqrt())
        .sum()
}

/// Problems with fewer sources are not made coarser.
const FEW: usize = 32;

/// The optimal flows. They start from those of a coarser problem, in which masses are merged within squares of this
/// side. Its sinks are split first, and then its sources.
fn flows(sources: &[Mass], sinks: &[Mass], side: f64) -> Vec<Flow> {
    if sources.len() <= FEW {
        return Simplex::new(sources, sinks, &greedy(sources, sinks)).optimal_flows();
    }
    let (of_sources, merged_sources) = merged(sources, side);
    let (of_sinks, merged_sinks) = merged(sinks, side);
    let coarse = flows(&merged_sources, &merged_sinks, 2.0 * side);
    let start = split(&turned(coarse), &of_sinks, sinks, &merged_sources);
    let half = Simplex::new(&merged_sources, sinks, &turned(start)).optimal_flows();
    let start = split(&half, &of_sources, sources, sinks);
    Simplex::new(sources, sinks, &start).optimal_flows()
}

/// The masses of each square of this side as one, with the indices of its members. They are in the
/// order of tiles, as the simplex requires of sinks.
fn merged(masses: &[Mass], side: f64) -> (Vec<Vec<usize>>, Vec<Mass>) {
    let mut squares: BTreeMap<[i64; 2], Vec<usize>> = BTreeMap::new();
    for (index, one) in masses.iter().enumerate() {
        squares.entry(square(one.at, side)).or_default().push(index);
    }
    let together = squares.into_values();
    let mut all: Vec<(Vec<usize>, Mass)> = together
        .map(|members| {
            let one = merge(masses, &members);
            (members, one)
        })
        .collect();
    all.sort_by_key(|(_, one)| square(one.at, TILE));
    all.into_iter().unzip()
}

/// Flows of the `parts` of merged sources, from the flows of these sources. The arcs remain a forest.
fn split(flows: &[Flow], members: &[Vec<usize>], parts: &[Mass], sinks: &[Mass]) -> Vec<Flow> {
    let mut shares: Vec<Vec<Flow>> = vec![Vec::new(); members.len()];
    for &flow in flows {
        shares[flow.source].push(flow);
    }
    let mut split = Vec::new();
    for (members, shares) in members.iter().zip(&shares) {
        let from: Vec<Mass> = members.iter().map(|&index| parts[index]).collect();
        let part = |share: &Flow| Mass {
            mass: share.mass,
            ..sinks[share.sink]
        };
        let to: Vec<Mass> = shares.iter().map(part).collect();
        split.extend(greedy(&from, &to).into_iter().map(|flow| Flow {
            source: members[flow.source],
            sink: shares[flow.sink].sink,
            mass: flow.mass,
        }));
    }
    split
}

/// The flows in the opposite direction.
fn turned(flows: Vec<Flow>) -> Vec<Flow> {
    let turn = |flow: Flow| Flow {
        source: flow.sink,
        sink: flow.source,
        mass: flow.mass,
    };
    flows.into_iter().map(turn).collect()
}

/// The total mass of these members at their centre of mass.
fn merge(sources: &[Mass], members: &[usize]) -> Mass {
    let mass: i64 = members.iter().map(|&index| sources[index].mass).sum();
    let centre = |axis: usize| {
        let moment = |&index: &usize| sources[index].at[axis] * sources[index].mass as f64;
        members.iter().map(moment).sum::<f64>() / mass as f64
    };
    Mass {
        at: [centre(0), centre(1)],
        mass,
    }
}

/// Flows that repeatedly take the shortest remaining arc. The arcs used form a forest.
fn greedy(sources: &[Mass], sinks: &[Mass]) -> Vec<Flow> {
    let mut supply: Vec<i64> = sources.iter().map(|source| source.mass).collect();
    let mut demand: Vec<i64> = sinks.iter().map(|sink| sink.mass).collect();
    let mut open: Vec<usize> = (0..sinks.len()).collect();
    let nearest = |source: usize, open: &[usize]| {
        // What may go anywhere fills what the others leave.
        let way = |&sink: &usize| match [sources[source].at, sinks[sink].at] {
            [ANYWHERE, _] | [_, ANYWHERE] => f64::INFINITY,
            [from, to] => distance(from, to),
        };
        // The bits of non-negative numbers are in the order of the numbers.
        let near = open
            .iter()
            .map(|sink| (way(sink).to_bits(), source, *sink))
            .min();
        near.map(Reverse)
    };
    let mut queue: BinaryHeap<_> = (0..sources.len())
        .filter_map(|source| nearest(source, &open))
        .collect();
    let mut flows = Vec::new();
    while let Some(Reverse((_, source, sink))) = queue.pop() {
        let mass = supply[source].min(demand[sink]);
        if mass > 0 {
            supply[source] -= mass;
            demand[sink] -= mass;
            flows.push(Flow { source, sink, mass });
            if demand[sink] == 0 {
                open.retain(|&other| other != sink);
            }
        }
        if supply[source] > 0 {
            queue.extend(nearest(source, &open));
        }
    }
    flows
}
