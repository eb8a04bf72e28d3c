//! The parts of images in which something changes along a path.

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
