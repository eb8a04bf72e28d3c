//! What a vector can do, and the implementation for any processor.
//!
//! Here and in the kernels, arrays of vectors are made by [`from_fn`] and not by `map`. A function of
//! the standard library that is not marked `#[inline]`, as `map`, is compiled into one part of the crate
//! only. In every other part, it is a call that passes vectors in memory unless the optimiser of all parts
//! removes it. It did not remove all: steps of a training took up to 5 % longer.

use std::array::from_fn;
use std::mem::MaybeUninit;

/// Floats in a vector.
pub(in crate::network) const LANES: usize = 16;

/// A vector of [`LANES`] floats.
pub(in crate::network) trait Lanes: Copy {
    /// Whether the processor has registers for 24 sums and for what is added to them.
    const WIDE: bool = false;

    /// The same number in every lane.
    fn splat(x: f32) -> Self;
    /// From memory, in order.
    fn load(x: &[f32; LANES]) -> Self;
    /// The numbers of `line` from `at` on, and 0 before its start and beyond its end.
    fn load_part(line: &[f32], at: isize) -> Self;
    /// `x`, at most as many numbers as there are lanes after lane `first`, from that lane on; 0 in the
    /// other lanes.
    #[inline(always)]
    fn load_few(x: &[f32], first: usize) -> Self {
        Self::load_part(x, -(first as isize))
    }
    /// To memory, in order.
    fn store(self) -> [f32; LANES];
    /// To memory that need not hold numbers yet, in order.
    #[inline(always)]
    fn write(self, to: &mut [MaybeUninit<f32>; LANES]) {
        let numbers = self.store();
        *to = from_fn(|lane| MaybeUninit::new(numbers[lane]));
    }
    /// The first lanes to `to`, which is not longer than a vector.
    #[inline(always)]
    fn store_few(self, to: &mut [f32]) {
        to.copy_from_slice(&self.store()[..to.len()]);
    }
    /// `self * b + c` in every lane, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `self + b` in every lane.
    fn add(self, b: Self) -> Self;
    /// `self - b` in every lane.
    fn sub(self, b: Self) -> Self;
    /// `self * b` in every lane.
    fn mul(self, b: Self) -> Self;

    /// max(x, 0) in every lane; NaN stays NaN.
    fn relu(self) -> Self;
    /// `self` in lanes where `x` is above 0, and 0 in the others.
    fn gate(self, x: Self) -> Self;
    /// `self` in lanes where `a` and `b` are equal, and 0 in the others.
    fn where_equal(self, a: Self, b: Self) -> Self;
    /// Each number twice, side by side: those of the first half of the lanes, and those of the second.
    fn twice(self) -> [Self; 2];
    /// The largest of four numbers in every lane, and its index (0, 1, 2 or 3). Among equals the
    /// first wins. NaN wins, as in torch.
    fn first_max(x: [Self; 4]) -> (Self, Self);

    /// Distributes numbers to four vectors in turn: lane `l` of vector `j` is `x[4 * l + j]`.
    #[inline(always)]
    fn deal(x: &[f32; 4 * LANES]) -> [Self; 4] {
        let mut dealt = [[0.0; LANES]; 4];
        for lane in 0..LANES {
            for j in 0..4 {
                dealt[j][lane] = x[4 * lane + j];
            }
        }
        let [a, b, c, d] = &dealt;
        [Self::load(a), Self::load(b), Self::load(c), Self::load(d)]
    }

    /// Transposes rows and columns.
    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let rows: [_; LANES] = from_fn(|row| rows[row].store());
        from_fn(|at| Self::load(&from_fn(|lane| rows[lane][at])))
    }

    /// The inverse of [`deal`](Self::deal).
    #[inline(always)]
    fn gather([a, b, c, d]: [Self; 4], to: &mut [f32; 4 * LANES]) {
        let dealt = [a.store(), b.store(), c.store(), d.store()];
        for lane in 0..LANES {
            for j in 0..4 {
                to[4 * lane + j] = dealt[j][lane];
            }
        }
    }
}

/// Any processor.
impl Lanes for [f32; LANES] {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        [x; LANES]
    }
    #[inline(always)]
    fn load(x: &[f32; LANES]) -> Self {
        *x
    }
    #[inline(always)]
    fn load_part(line: &[f32], at: isize) -> Self {
        from_fn(|lane| {
            let place = usize::try_from(at + lane as isize).ok();
            place.and_then(|at| line.get(at)).copied().unwrap_or(0.0)
        })
    }
    #[inline(always)]
    fn store(self) -> [f32; LANES] {
        self
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        from_fn(|lane| self[lane].mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        from_fn(|lane| self[lane] + b[lane])
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        from_fn(|lane| self[lane] - b[lane])
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        from_fn(|lane| self[lane] * b[lane])
    }
    #[inline(always)]
    fn relu(self) -> Self {
        from_fn(|lane| if self[lane] < 0.0 { 0.0 } else { self[lane] })
    }
    #[inline(always)]
    fn gate(self, x: Self) -> Self {
        from_fn(|lane| if x[lane] > 0.0 { self[lane] } else { 0.0 })
    }
    #[inline(always)]
    fn where_equal(self, a: Self, b: Self) -> Self {
        from_fn(|lane| if a[lane] == b[lane] { self[lane] } else { 0.0 })
    }
    #[inline(always)]
    fn twice(self) -> [Self; 2] {
        let half = |first: usize| from_fn(|lane| self[first + lane / 2]);
        [half(0), half(LANES / 2)]
    }
    #[inline(always)]
    fn first_max(x: [Self; 4]) -> (Self, Self) {
        let (mut most, mut place) = (x[0], [0.0; LANES]);
        for (at, x) in x.iter().enumerate().skip(1) {
            for lane in 0..LANES {
                if x[lane] > most[lane] || (x[lane].is_nan() && !most[lane].is_nan()) {
                    (most[lane], place[lane]) = (x[lane], at as f32);
                }
            }
        }
        (most, place)
    }
}

/// The [`LANES`] numbers from `at` on.
#[inline(always)]
pub(in crate::network) fn lanes_at(x: &[f32], at: usize) -> &[f32; LANES] {
    x[at..at + LANES].try_into().expect("as many as lanes")
}

/// The [`LANES`] numbers from `at` on, for writing.
#[inline(always)]
pub(in crate::network) fn lanes_at_mut(x: &mut [f32], at: usize) -> &mut [f32; LANES] {
    (&mut x[at..at + LANES])
        .try_into()
        .expect("as many as lanes")
}

/// The lanes of a vector from `at` on that lie in a line of `len` numbers.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn lanes_inside(len: usize, at: isize) -> std::ops::Range<usize> {
    let lane = |place: isize| (place - at).clamp(0, LANES as isize) as usize;
    lane(0)..lane(len as isize)
}
