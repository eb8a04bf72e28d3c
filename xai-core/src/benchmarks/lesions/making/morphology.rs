//! Erosion, dilation, opening and connected components of binary images, as in `scipy.ndimage`.
//!
//! The structuring element is the cross: a pixel and its four neighbours. Pixels outside the image
//! are background.

use std::ops::Range;

use ndarray::{Array2, Zip, s};

/// Keeps the pixels whose four neighbours are set too. Pixels at the image's border are always
/// removed.
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

/// Erosion followed by dilation. It removes everything thinner than the cross.
pub fn open(mask: &Array2<bool>) -> Array2<bool> {
    dilate(&erode(mask))
}

/// A connected set of pixels as `[row, column]`, in reading order.
pub type Component = Vec<[usize; 2]>;

/// The components connected along edges (not corners), in the order of their first pixels when the
/// image is read row by row. This is the order of `scipy.ndimage.label`.
pub fn components(mask: &Array2<bool>) -> Vec<Component> {
    components_of(mask, |_| true)
}

/// The [`components`] whose number of pixels satisfies `wanted`.
pub fn components_of(mask: &Array2<bool>, wanted: impl Fn(usize) -> bool) -> Vec<Component> {
    let mut runs: Vec<(usize, Range<usize>)> = Vec::new();
    // For each run, an earlier run that it is connected to, or itself if it is the first.
    let mut earlier: Vec<usize> = Vec::new();
    let mut above = 0..0;
    for (r, row) in mask.rows().into_iter().enumerate() {
        let first = runs.len();
        let row = row.to_slice().expect("rows of an array in standard layout");
        for columns in runs_of(row) {
            let this = runs.len();
            earlier.push(this);
            // Runs that end before this one touch nothing further to the right either.
            above.start += (runs[above.clone()].iter())
                .take_while(|(_, other)| other.end <= columns.start)
                .count();
            let touching = runs[above.clone()]
                .iter()
                .take_while(|(_, other)| other.start < columns.end);
            for other in above.start..above.start + touching.count() {
                let [a, b] = [this, other].map(|run| first_run(&mut earlier, run));
                earlier[a.max(b)] = a.min(b);
            }
            runs.push((r, columns));
        }
        above = first..runs.len();
    }
    let first: Vec<usize> = (0..runs.len())
        .map(|run| first_run(&mut earlier, run))
        .collect();
    // The number of pixels of each component, stored at its first run.
    let mut area = vec![0; runs.len()];
    for (&first, (_, columns)) in first.iter().zip(&runs) {
        area[first] += columns.len();
    }
    let mut found: Vec<Component> = Vec::new();
    let mut number = vec![0; runs.len()];
    for (run, (&first, (row, columns))) in first.iter().zip(runs).enumerate() {
        if !wanted(area[first]) {
            continue;
        }
        if first == run {
            number[run] = found.len();
            found.push(Vec::with_capacity(area[run]));
        }
        found[number[first]].extend(columns.map(|column| [row, column]));
    }
    found
}

/// The runs of set pixels in a row.
fn runs_of(row: &[bool]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + row[from..].iter().position(|&set| set)?;
        let length = row[start..].iter().position(|&set| !set);
        from = length.map_or(row.len(), |length| start + length);
        Some(start..from)
    })
}

/// The first run of the component of `run`, as far as known.
fn first_run(earlier: &mut [usize], mut run: usize) -> usize {
    while earlier[run] != run {
        earlier[run] = earlier[earlier[run]]; // shorter next time
        run = earlier[run];
    }
    run
}
