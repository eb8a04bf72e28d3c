//! The cheapest way to move masses in the plane at Euclidean cost: exact optimal transport.
//!
//! A network simplex ([`simplex`]) computes costs from coordinates when it needs them. Memory
//! therefore grows with the number of points, not with the number of pairs. The simplex starts from
//! the solution of a coarser problem, in which nearby sources are merged. This makes it three times
//! as fast.

mod masses;
mod simplex;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

pub(super) use masses::{ANYWHERE, Mass};
use masses::{Flow, distance, square};
use simplex::{TILE, Tree};

/// The minimal sum of mass times distance that moves all masses from `sources` to `sinks`. Their
/// total masses must be equal.
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
    let way =
        |flow: Flow| flow.mass as f64 * distance(sources[flow.source].at, sinks[flow.sink].at);
    flows(sources, &sinks, 2.0).into_iter().map(way).sum()
}

/// The optimal flows, starting from those for sources merged within squares of this side.
fn flows(sources: &[Mass], sinks: &[Mass], side: f64) -> Vec<Flow> {
    if sources.len() <= sinks.len().max(32) {
        return Tree::new(sources, sinks, &greedy(sources, sinks)).optimal_flows();
    }
    let mut squares: BTreeMap<[i64; 2], Vec<usize>> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        squares
            .entry(square(source.at, side))
            .or_default()
            .push(index);
    }
    let members: Vec<Vec<usize>> = squares.into_values().collect();
    let merged: Vec<Mass> = members.iter().map(|one| merge(sources, one)).collect();
    let mut shares: Vec<Vec<Flow>> = vec![Vec::new(); merged.len()];
    for flow in flows(&merged, sinks, 2.0 * side) {
        shares[flow.source].push(flow);
    }
    let mut start = Vec::new();
    for (members, shares) in members.iter().zip(&shares) {
        let from: Vec<Mass> = members.iter().map(|&index| sources[index]).collect();
        let part = |share: &Flow| Mass {
            mass: share.mass,
            ..sinks[share.sink]
        };
        let to: Vec<Mass> = shares.iter().map(part).collect();
        start.extend(greedy(&from, &to).into_iter().map(|flow| Flow {
            source: members[flow.source],
            sink: shares[flow.sink].sink,
            mass: flow.mass,
        }));
    }
    Tree::new(sources, sinks, &start).optimal_flows()
}

/// The total mass of these sources at their centre of mass.
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
        let way = |&sink: &usize| distance(sources[source].at, sinks[sink].at);
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
