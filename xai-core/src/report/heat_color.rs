//! The colours of heat maps.

use colorous::INFERNO;
use ndarray::{Array2, ArrayView2};

/// A colour of red, green and blue.
pub(super) type Rgb = [u8; 3];

/// Shades on either side of 0: as many as the eye can distinguish, and few enough for small files.
pub(super) const SHADES: u8 = 63;

/// The colours from the most negative shade to the most positive, 2 [`SHADES`] + 1 of them.
///
/// 0 is black. Evidence for the class runs from red over yellow to white, as in the paper
/// ("inferno", whose order of brightness is the same for any colour vision). Evidence against the
/// class has the same colours with red and blue exchanged.
pub(super) fn colors() -> Vec<Rgb> {
    let positive = |shade: u8| {
        // The lowest shade of inferno is black with a little blue.
        let color = INFERNO.eval_rational(shade.into(), usize::from(SHADES) + 1);
        let strength = f64::from(shade.min(4)) / 4.0;
        [color.r, color.g, color.b].map(|part| (f64::from(part) * strength).round() as u8)
    };
    let negative = (1..=SHADES).rev().map(|shade| {
        let [r, g, b] = positive(shade);
        [b, g, r]
    });
    negative.chain((0..=SHADES).map(positive)).collect()
}

/// The largest absolute value of a map.
pub(super) fn largest(map: ArrayView2<f32>) -> f32 {
    map.iter().fold(0.0, |largest, v| largest.max(v.abs()))
}

/// The index of each pixel's colour in [`colors`]. The largest absolute value of the map has the
/// brightest colour.
pub(super) fn shades(map: ArrayView2<f32>) -> Array2<u8> {
    shades_up_to(map, largest(map))
}

/// As [`shades`], with the brightest colour at `largest`, which no value may exceed.
pub(super) fn shades_up_to(map: ArrayView2<f32>, largest: f32) -> Array2<u8> {
    // In 32 bits the scale of a tiny map would be infinite.
    let scale = if largest > 0.0 {
        f64::from(SHADES) / f64::from(largest)
    } else {
        0.0
    };
    map.mapv(|value| (f64::from(SHADES) + f64::from(value) * scale).round() as u8)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_brightest_is_the_farthest_from_zero() {
        let middle = SHADES;
        assert_eq!(
            shades(array![[0.0, 2.0, 4.0, -4.0]].view()),
            array![[middle, middle + 32, 2 * SHADES, 0]]
        );
        assert_eq!(shades(array![[0.0, 0.0]].view()), array![[middle, middle]]);
        assert_eq!(
            shades(array![[0.0, 1e-38, -1e-38]].view()),
            array![[middle, 2 * SHADES, 0]]
        );
        assert_eq!(
            shades_up_to(array![[0.0, 2.0]].view(), 4.0),
            array![[middle, middle + 32]]
        );
    }

    #[test]
    fn zero_is_black_and_brightness_rises_on_both_sides() {
        let colors = colors();
        let middle = usize::from(SHADES);
        assert_eq!(colors.len(), 2 * middle + 1);
        assert_eq!(colors[middle], [0, 0, 0]);
        let brightness = |rgb: &Rgb| rgb.iter().map(|&part| u32::from(part)).sum::<u32>();
        for side in [&colors[middle..], &colors[..=middle]] {
            let mut levels: Vec<u32> = side.iter().map(brightness).collect();
            levels.sort_unstable();
            levels.dedup();
            assert_eq!(
                levels.len(),
                middle + 1,
                "each shade has a brightness of its own"
            );
        }
    }
}
