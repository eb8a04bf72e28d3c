//! Erosion, dilation, opening and connected components of binary images, as in `scipy.ndimage`.
//!
//! The structuring element is the cross (a pixel and its four neighbours) and whatever lies
//! outside the image is background.

use ndarray::{Array2, Zip, s};

/// Keeps the pixels whose four neighbours are set too. The image's border pixels always go.
pub fn erode(mask: &Array2<bool>) -> Array2<bool> {
    let (rows, columns) = mask.dim();
    let mut eroded = Array2::from_elem((rows, columns), false);
    if rows > 2 && columns > 2 {
        let inner = s![1..rows - 1, 1..columns - 1];
        Zip::from(eroded.slice_mut(inner))
            .and(mask.slice(inner))
            .and(mask.slice(s![..-2, 1..columns - 1]))
            .and(mask.slice(s![2.., 1..columns - 1]))
            .and(mask.slice(s![1..rows - 1, ..-2]))
            .and(mask.slice(s![1..rows - 1, 2..]))
            .for_each(|out, &here, &up, &down, &left, &right| {
                *out = here & up & down & left & right;
            });
    }
    eroded
}

/// Adds the four neighbours of every set pixel.
pub fn dilate(mask: &Array2<bool>) -> Array2<bool> {
    let mut dilated = mask.clone();
    let or = |out: &mut bool, &set: &bool| *out |= set;
    Zip::from(dilated.slice_mut(s![1.., ..]))
        .and(mask.slice(s![..-1, ..]))
        .for_each(or);
    Zip::from(dilated.slice_mut(s![..-1, ..]))
        .and(mask.slice(s![1.., ..]))
        .for_each(or);
    Zip::from(dilated.slice_mut(s![.., 1..]))
        .and(mask.slice(s![.., ..-1]))
        .for_each(or);
    Zip::from(dilated.slice_mut(s![.., ..-1]))
        .and(mask.slice(s![.., 1..]))
        .for_each(or);
    dilated
}

/// Erosion, then dilation: removes what is thinner than the cross.
pub fn open(mask: &Array2<bool>) -> Array2<bool> {
    dilate(&erode(mask))
}

/// A connected set of pixels: `[row, column]` each, the first in reading order first.
pub type Component = Vec<[usize; 2]>;

/// The components that touch along edges (not corners), in the order in which their first pixels
/// come when the image is read row by row: the order of `scipy.ndimage.label`.
pub fn components(mask: &Array2<bool>) -> Vec<Component> {
    let (rows, columns) = mask.dim();
    let mut left = mask.clone();
    let mut found = Vec::new();
    for r in 0..rows {
        for c in 0..columns {
            if left[(r, c)] {
                left[(r, c)] = false;
                found.push(flood([r, c], &mut left));
            }
        }
    }
    found
}

/// Takes the component of `first` out of `left`.
fn flood(first: [usize; 2], left: &mut Array2<bool>) -> Component {
    let mut component = vec![first];
    let mut next = 0;
    while let Some(&[r, c]) = component.get(next) {
        next += 1;
        // An index below zero wraps to one that is out of bounds, like one that is too large.
        for at in [
            [r.wrapping_sub(1), c],
            [r, c.wrapping_sub(1)],
            [r, c + 1],
            [r + 1, c],
        ] {
            if let Some(set) = left.get_mut(at)
                && std::mem::take(set)
            {
                component.push(at);
            }
        }
    }
    component
}
