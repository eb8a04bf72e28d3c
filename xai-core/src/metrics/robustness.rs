//! Does the explanation stay the same when the image hardly changes?

use ndarray::{Array4, ArrayView4, Zip};
use rand::Rng;

use super::batches::same_shape;
use crate::error::{Error, Result};
use crate::random;

/// Max-sensitivity (Yeh et al. 2019): the largest |e(x') - e(x)| / |e(x)|, in Euclidean norms, over
/// perturbed images x'. 0 is an explanation that does not change; smaller is more robust.
///
/// `images` and each of `perturbed` (see [`uniform_noise`]) are `[n, c, h, w]`; `explain` gives the
/// attributions of a batch. Where the explanation of the image itself is 0 there is no score (`None`).
///
/// # Errors
/// Perturbed images or explanations of other shapes, values that are not finite, and what `explain` gives.
pub fn max_sensitivity(
    images: ArrayView4<f32>,
    perturbed: impl IntoIterator<Item = Array4<f32>>,
    mut explain: impl FnMut(ArrayView4<f32>) -> Result<Array4<f32>>,
) -> Result<Vec<Option<f64>>> {
    let original = explain(images)?;
    let mut largest = vec![0.0_f64; images.dim().0];
    let mut draws = 0;
    for images_now in perturbed {
        same_shape("the perturbed batch", images_now.shape(), images.shape())?;
        let now = explain(images_now.view())?;
        same_shape("the explanation", now.shape(), original.shape())?;
        let pairs = now.outer_iter().zip(original.outer_iter());
        for (largest, (now, original)) in largest.iter_mut().zip(pairs) {
            *largest = largest.max(norm((&now - &original).iter()));
            if now.iter().any(|value| !value.is_finite()) {
                return Err(Error::invalid(
                    "the explanation of a perturbed image is not finite",
                ));
            }
        }
        draws += 1;
    }
    if draws == 0 {
        return Err(Error::invalid(
            "without a perturbed image there is no sensitivity",
        ));
    }
    let sizes = original.outer_iter().map(|original| norm(original.iter()));
    let scores = largest.into_iter().zip(sizes);
    Ok(scores
        .map(|(largest, size)| (size > 0.0).then(|| largest / size))
        .collect())
}

/// `draws` copies of a batch, each with noise added that is uniform in `[-radius, radius)`.
///
/// The noise is a named stream for each image (by its `index`, of which there must be one an image) and
/// draw, so that it depends neither on the batch nor on the order.
pub fn uniform_noise(
    images: ArrayView4<'_, f32>,
    index: &[u32],
    radius: f32,
    draws: usize,
    seed: u64,
) -> impl Iterator<Item = Array4<f32>> {
    (0..draws).map(move |draw| {
        let mut noisy = images.to_owned();
        for (mut image, index) in noisy.outer_iter_mut().zip(index) {
            let purpose = format!("evaluation/uniform_noise/{index}/{draw}");
            let mut random = random::stream(seed, &purpose);
            Zip::from(&mut image).for_each(|value| {
                *value += radius * (2.0 * random.random::<f32>() - 1.0);
            });
        }
        noisy
    })
}

fn norm<'a>(values: impl Iterator<Item = &'a f32>) -> f64 {
    values
        .map(|&value| f64::from(value).powi(2))
        .sum::<f64>()
        .sqrt()
}
