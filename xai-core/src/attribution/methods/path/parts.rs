//! Properties of images that reduce the work along a path: where the image equals the baseline, and
//! where no ties occur.

use ndarray::Axis;

use crate::attribution::{Batch, Layered};
use crate::network::{Layer, Region};

/// The region in which the input of the layer after `layers` may differ from that of the baseline.
/// `None` if this is not known for one of the layers.
pub(super) fn differing<M: Layered>(batch: &Batch<'_, M>, layers: &[Layer]) -> Option<Region> {
    let pixels = batch.pixels();
    let (images, channels, h, w) = pixels.dim();
    let baseline = batch.baseline_pixels();
    let of_baseline = |image: usize| image.min(baseline.dim().0 - 1);
    let differs = |image, y, x| {
        let same = |c| pixels[[image, c, y, x]] == baseline[[of_baseline(image), c, y, x]];
        !(0..channels).all(same)
    };
    let region = Region::of(images, [h, w], differs);
    layers.iter().try_fold(region, |region, layer| match layer {
        Layer::Conv2d(conv) => Some(region.through(&conv.window())),
        Layer::BatchNorm2d(_) | Layer::Dropout(_) => Some(region),
        _ => None,
    })
}

/// Which images have an even part (its values do not change from one pixel to the next) that differs
/// from the baseline. In such a part, the values of a pooling window are equal, and the gradient must
/// go to the first pixel, as in torch. Where image and baseline are equal, as in an even background,
/// the gradient is multiplied by 0, so this does not matter.
///
/// A layer sees at least 3 x 3 pixels at a time.
pub(super) fn has_even_parts<M: Layered>(batch: &Batch<'_, M>) -> Vec<bool> {
    let pixels = batch.pixels();
    let (_, channels, h, w) = pixels.dim();
    let baseline = batch.baseline_pixels();
    let images = pixels.outer_iter().enumerate();
    let found = images.map(|(image, x)| {
        let b = baseline.index_axis(Axis(0), image.min(baseline.dim().0 - 1));
        let differs = |y, column| (0..channels).any(|c| x[[c, y, column]] != b[[c, y, column]]);
        let same = |y: usize, column: usize, down: usize, right: isize| {
            let further = column.saturating_add_signed(right);
            (0..channels).all(|c| x[[c, y, column]] == x[[c, y + down, further]])
        };
        [(0, 1), (1, 0), (1, 1), (1, -1)]
            .iter()
            .any(|&(down, right)| {
                let mut run = vec![0_usize; w]; // rows up to here in which three pixels side by side repeat
                (0..h.saturating_sub(down)).any(|y| {
                    let columns = usize::from(right < 0)..w.saturating_sub(usize::from(right > 0));
                    let repeats: Vec<bool> = (0..w)
                        .map(|x| columns.contains(&x) && same(y, x, down, right))
                        .collect();
                    (2..w).any(|x| {
                        let three = repeats[x - 2] && repeats[x - 1] && repeats[x];
                        run[x] = if three { run[x] + 1 } else { 0 };
                        run[x] >= 3 && differs(y - 1, x - 1)
                    })
                })
            })
    });
    found.collect()
}
