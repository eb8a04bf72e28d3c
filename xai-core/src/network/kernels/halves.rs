//! The maximum of each window of 2 x 2 pixels with its place in the window, and its gradient.
//!
//! A place is 0 to 3, row by row. Nothing goes back to a window with another place. A last row or column that no window
//! covers is left out.
//!
//! Loops over plain numbers go through `dispatch`, too, so that the compiler can use the vectors of each processor.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::PLANES;
use crate::network::simd::{LANES, Lanes, dispatch};

/// The maxima, and their indices in the plane.
pub(super) fn max_pool(x: &[f32], [h, w]: [usize; 2]) -> (Vec<f32>, Vec<i32>) {
    let len = (h / 2) * (w / 2);
    let mut y = vec![0.0; x.len() / (h * w) * len];
    let mut index = vec![0; y.len()];
    y.par_chunks_mut(len)
        .zip(index.par_chunks_mut(len))
        .zip(x.par_chunks(h * w))
        .with_min_len(PLANES)
        .for_each_init(
            || vec![0; len],
            |places, ((y, index), x)| {
                maxima_of_plane(x, w, y, places);
                to_index(places, w, index);
            },
        );
    (y, index)
}

/// Sends each of `g` to its index in the plane, and 0 to all other pixels.
pub(super) fn max_unpool(g: &[f32], index: &[i32], plane @ [h, w]: [usize; 2]) -> Vec<f32> {
    let len = (h / 2) * (w / 2);
    let mut places = vec![0; index.len()];
    places
        .par_chunks_mut(len)
        .zip(index.par_chunks(len))
        .with_min_len(PLANES)
        .for_each(|(places, index)| to_places(index, w, places));
    unpool(g, &places, plane)
}

/// The index of each place, in a plane with rows of `w` pixels.
#[inline(always)]
fn to_index_with<V: Lanes>(places: &[u8], w: usize, index: &mut [i32]) {
    let rows = places
        .chunks_exact(w / 2)
        .zip(index.chunks_exact_mut(w / 2));
    for (row, (places, index)) in rows.enumerate() {
        let first = (2 * row * w) as i32;
        for (window, (place, index)) in places.iter().zip(index).enumerate() {
            let place = i32::from(*place);
            *index = first + 2 * window as i32 + (place / 2) * w as i32 + place % 2;
        }
    }
}
dispatch!(to_index, to_index_with, (places: &[u8], w: usize, index: &mut [i32]) -> ());

/// The inverse of [`to_index`].
#[inline(always)]
fn to_places_with<V: Lanes>(index: &[i32], w: usize, places: &mut [u8]) {
    let rows = index
        .chunks_exact(w / 2)
        .zip(places.chunks_exact_mut(w / 2));
    for (row, (index, places)) in rows.enumerate() {
        let first = (2 * row * w) as i32;
        for (window, (index, place)) in index.iter().zip(places).enumerate() {
            let from = index - first - 2 * window as i32;
            let lower = i32::from(from >= w as i32);
            *place = (from - lower * (w as i32 - 2)) as u8;
        }
    }
}
dispatch!(to_places, to_places_with, (index: &[i32], w: usize, places: &mut [u8]) -> ());

/// Writes the maxima of a plane with rows of `w` pixels, and their places. Among equals, the first wins. NaN wins, as in torch.
#[inline(always)]
fn maxima_with<V: Lanes>(x: &[f32], w: usize, y: &mut [f32], places: &mut [u8]) {
    // Selections instead of branches, because the winner cannot be predicted.
    let first = |a: (f32, u8), b: (f32, u8)| {
        let better = (b.0 > a.0) | (b.0.is_nan() & !a.0.is_nan());
        if better { b } else { a }
    };
    let outs = y
        .chunks_exact_mut(w / 2)
        .zip(places.chunks_exact_mut(w / 2));
    for (x, (y, places)) in x.chunks_exact(2 * w).zip(outs) {
        let (upper, lower) = x.split_at(w);
        let (upper, lower) = (upper.as_chunks::<2>().0, lower.as_chunks::<2>().0);
        let outs = y.iter_mut().zip(places);
        for ((upper, lower), (y, place)) in upper.iter().zip(lower).zip(outs) {
            let up = first((upper[0], 0), (upper[1], 1));
            let low = first((lower[0], 2), (lower[1], 3));
            (*y, *place) = first(up, low);
        }
    }
}
dispatch!(pub(super) maxima_of_plane, maxima_with, (x: &[f32], w: usize, y: &mut [f32], places: &mut [u8]) -> ());

