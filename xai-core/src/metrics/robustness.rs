//! Does the explanation stay the same when the image hardly changes?

use ndarray::{Array4, ArrayView3, ArrayView4, Zip};
use rand::Rng;

use super::batches::same_shape;
use crate::error::{Error, Result};
use crate::random;

/// Max-sensitivity (Yeh et al. 2019): the largest |e(x') - e(x)| / |e(x)|, in Euclidean norms, over
/// perturbed images x'. An explanation that does not change has 0; smaller is more robust.
///
/// `images` and each of `perturbed` (see [`uniform_noise`]) are `[n, c, h, w]`. `explain` returns
/// the attributions of a batch. `None` if the explanation of the original image is 0.
///
/// # Errors
/// If shapes differ, if values are not finite, or if `explain` fails.
pub fn max_sensitivity(
    images: ArrayView4<f32>,
    perturbed: impl IntoIterator<Item = Array4<f32>>,
    mut explain: impl FnMut(ArrayView4<f32>) -> Result<Array4<f32>>,
) -> Result<Vec<Option<f64>>> {
    let original = explain(images)?;
    let mut largest = vec![Some(0.0_f64); images.dim().0];
    let mut draws = 0;
    for images_now in perturbed {
        same_shape("the perturbed batch", images_now.shape(), images.shape())?;
        let now = explain(images_now.view())?;
        let changes = relative_changes(original.view(), now.view())?;
        for (largest, change) in largest.iter_mut().zip(changes) {
            *largest = largest.zip(change).map(|(a, b)| a.max(b));
        }
        draws += 1;
    }
    if draws == 0 {
        return Err(Error::invalid(
            "the sensitivity needs at least one perturbed image",
        ));
    }
    Ok(largest)
}

/// |e(x') - e(x)| / |e(x)| of each image, in Euclidean norms, from its explanations `[n, c, h, w]` before
/// and `now`. `None` if the explanation before is 0.
///
/// # Errors
/// If shapes differ, or if values are not finite.
pub fn relative_changes(before: ArrayView4<f32>, now: ArrayView4<f32>) -> Result<Vec<Option<f64>>> {
    same_shape("the explanation", now.shape(), before.shape())?;
    let change = |(now, before): (ArrayView3<f32>, ArrayView3<f32>)| {
        for (what, values) in [("an image", before), ("a perturbed image", now)] {
            if values.iter().any(|value| !value.is_finite()) {
                let problem = format!("the explanation of {what} is not finite");
                return Err(Error::invalid(problem));
            }
        }
        let size = norm(before.iter());
        Ok((size > 0.0).then(|| norm((&now - &before).iter()) / size))
    };
    now.outer_iter()
        .zip(before.outer_iter())
        .map(change)
        .collect()
}

/// `draws` copies of a batch, each with added noise that is uniform in `[-radius, radius)`.
///
/// Each image (identified by its `index`, one per image) and each draw has its own named stream.
/// The noise therefore depends neither on the batch nor on the order.
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
