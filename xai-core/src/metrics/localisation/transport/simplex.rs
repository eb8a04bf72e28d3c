//! The network simplex (Ahuja, Magnanti and Orlin, Network Flows, 1993, chapter 11) on the graph in
//! which every source has an arc to every sink. Two things make it fast:
//!
//! - Sinks are grouped in tiles. Each tile has a bound, so that most sources need not look at most
//!   sinks.
//! - A source that sends everything to one sink is a leaf of the tree, whose potential is not
//!   stored.
//!
//! Masses are integers. Flows are therefore exact, and trees stay strongly feasible (every arc
//! without flow points to the root). This prevents the simplex from cycling.

use std::ops::Range;

use super::masses::{ANYWHERE, Flow, Mass, distance, square};

/// Sinks share a tile if they are in the same square of this side.
pub(crate) const TILE: f64 = 8.0;
/// A distance is shorter than another only if it is shorter by more than this.
const TOLERANCE: f64 = 1e-9;
const NONE: usize = usize::MAX;

/// A spanning tree of the sources, the sinks (after the sources) and a root (the last node). The
/// root represents nothing: arcs to it never carry flow.
///
/// An arc between a node and its parent is stored with the node. It points up if the node is a
/// source and down if it is a sink, because all flow goes from sources to sinks.
pub(crate) struct Tree {
    sources: usize,
    root: usize,
    at: Vec<[f64; 2]>,
    tiles: Vec<Tile>,
    /// The tile of each sink.
    tile_of: Vec<usize>,
    parent: Vec<usize>,
    /// The flow on the arc to the parent.
    flow: Vec<i64>,
    /// The number of arcs to the root. Out of date in leaves, like the potential.
    depth: Vec<usize>,
    /// A number per node such that source minus sink is the cost of every arc of the tree. The tree
    /// is optimal if this difference is at most the cost of every other arc.
    potential: Vec<f64>,
    /// The first child. Leaves are not among the children.
    child: Vec<usize>,
    /// The neighbours in the list of the parent's children.
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Nodes of a subtree that wait for their update. Empty between updates.
    pending: Vec<usize>,
    /// The next source to examine.
    turn: usize,
    /// Sources are examined in steps of this size, so that consecutive ones are far apart.
    step: usize,
}

/// Nearby sinks, and the bounds of their coordinates.
struct Tile {
    sinks: Range<usize>,
    low: [f64; 2],
    high: [f64; 2],
    /// A lower bound of the potentials of its sinks.
    least: f64,
}

/// The tiles' bounds only decrease between updates. After this many pivots they are recomputed.
const PIVOTS: usize = 64;

impl Tree {
    /// A tree that contains a forest of flows, all above 0.
    pub fn new(sources: &[Mass], sinks: &[Mass], forest: &[Flow]) -> Self {
        let root = sources.len() + sinks.len();
        let mut tree = Self {
            sources: sources.len(),
            root,
            at: sources.iter().chain(sinks).map(|mass| mass.at).collect(),
            tile_of: Vec::new(),
            tiles: tiles(sources.len(), sinks),
            parent: vec![NONE; root + 1],
            flow: vec![0; root + 1],
            depth: vec![0; root + 1],
            potential: vec![0.0; root + 1],
            child: vec![NONE; root + 1],
            next: vec![NONE; root + 1],
            previous: vec![NONE; root + 1],
            pending: Vec::new(),
            turn: 0,
            step: step(sources.len()),
        };
        for (number, tile) in tree.tiles.iter().enumerate() {
            tree.tile_of.extend(tile.sinks.clone().map(|_| number));
        }
        let mut arcs = vec![Vec::new(); root];
        for flow in forest {
            let sink = sources.len() + flow.sink;
            arcs[flow.source].push((sink, flow.mass));
            arcs[sink].push((flow.source, flow.mass));
        }
        // Each part of the forest is attached through a source, whose arc without flow points to
        // the root.
        for top in 0..sources.len() {
            if tree.parent[top] != NONE {
                continue;
            }
            tree.attach(top, root, 0);
            let mut reached = vec![top];
            while let Some(node) = reached.pop() {
                for &(other, mass) in &arcs[node] {
                    if tree.parent[other] == NONE {
                        tree.attach(other, node, mass);
                        reached.push(other);
                    }
                }
            }
            tree.refresh(top);
        }
        tree
    }

