//! The embedded font: the width of a text, and its letters as pixels.
//!
//! Plotters can do both, but it ignores the space at the left of a letter, which makes words
//! uneven.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};

/// DejaVu Sans; see `assets/font/README.md`.
static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../assets/font/DejaVuSans-subset.ttf"))
        .expect("the embedded font is part of the program and parses")
});

/// Half the height of a capital of DejaVu Sans, as a fraction of the font size. It is used to
/// centre a text on a line.
pub(super) const HALF_CAPITAL: f64 = 0.365;

/// The width of a text in pixels; `size` is the font size (em).
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    laid_out(text, size).1
}

/// Calls `dot` for every pixel covered by the text, with its position relative to the start of the
/// baseline (x to the right, y down) and its coverage, 0 to 1.
pub(super) fn text_pixels(text: &str, size: f64, mut dot: impl FnMut(i32, i32, f64)) {
    for glyph in laid_out(text, size).0 {
        let Some(outline) = FONT.outline_glyph(glyph) else {
            continue; // a space
        };
        let corner = outline.px_bounds().min;
        let (left, top) = (corner.x as i32, corner.y as i32);
        outline.draw(|x, y, cover| dot(left + x as i32, top + y as i32, f64::from(cover)));
    }
}

/// The letters with their positions, and the position of the next letter.
fn laid_out(text: &str, size: f64) -> (Vec<Glyph>, f64) {
    // ab_glyph's scale is the height of a line, not the font size.
    let units = FONT.units_per_em().unwrap_or(1000.0);
    let scale = PxScale::from(size as f32 * FONT.height_unscaled() / units);
    let font = FONT.as_scaled(scale);
    let mut x = 0.0;
    let mut before = None;
    let glyphs = text
        .chars()
        .map(|letter| {
            let id = font.glyph_id(letter);
            x += before.map_or(0.0, |before| font.kern(before, id));
            before = Some(id);
            let glyph = id.with_scale_and_position(scale, point(x, 0.0));
            x += font.h_advance(id);
            glyph
        })
        .collect();
    (glyphs, f64::from(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_as_large_as_the_font_says() {
        // In DejaVu Sans 2.37, with 2048 units per em, "H" is 1540 wide and 1493 high and starts at
        // 201.
        assert!((text_width("HH", 204.8) - 2.0 * 154.0).abs() < 0.01);
        let (mut left, mut top, mut bottom) = (i32::MAX, i32::MAX, i32::MIN);
        text_pixels("H", 204.8, |x, y, cover| {
            if cover > 0.5 {
                (left, top, bottom) = (left.min(x), top.min(y), bottom.max(y));
            }
        });
        assert_eq!((left, top, bottom), (20, -149, -1));
        assert!((HALF_CAPITAL - 1493.0 / 2048.0 / 2.0).abs() < 0.001);
    }

    #[test]
    fn every_letter_of_the_reports_is_in_the_font() {
        for letter in ('!'..='~').chain("×äé–ε≤±".chars()) {
            assert_ne!(FONT.glyph_id(letter).0, 0, "{letter}");
        }
    }
}
