//! Masses in the plane and the flows between them.

/// A mass at a point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mass {
    /// Row and column.
    pub at: [f64; 2],
    /// Above 0.
    pub mass: i64,
}

/// A place at distance 0 from every place. Only sources may be there, and only one.
pub(crate) const ANYWHERE: [f64; 2] = [f64::INFINITY; 2];

/// A mass that flows from a source to a sink, each given by its index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub source: usize,
    pub sink: usize,
    pub mass: i64,
}

/// The square with this side that contains a point.
pub(super) fn square(at: [f64; 2], side: f64) -> [i64; 2] {
    at.map(|x| (x / side) as i64)
}

/// The square of the distance of pixels, whose rows and columns are integers.
pub(super) fn squared_distance(a: [f64; 2], b: [f64; 2]) -> u64 {
    if a == ANYWHERE || b == ANYWHERE {
        return 0;
    }
    let (dy, dx) = (a[0] - b[0], a[1] - b[1]);
    (dy * dy + dx * dx) as u64
}

pub(super) fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    if a == ANYWHERE || b == ANYWHERE {
        return 0.0;
    }
    let (dy, dx) = (a[0] - b[0], a[1] - b[1]);
    (dy * dy + dx * dx).sqrt()
}