    /// The flows of minimal cost.
    pub fn optimal_flows(mut self) -> Vec<Flow> {
        for pivots in 0.. {
            if pivots % PIVOTS == 0 {
                self.tighten();
            }
            let Some((source, sink)) = self.shorter() else {
                break;
            };
            self.pivot(source, sink);
        }
        let flow = |node: usize| {
            let (a, b) = (node, self.parent[node]);
            let (source, sink) = (a.min(b), a.max(b) - self.sources);
            Flow {
                source,
                sink,
                mass: self.flow[node],
            }
        };
        (0..self.root)
            .filter(|&node| self.flow[node] > 0)
            .map(flow)
            .collect()
    }

    /// An arc whose cost is below the difference of its potentials: the best arc of the first
    /// source that has one.
    fn shorter(&mut self) -> Option<(usize, usize)> {
        for _ in 0..self.sources {
            let source = self.turn;
            self.turn = (self.turn + self.step) % self.sources;
            if let Some(sink) = self.shortest_from(source) {
                return Some((source, sink));
            }
        }
        None
    }

    /// The sink with the smallest cost plus potential, if that is below the source's potential.
    fn shortest_from(&self, source: usize) -> Option<usize> {
        let at = self.at[source];
        let mut best = self.potential_of(source) - TOLERANCE;
        let mut found = None;
        if at == ANYWHERE {
            let sinks = self.sources..self.root;
            let least = sinks.min_by(|&a, &b| self.potential[a].total_cmp(&self.potential[b]))?;
            return (self.potential[least] < best).then_some(least);
        }
        for tile in &self.tiles {
            let outside = |axis: usize| {
                let (low, high) = (tile.low[axis] - at[axis], at[axis] - tile.high[axis]);
                low.max(high).max(0.0)
            };
            let (dy, dx, room) = (outside(0), outside(1), best - tile.least);
            if room <= 0.0 || dy * dy + dx * dx >= room * room {
                continue;
            }
            for sink in tile.sinks.clone() {
                let (dy, dx) = (at[0] - self.at[sink][0], at[1] - self.at[sink][1]);
                let (square, room) = (dy * dy + dx * dx, best - self.potential[sink]);
                if room > 0.0 && square < room * room {
                    best = square.sqrt() + self.potential[sink];
                    found = Some(sink);
                }
            }
        }
        found
    }

    /// Adds an arc to the tree, sends as much flow along it as its cycle can carry, and removes the
    /// arc that then has no flow.
    fn pivot(&mut self, source: usize, sink: usize) {
        self.update(source);
        // Moves up from both ends. Arcs that point against the new one lose flow, and the first
        // without flow is removed. If there are several, the last one on the way around from the
        // top is removed, which keeps the tree strongly feasible.
        let (mut a, mut b) = (source, sink);
        let (mut from_source, mut from_sink) = ((i64::MAX, NONE), (i64::MAX, NONE));
        while a != b {
            if self.depth[a] >= self.depth[b] {
                if a < self.sources && self.flow[a] < from_source.0 {
                    from_source = (self.flow[a], a);
                }
                a = self.parent[a];
            } else {
                if b >= self.sources && self.flow[b] <= from_sink.0 {
                    from_sink = (self.flow[b], b);
                }
                b = self.parent[b];
            }
        }
        let top = a;
        let mass = from_source.0.min(from_sink.0);
        if mass > 0 {
            for (mut node, change) in [(source, -mass), (sink, mass)] {
                while node != top {
                    self.flow[node] += if node < self.sources { change } else { -change };
                    node = self.parent[node];
                }
            }
        }
        // The nodes below the removed arc are now attached through the new arc. The arcs between
        // the two are reversed.
        let (below, above, last) = if from_sink.0 <= from_source.0 {
            (sink, source, from_sink.1)
        } else {
            (source, sink, from_source.1)
        };
        let (mut node, mut parent, mut flow) = (below, above, mass);
        loop {
            let before = (self.parent[node], self.flow[node]);
            self.detach(node);
            self.attach(node, parent, flow);
            if node == last {
                break;
            }
            parent = node;
            (node, flow) = before;
        }
        self.shift(below, self.potential_of(below) - self.potential[below]);
    }

