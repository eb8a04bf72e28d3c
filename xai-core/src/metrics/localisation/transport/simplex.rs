//! The network simplex (Ahuja, Magnanti and Orlin, Network Flows, 1993, chapter 11) on the graph in
//! which every source has an arc to every sink. Sinks are grouped in tiles. Each tile has a bound, so that most
//! sources need not look at most sinks ([`sinks`](super::sinks)).
//!
//! Masses are integers. Flows are therefore exact, and trees stay strongly feasible (every arc
//! without flow points to the root). This prevents the simplex from cycling.

use super::masses::{ANYWHERE, Flow, Mass, distance};
use super::sinks::shortest;
use super::tree::{NONE, Source, Tree};

/// A distance is shorter than another only if it is shorter by more than this.
const TOLERANCE: f64 = 1e-9;
/// The bounds of tiles only decrease between updates. After this many pivots they are recomputed.
const PIVOTS: usize = 64;

/// A tree on its way to the optimum.
pub(super) struct Simplex {
    tree: Tree,
    /// The number of the sink at each place.
    number: Vec<usize>,
    /// The next source to examine.
    turn: usize,
    /// Sources are examined in steps of this size, so that consecutive ones are far apart.
    step: usize,
}

/// Where the ways up from both ends of an arc meet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Top {
    Source(u32),
    Sink(u32),
}

impl Simplex {
    /// Starts from a forest of flows, all above 0.
    pub fn new(sources: &[Mass], sinks: &[Mass], forest: &[Flow]) -> Self {
        let (tree, places) = Tree::new(sources, sinks, forest);
        let mut number = vec![usize::MAX; tree.sinks.places()];
        for (sink, &place) in places.iter().enumerate() {
            number[place as usize] = sink;
        }
        Self {
            tree,
            number,
            turn: 0,
            step: step(sources.len()),
        }
    }

    /// The flows of minimal cost.
    pub fn optimal_flows(mut self) -> Vec<Flow> {
        for pivots in 0.. {
            if pivots % PIVOTS == 0 {
                self.tree.sinks.tighten();
            }
            let Some((source, sink)) = self.shorter() else {
                break;
            };
            self.pivot(source, sink);
        }
        let flow = |source: usize, place: u32, mass: i64| Flow {
            source,
            sink: self.number[place as usize],
            mass,
        };
        let sources = self.tree.sources.iter().enumerate();
        let up = sources.filter(|(_, source)| source.flow > 0);
        let up = up.map(|(number, source)| flow(number, source.up, source.flow));
        let places =
            (0..self.number.len() as u32).filter(|&place| self.tree.inflow[place as usize] > 0);
        let down = places.map(|place| {
            let source = self.tree.nodes[place as usize].up as usize;
            flow(source, place, self.tree.inflow[place as usize])
        });
        up.chain(down).collect()
    }

    /// An arc whose cost is below the difference of its potentials: the best arc of the first
    /// source that has one.
    fn shorter(&mut self) -> Option<(u32, u32)> {
        for _ in 0..self.tree.sources.len() {
            let number = self.turn;
            self.turn = (number + self.step) % self.tree.sources.len();
            let source = &self.tree.sources[number];
            let bound = self.tree.potential(source) - TOLERANCE;
            let found = match source.at {
                ANYWHERE => self.tree.sinks.lowest(bound),
                at => shortest(&self.tree.sinks, at, bound),
            };
            if let Some(sink) = found {
                return Some((number as u32, sink));
            }
        }
        None
    }

    /// Adds an arc to the tree, sends as much flow along it as its cycle can carry, and removes the
    /// arc that then has no flow.
    fn pivot(&mut self, source: u32, sink: u32) {
        let (top, from_source, from_sink) = self.cycle(source, sink);
        let mass = from_source.0.min(from_sink.0);
        self.send(mass, source, sink, top);
        let ends = &self.tree.sources[source as usize];
        let way = distance(ends.at, self.tree.sinks.at(sink));
        let gain = self.tree.potential(ends) - self.tree.sinks.potential(sink) - way;
        if from_sink.0 <= from_source.0 {
            self.tree.move_sink(source, sink, mass, from_sink.1, gain);
        } else {
            self.tree
                .move_source(source, sink, mass, from_source.1, -gain);
        }
    }

    /// Goes up from both ends of a new arc to where the ways meet. Arcs that point against the new one lose
    /// flow, and the first without flow is removed. Returns the top, and for each way the smallest such
    /// flow with the lower end of its arc.
    ///
    /// If several arcs have the smallest flow, the last one on the way around from the top is removed, which
    /// keeps the tree strongly feasible.
    fn cycle(&self, source: u32, sink: u32) -> (Top, (i64, u32), (i64, u32)) {
        let (mut a, mut b) = (source, sink);
        let (mut from_source, mut from_sink) = ((i64::MAX, NONE), (i64::MAX, NONE));
        loop {
            let Source { up, flow, .. } = self.tree.sources[a as usize];
            if self.tree.nodes[up as usize].depth >= self.tree.nodes[b as usize].depth {
                if flow < from_source.0 {
                    from_source = (flow, a);
                }
                if up == b {
                    return (Top::Sink(b), from_source, from_sink);
                }
                a = self.tree.nodes[up as usize].up;
            } else {
                let flow = self.tree.inflow[b as usize];
                if flow <= from_sink.0 {
                    from_sink = (flow, b);
                }
                let up = self.tree.nodes[b as usize].up;
                if up == a {
                    return (Top::Source(a), from_source, from_sink);
                }
                b = self.tree.sources[up as usize].up;
            }
        }
    }

    /// Sends flow around the cycle of a new arc, on the ways from its ends to the top.
    fn send(&mut self, mass: i64, source: u32, sink: u32, top: Top) {
        if mass == 0 {
            return;
        }
        let mut a = source;
        while top != Top::Source(a) {
            let source = &mut self.tree.sources[a as usize];
            source.flow -= mass;
            let up = source.up;
            if top == Top::Sink(up) {
                break;
            }
            self.tree.inflow[up as usize] += mass;
            a = self.tree.nodes[up as usize].up;
        }
        let mut b = sink;
        while top != Top::Sink(b) {
            self.tree.inflow[b as usize] -= mass;
            let up = self.tree.nodes[b as usize].up;
            if top == Top::Source(up) {
                break;
            }
            let source = &mut self.tree.sources[up as usize];
            source.flow += mass;
            b = source.up;
        }
    }
}

/// A step that visits all of `count` sources, close to the golden section of their number.
fn step(count: usize) -> usize {
    let divisor = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let golden = (count as f64 * 0.618) as usize;
    (golden.max(1)..)
        .find(|&step| divisor(step, count) == 1)
        .unwrap_or(1)
}
