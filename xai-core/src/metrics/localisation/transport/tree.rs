//! A spanning tree of sources and sinks, with flows and potentials.

use super::masses::{ANYWHERE, Flow, Mass, distance};
use super::sinks::Sinks;

pub(super) const NONE: u32 = u32::MAX;

/// A spanning tree of the sources, the sinks and a root. The root stands in for a sink that receives
/// nothing: arcs to it never carry flow.
///
/// Sources and sinks alternate on every way to the root. Most sources are leaves, because they send everything
/// to one sink. So the tree is kept as a tree of sinks, whose parent is the sink above the source above them. It is
/// small enough for the processor's nearest cache.
pub(super) struct Tree {
    pub sources: Vec<Source>,
    pub sinks: Sinks,
    /// One node per place of a sink, and the root as the last.
    pub nodes: Vec<Node>,
    /// The flow to each place from the source above it.
    pub inflow: Vec<i64>,
    root: u32,
    /// Nodes that wait for their update, with their new depths. The content has no meaning between updates.
    queue: Vec<(u32, u32)>,
}

#[derive(Clone, Copy)]
pub(super) struct Source {
    pub at: [f64; 2],
    /// The place of the sink above.
    pub up: u32,
    /// The distance to it (0 if it is the root), and the flow.
    pub way: f64,
    pub flow: i64,
}

#[derive(Clone, Copy)]
pub(super) struct Node {
    /// The source above.
    pub up: u32,
    /// The number of sinks above, with the root.
    pub depth: u32,
    /// The first child, and the neighbours in the list of the parent's children.
    child: u32,
    next: u32,
    previous: u32,
}

impl Tree {
    /// A tree that contains a forest of flows, all above 0, and the places of the sinks.
    pub fn new(sources: &[Mass], sinks: &[Mass], forest: &[Flow]) -> (Self, Vec<u32>) {
        let (sinks, places) = Sinks::new(sinks);
        let count = sinks.places();
        let source = |source: &Mass| Source {
            at: source.at,
            up: NONE,
            way: 0.0,
            flow: 0,
        };
        let node = Node {
            up: NONE,
            depth: 0,
            child: NONE,
            next: NONE,
            previous: NONE,
        };
        let mut tree = Self {
            sources: sources.iter().map(source).collect(),
            nodes: vec![node; count + 1],
            inflow: vec![0; count + 1],
            root: count as u32,
            queue: vec![(NONE, 0); count + 3],
            sinks,
        };
        let (mut from, mut to) = (vec![Vec::new(); sources.len()], vec![Vec::new(); count]);
        for flow in forest {
            let place = places[flow.sink];
            from[flow.source].push((place, flow.mass));
            to[place as usize].push((flow.source as u32, flow.mass));
        }
        // Each part of the forest is attached through a source, whose arc without flow points to the root. A
        // source that is anywhere has many sinks. It is attached first, because a pivot below it is cheap.
        let anywhere = (0..sources.len()).filter(|&source| sources[source].at == ANYWHERE);
        for top in anywhere.chain(0..sources.len()) {
            if tree.sources[top].up == NONE {
                tree.sources[top].up = tree.root;
                tree.grow(top as u32, &from, &to);
            }
        }
        (tree, places)
    }

    /// Attaches the part of the forest below a source, given the flows of each source and of each place.
    fn grow(&mut self, top: u32, from: &[Vec<(u32, i64)>], to: &[Vec<(u32, i64)>]) {
        let mut reached = vec![top];
        while let Some(number) = reached.pop() {
            let source = self.sources[number as usize];
            for &(place, mass) in &from[number as usize] {
                if place == source.up {
                    continue;
                }
                let node = &mut self.nodes[place as usize];
                (node.up, self.inflow[place as usize]) = (number, mass);
                self.link(place, source.up);
                self.nodes[place as usize].depth = self.nodes[source.up as usize].depth + 1;
                let at = self.sinks.at(place);
                let potential = self.potential(&source) - distance(source.at, at);
                self.sinks.shift(place, potential);
                for &(other, flow) in &to[place as usize] {
                    let below = &mut self.sources[other as usize];
                    if other != number {
                        let way = distance(below.at, at);
                        (below.up, below.way, below.flow) = (place, way, flow);
                        reached.push(other);
                    }
                }
            }
        }
    }

    /// The potential of a source. Potentials are such that source minus sink is the cost of every arc of the
    /// tree. The tree is optimal if this difference is at most the cost of every other arc.
    #[inline]
    pub fn potential(&self, source: &Source) -> f64 {
        let above = match source.up {
            up if up == self.root => 0.0,
            up => self.sinks.potential(up),
        };
        above + source.way
    }