    fn is_leaf(&self, node: usize) -> bool {
        node < self.sources && self.child[node] == NONE
    }

    /// Attaches a node to a parent, which is then no longer a leaf.
    fn attach(&mut self, node: usize, parent: usize, flow: i64) {
        self.parent[node] = parent;
        self.flow[node] = flow;
        if !self.is_leaf(node) {
            let was_leaf = self.is_leaf(parent);
            self.link(node);
            if was_leaf {
                self.link(parent);
            }
        }
    }

    /// Detaches a node from its parent, which may then become a leaf.
    fn detach(&mut self, node: usize) {
        if !self.is_leaf(node) {
            self.unlink(node);
            let parent = self.parent[node];
            if self.is_leaf(parent) {
                self.unlink(parent);
            }
        }
    }

    fn link(&mut self, node: usize) {
        let parent = self.parent[node];
        let second = std::mem::replace(&mut self.child[parent], node);
        (self.previous[node], self.next[node]) = (NONE, second);
        if second != NONE {
            self.previous[second] = node;
        }
    }

    fn unlink(&mut self, node: usize) {
        let (before, after) = (self.previous[node], self.next[node]);
        match before {
            NONE => self.child[self.parent[node]] = after,
            _ => self.next[before] = after,
        }
        if after != NONE {
            self.previous[after] = before;
        }
    }

    /// Updates depths and potentials from a node downwards.
    fn refresh(&mut self, top: usize) {
        let mut pending = vec![top];
        while let Some(node) = pending.pop() {
            self.update(node);
            let mut child = self.child[node];
            while child != NONE {
                pending.push(child);
                child = self.next[child];
            }
        }
    }

    /// Updates the depths of a subtree, and its potentials, which all change by the same amount.
    fn shift(&mut self, top: usize, by: f64) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.push(top);
        while let Some(node) = pending.pop() {
            self.depth[node] = self.depth[self.parent[node]] + 1;
            let potential = self.potential[node] + by;
            self.potential[node] = potential;
            self.lower(node, potential);
            let mut child = self.child[node];
            while child != NONE {
                pending.push(child);
                child = self.next[child];
            }
        }
        self.pending = pending;
    }

    fn update(&mut self, node: usize) {
        self.depth[node] = self.depth[self.parent[node]] + 1;
        let potential = self.potential_of(node);
        self.potential[node] = potential;
        self.lower(node, potential);
    }

    /// Lowers the bound of a sink's tile to its potential.
    fn lower(&mut self, node: usize, potential: f64) {
        if node >= self.sources {
            let tile = &mut self.tiles[self.tile_of[node - self.sources]];
            tile.least = tile.least.min(potential);
        }
    }

    fn tighten(&mut self) {
        for tile in &mut self.tiles {
            let potentials = self.potential[tile.sinks.clone()].iter().copied();
            tile.least = potentials.fold(f64::INFINITY, f64::min);
        }
    }

    /// The potential of a node, from that of its parent.
    fn potential_of(&self, node: usize) -> f64 {
        let parent = self.parent[node];
        if parent == self.root {
            return 0.0;
        }
        let cost = distance(self.at[node], self.at[parent]);
        let up = node < self.sources;
        self.potential[parent] + if up { cost } else { -cost }
    }
}

/// The tiles of sinks sorted by tile. The first sink is node number `first`.
fn tiles(first: usize, sinks: &[Mass]) -> Vec<Tile> {
    let mut start = first;
    let tile = |sinks: &[Mass]| {
        let range = start..start + sinks.len();
        start = range.end;
        let bound = |axis: usize, pick: fn(f64, f64) -> f64| {
            sinks
                .iter()
                .map(|sink| sink.at[axis])
                .reduce(pick)
                .unwrap_or(0.0)
        };
        Tile {
            sinks: range,
            low: [bound(0, f64::min), bound(1, f64::min)],
            high: [bound(0, f64::max), bound(1, f64::max)],
            least: f64::INFINITY,
        }
    };
    let together = |a: &Mass, b: &Mass| square(a.at, TILE) == square(b.at, TILE);
    sinks.chunk_by(together).map(tile).collect()
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