/// Sends each of `g` `[planes][h / 2][w / 2]` to its place in its window, and 0 to all other pixels `[planes][h][w]`.
pub(in crate::network) fn unpool(g: &[f32], places: &[u8], plane @ [h, w]: [usize; 2]) -> Vec<f32> {
    assert_eq!(g.len(), places.len());
    let len = (h / 2) * (w / 2);
    let pixels = g.len() / len * h * w;
    let mut x = Vec::with_capacity(pixels);
    x.spare_capacity_mut()[..pixels]
        .par_chunks_mut(h * w)
        .zip(g.par_chunks(len).zip(places.par_chunks(len)))
        .with_min_len(PLANES)
        .for_each(|(x, (g, places))| {
            unpool_plane(g, places, plane, x);
        });
    // SAFETY: `unpool_plane` has written every number.
    unsafe { x.set_len(pixels) };
    x
}

/// The same for one plane `x`, which is written and returned.
pub(super) fn unpool_plane<'a>(
    g: &[f32],
    places: &[u8],
    [h, w]: [usize; 2],
    x: &'a mut [MaybeUninit<f32>],
) -> &'a mut [f32] {
    let (x, len) = (&mut x[..h * w], (h / 2) * (w / 2));
    assert_eq!([g.len(), places.len()], [len; 2]);
    write_plane(g, places, w, x);
    // SAFETY: every number has been written.
    unsafe { &mut *(std::ptr::from_mut(x) as *mut [f32]) }
}

#[inline(always)]
fn write_plane_with<V: Lanes>(g: &[f32], places: &[u8], w: usize, x: &mut [MaybeUninit<f32>]) {
    let windows = g.chunks_exact(w / 2).zip(places.chunks_exact(w / 2));
    let mut rows = x.chunks_exact_mut(2 * w);
    for (x, (g, places)) in rows.by_ref().zip(windows) {
        let (upper, lower) = x.split_at_mut(w);
        write_rows_with::<V>(g, places, upper, lower);
    }
    rows.into_remainder().fill(MaybeUninit::new(0.0));
}
dispatch!(write_plane, write_plane_with, (g: &[f32], places: &[u8], w: usize, x: &mut [MaybeUninit<f32>]) -> ());