    /// Adds the arc from a source to a sink, with this flow, removes the arc from the source `last` to the sink above it,
    /// and attaches what is below that arc through the new one. Its potentials change by `by`.
    pub fn move_source(&mut self, source: u32, sink: u32, flow: i64, last: u32, by: f64) {
        self.turn_sources(source, sink, flow, last);
        let Node { depth, child, .. } = self.nodes[sink as usize];
        let (mut child, mut tops) = (child, 0);
        while child != NONE {
            let node = &self.nodes[child as usize];
            if node.up == source {
                self.queue[tops] = (child, depth + 1);
                tops += 1;
            }
            child = node.next;
        }
        self.shift(tops, by);
    }

    /// The same if the removed arc is that from the source above the sink `last`.
    pub fn move_sink(&mut self, source: u32, sink: u32, flow: i64, last: u32, by: f64) {
        self.turn_sinks(source, sink, flow, last);
        let parent = self.sources[source as usize].up;
        self.queue[0] = (sink, self.nodes[parent as usize].depth + 1);
        self.shift(1, by);
    }

    /// Attaches a source to a sink, with this flow, and reverses the arcs above it up to `last`, the source
    /// whose arc is removed.
    fn turn_sources(&mut self, source: u32, sink: u32, flow: i64, last: u32) {
        let (mut a, mut above, mut flow) = (source, sink, flow);
        loop {
            let before = self.sources[a as usize];
            let way = distance(before.at, self.sinks.at(above));
            let now = Source {
                up: above,
                way,
                flow,
                ..before
            };
            self.sources[a as usize] = now;
            self.hand_over(a, before.up, above);
            if a == last {
                break;
            }
            let next = self.nodes[before.up as usize].up;
            flow = self.inflow[before.up as usize];
            self.unlink(before.up, self.sources[next as usize].up);
            self.nodes[before.up as usize].up = a;
            self.inflow[before.up as usize] = before.flow;
            self.link(before.up, above);
            (a, above) = (next, before.up);
        }
    }

    /// Attaches a sink to a source, with this flow, and reverses the arcs above it up to `last`, the sink
    /// whose arc is removed.
    fn turn_sinks(&mut self, source: u32, sink: u32, flow: i64, last: u32) {
        let (mut b, mut above, mut flow) = (sink, source, flow);
        loop {
            let before = (self.nodes[b as usize].up, self.inflow[b as usize]);
            let next = self.sources[before.0 as usize];
            self.unlink(b, next.up);
            (self.nodes[b as usize].up, self.inflow[b as usize]) = (above, flow);
            self.link(b, self.sources[above as usize].up);
            if b == last {
                break;
            }
            self.hand_over(before.0, next.up, b);
            self.sources[before.0 as usize] = Source {
                up: b,
                way: distance(next.at, self.sinks.at(b)),
                flow: before.1,
                ..next
            };
            (b, above, flow) = (next.up, before.0, next.flow);
        }
    }

    /// Makes the sinks below a source the children of another node.
    fn hand_over(&mut self, source: u32, from: u32, to: u32) {
        let mut child = self.nodes[from as usize].child;
        while child != NONE {
            let node = self.nodes[child as usize];
            if node.up == source {
                self.unlink(child, from);
                self.link(child, to);
            }
            child = node.next;
        }
    }

    #[inline]
    fn link(&mut self, node: u32, parent: u32) {
        let second = std::mem::replace(&mut self.nodes[parent as usize].child, node);
        let first = &mut self.nodes[node as usize];
        (first.previous, first.next) = (NONE, second);
        if second != NONE {
            self.nodes[second as usize].previous = node;
        }
    }

    #[inline]
    fn unlink(&mut self, node: u32, parent: u32) {
        let Node { previous, next, .. } = self.nodes[node as usize];
        match previous {
            NONE => self.nodes[parent as usize].child = next,
            _ => self.nodes[previous as usize].next = next,
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
    }

    /// Updates the depths of the subtrees whose `tops` stand at the front of the queue, and their potentials,
    /// which all change by the same amount.
    ///
    /// The loop has no branch that depends on the shape of the tree, and first come is first served, so the processor
    /// need not wait for one node before it begins with the next. This takes half of the time.
    fn shift(&mut self, tops: usize, by: f64) {
        let (mut done, mut end) = (0, tops);
        while done < end {
            let (place, depth) = self.queue[done];
            let node = &mut self.nodes[place as usize];
            node.depth = depth;
            self.queue[end] = (node.child, depth + 1);
            end += usize::from(node.child != NONE);
            let next = if done < tops { NONE } else { node.next };
            self.queue[end] = (next, depth);
            end += usize::from(next != NONE);
            self.sinks.shift(place, by);
            done += 1;
        }
    }
}
