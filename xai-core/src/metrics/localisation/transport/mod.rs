//! The cheapest way to move masses in the plane, at the cost of their Euclidean ways: exact optimal transport.
//!
//! A network simplex ([`simplex`]) that computes costs from coordinates where it needs them, so that memory
//! grows with the points and not with the pairs of points. It starts from the solution of a coarser problem, in
//! which sources close to each other are one: that makes it three times as quick.

mod masses;
mod simplex;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

pub(super) use masses::Mass;
use masses::{Flow, distance, square};
use simplex::{TILE, Tree};

/// The least sum of mass times way that takes all masses from `sources` to `sinks`, whose masses must have the
/// same sum.
pub(crate) fn cost(sources: &[Mass], sinks: &[Mass]) -> f64 {
    // Time depends on the number of sinks more than on that of sources; back is as far as forth.
    let few = sources.len().min(sinks.len());
    let (sources, sinks) = match few == sinks.len() {
        true => (sources, sinks),
        false => (sinks, sources),
    };
    let mut sinks = sinks.to_vec();
    sinks.sort_by_key(|sink| square(sink.at, TILE));
    let way =
        |flow: Flow| flow.mass as f64 * distance(sources[flow.source].at, sinks[flow.sink].at);
    flows(sources, &sinks, 2.0).into_iter().map(way).sum()
}

/// The best flows, by way of those for sources that are merged within squares of this side.
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

/// The mass of all these sources in their centre of gravity.
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

/// Flows that take, again and again, the shortest way that is left. The arcs used form a forest.
fn greedy(sources: &[Mass], sinks: &[Mass]) -> Vec<Flow> {
    let mut supply: Vec<i64> = sources.iter().map(|source| source.mass).collect();
    let mut demand: Vec<i64> = sinks.iter().map(|sink| sink.mass).collect();
    let mut open: Vec<usize> = (0..sinks.len()).collect();
    let nearest = |source: usize, open: &[usize]| {
        let way = |&sink: &usize| distance(sources[source].at, sinks[sink].at);
        // The bits of numbers that are not negative are in the numbers' order.
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