/// The two rows of a row of windows.
#[inline(always)]
fn write_rows_with<V: Lanes>(
    g: &[f32],
    places: &[u8],
    upper: &mut [MaybeUninit<f32>],
    lower: &mut [MaybeUninit<f32>],
) {
    assert_eq!(g.len(), places.len());
    // The places in the upper and in the lower row of windows side by side.
    let here = |first: f32| V::load(&std::array::from_fn(|lane| first + (lane % 2) as f32));
    let here = [here(0.0), here(2.0)];
    let (upper, last_up) = upper.split_at_mut(2 * g.len());
    let (lower, last_low) = lower.split_at_mut(2 * g.len());
    let rows = upper.chunks_mut(2 * LANES).zip(lower.chunks_mut(2 * LANES));
    for ((g, places), (upper, lower)) in g.chunks(LANES).zip(places.chunks(LANES)).zip(rows) {
        let mut of_lanes = [0.0; LANES];
        for (to, place) in of_lanes.iter_mut().zip(places) {
            *to = f32::from(*place);
        }
        let places = V::load(&of_lanes).twice();
        let g = V::load_few(g, 0).twice();
        for (row, here) in [(upper, here[0]), (lower, here[1])] {
            for ((to, g), places) in row.chunks_mut(LANES).zip(g).zip(places) {
                let pixels = g.where_equal(places, here);
                match to.as_chunks_mut() {
                    ([to], _) => pixels.write(to),
                    (_, to) => to.iter_mut().zip(pixels.store()).for_each(|(to, pixel)| {
                        to.write(pixel);
                    }),
                }
            }
        }
    }
    // Pixels that no window covers.
    last_up.fill(MaybeUninit::new(0.0));
    last_low.fill(MaybeUninit::new(0.0));
}
dispatch!(pub(in crate::network) write_rows, write_rows_with, (g: &[f32], places: &[u8], upper: &mut [MaybeUninit<f32>], lower: &mut [MaybeUninit<f32>]) -> ());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernels::{bits, max_pool, max_unpool, numbers};
    use crate::network::ops::Window;

    /// The definition: the maxima of a plane, their places and their indices.
    fn pooled(x: &[f32], [h, w]: [usize; 2]) -> Vec<(f32, u8, i32)> {
        let windows = (0..h / 2).flat_map(|row| (0..w / 2).map(move |column| (row, column)));
        let maximum = windows.map(|(row, column)| {
            let mut best = (f32::NEG_INFINITY, 0, 0);
            for place in 0..4 {
                let index = (2 * row + place / 2) * w + 2 * column + place % 2;
                let new = x[index];
                if place == 0 || new > best.0 || new.is_nan() && !best.0.is_nan() {
                    best = (new, place as u8, index as i32);
                }
            }
            best
        });
        maximum.collect()
    }

    /// Rows shorter than a vector, of several vectors, and with a last pixel that no window covers; equal numbers; NaN.
    #[test]
    fn maxima_and_gradient_are_their_definition() {
        let halves = Window::square(2);
        let widths = [2, 3, 6, 16, 31, 32, 33, 34, 63, 64, 65, 100];
        for plane @ [h, w] in widths.map(|w| [[2, w], [7, w]]).concat() {
            let mut x = numbers(3 * h * w, 0);
            (x[1], x[h * w]) = (f32::NAN, f32::NAN);
            // Equal pixels in a window.
            let equal = x[2 * h * w];
            x[2 * h * w..][..w].fill(equal);
            let (maxima, index) = max_pool(&x, plane, [h / 2, w / 2], &halves);
            let (mut y, mut places) = (vec![9.0; maxima.len()], vec![9; maxima.len()]);
            let len = (h / 2) * (w / 2);
            let g = numbers(maxima.len(), 3);
            let mut back = vec![0.0; x.len()];
            for (at, x) in x.chunks_exact(h * w).enumerate() {
                let here = at * len..(at + 1) * len;
                let outs = (&mut y[here.clone()], &mut places[here.clone()]);
                maxima_of_plane(x, w, outs.0, outs.1);
                for (out, (maximum, place, index_here)) in here.zip(pooled(x, plane)) {
                    assert_eq!(y[out].to_bits(), maximum.to_bits(), "{plane:?}");
                    assert_eq!(maxima[out].to_bits(), maximum.to_bits(), "{plane:?}");
                    assert_eq!((places[out], index[out]), (place, index_here), "{plane:?}");
                    back[at * h * w + index_here as usize] = g[out];
                }
            }
            assert_eq!(bits(&unpool(&g, &places, plane)), bits(&back), "{plane:?}");
            let found = max_unpool(&g, &index, plane, [h / 2, w / 2], &halves);
            assert_eq!(bits(&found), bits(&back), "{plane:?}");
            // Nothing goes back to a window that has no place.
            places.fill(4);
            assert!(unpool(&g, &places, plane).iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    #[should_panic(expected = "left == right")]
    fn a_missing_plane_is_noticed() {
        let index = [0, 2, 8, 10];
        max_unpool(&[1.0; 8], &index, [4, 4], [2, 2], &Window::square(2));
    }

    /// The vector width of the processor changes no bit.
    #[test]
    fn every_processor_gives_the_same_bits() {
        let (w, len) = (45, 3 * 22);
        let g = numbers(len, 3);
        let places: Vec<u8> = (0..len).map(|at| (at * 7 % 5) as u8).collect();
        let [mut best, mut plain] = [(); 2].map(|()| vec![MaybeUninit::new(9.0); 6 * w]);
        write_plane(&g, &places, w, &mut best);
        write_plane_with::<[f32; LANES]>(&g, &places, w, &mut plain);
        // SAFETY: every number was written before.
        let [best, plain] = [best, plain].map(|x| {
            x.iter()
                .map(|x| unsafe { x.assume_init() })
                .collect::<Vec<_>>()
        });
        assert_eq!(bits(&best), bits(&plain));
        assert!(best.iter().any(|&x| x != 0.0));
    }
}
