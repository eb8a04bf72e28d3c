//! The mean of the maps of several images.

use ndarray::Array2;

use crate::attribution::Shown;
use crate::report::heat_color::largest;

/// The index of the mean among the images.
pub(super) const MEAN: u32 = u32::MAX;

/// The mean of images, and of the maps of each method. Each map is first divided by its own largest value,
/// so that all count equally. The ground truth is what all images have in common.
///
/// `None` for fewer than two images, or for images of different sizes.
pub(super) fn mean_of(shown: &[Shown]) -> Option<Shown> {
    let (first, others) = shown.split_first()?;
    let same_size = |other: &Shown| other.pixels.dim() == first.pixels.dim();
    if others.is_empty() || !others.iter().all(same_size) {
        return None;
    }
    let mut mean = first.clone();
    mean.index = MEAN;
    for other in others {
        mean.pixels += &other.pixels;
        mean.truth
            .zip_mut_with(&other.truth, |all, &set| *all &= set);
    }
    mean.pixels /= shown.len() as f32;
    // A method that lacks an image has no mean.
    let of_method = |(name, _): &(String, _)| {
        let maps: Option<Vec<&Array2<f32>>> = shown.iter().map(|image| image.map(name)).collect();
        let mut sum = Array2::zeros(first.pixels.raw_dim());
        for map in maps? {
            let largest = largest(map.view());
            if largest > 0.0 {
                sum.scaled_add(1.0 / (largest * shown.len() as f32), map);
            }
        }
        Some((name.clone(), sum))
    };
    mean.maps = first.maps.iter().filter_map(of_method).collect();
    Some(mean)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn maps_count_equally_whatever_their_scale() {
        let image = |value: f32, map: Array2<f32>, truth| Shown {
            index: 0,
            class: 0,
            pixels: array![[value, 0.0]],
            truth,
            maps: vec![("saliency".to_owned(), map)],
        };
        let one = image(0.2, array![[10.0, -5.0]], array![[true, true]]);
        let other = image(0.4, array![[0.0, 0.1]], array![[false, true]]);
        let mean = mean_of(&[one.clone(), other]).unwrap();
        assert!((mean.pixels[[0, 0]] - 0.3).abs() < 1e-6);
        assert_eq!(mean.truth, array![[false, true]]);
        assert_eq!(mean.map("saliency"), Some(&array![[0.5, 0.25]]));
        assert!(mean_of(&[one]).is_none());
    }
}
