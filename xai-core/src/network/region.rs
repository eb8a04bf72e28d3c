//! Regions of images: where they differ from something, and which part of a layer's output this
//! affects.

use std::ops::Range;

use super::ops::Window;

/// One run of columns, which may be empty, for each row of pixels of each image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Region {
    /// Rows and columns of an image.
    plane: [usize; 2],
    /// `[image][row]`
    spans: Vec<Range<usize>>,
}

impl Region {
    /// All of `images` images.
    pub fn whole(images: usize, plane: [usize; 2]) -> Self {
        let spans = vec![0..plane[1]; images * plane[0]];
        Self { plane, spans }
    }

    /// From the first to the last pixel of each row for which `inside` is true (called with image,
    /// row and column).
    pub fn of(
        images: usize,
        plane @ [h, w]: [usize; 2],
        inside: impl Fn(usize, usize, usize) -> bool,
    ) -> Self {
        let span = |at: usize| {
            let inside = |&column: &usize| inside(at / h, at % h, column);
            match (0..w).find(inside) {
                Some(first) => first..(0..w).rfind(inside).expect("the first, if no other") + 1,
                None => 0..0,
            }
        };
        let spans = (0..images * h).map(span).collect();
        Self { plane, spans }
    }

    /// The region of some of the images.
    pub fn select(&self, images: &[usize]) -> Self {
        let rows = self.plane[0];
        let spans = images
            .iter()
            .flat_map(|&image| &self.spans[image * rows..][..rows]);
        let spans = spans.cloned().collect();
        Self { spans, ..*self }
    }

    /// The number of images.
    pub fn images(&self) -> usize {
        self.spans.len() / self.plane[0]
    }

    /// Rows and columns of an image.
    pub fn plane(&self) -> [usize; 2] {
        self.plane
    }

    /// The columns of a row of an image.
    pub fn span(&self, image: usize, row: usize) -> Range<usize> {
        self.spans[image * self.plane[0] + row].clone()
    }

    /// The columns that rows `rows` of an image need together. Rows outside the image need none.
    pub fn hull(&self, image: usize, rows: Range<usize>) -> Range<usize> {
        let rows = rows.start..rows.end.min(self.plane[0]);
        let spans = rows.map(|row| self.span(image, row));
        let spans = spans.filter(|span| !span.is_empty());
        spans
            .reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
            .unwrap_or(0..0)
    }

    /// The pixels of a convolution's or pooling's output that depend on any of these.
    pub fn through(&self, window: &Window) -> Self {
        let Window {
            kernel,
            stride,
            padding,
        } = *window;
        let plane @ [h, w] = window.output(self.plane);
        let span = |at: usize| {
            let (image, row) = (at / h, at % h);
            let first = row * stride[0];
            let rows =
                first.saturating_sub(padding[0])..(first + kernel[0]).saturating_sub(padding[0]);
            let seen = self.hull(image, rows);
            if seen.is_empty() {
                return 0..0;
            }
            // Column c depends on the kernel's width of columns from c * stride - padding on.
            let first = (seen.start + padding[1] + 1).saturating_sub(kernel[1]);
            let last = (seen.end - 1 + padding[1]) / stride[1];
            first.div_ceil(stride[1])..(last + 1).min(w)
        };
        let images = self.images();
        let spans = (0..images * h).map(span).collect();
        Self { plane, spans }
    }

    /// Enlarged to whole tiles of `tile` by `tile` pixels.
    pub fn in_tiles(&self, tile: usize) -> Self {
        let [h, w] = self.plane;
        let span = |at: usize| {
            let first = at % h / tile * tile;
            let span = self.hull(at / h, first..first + tile);
            span.start / tile * tile..span.end.next_multiple_of(tile).min(w)
        };
        let spans = (0..self.spans.len()).map(span).collect();
        Self { spans, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_window_sees_is_what_its_definition_says() {
        let inside = |image: usize, row: usize, column: usize| {
            (row + image).abs_diff(7) + column.abs_diff(5) < 3 + image
        };
        let plane = [17, 13];
        let region = Region::of(2, plane, inside);
        assert!(region.span(0, 0).is_empty());
        for (kernel, stride, padding) in [(3, 1, 1), (2, 2, 0), (3, 2, 1), (5, 1, 0), (1, 1, 0)] {
            let window = Window {
                kernel: [kernel; 2],
                stride: [stride; 2],
                padding: [padding; 2],
            };
            let [h, w] = window.output(plane);
            let sees = |image: usize, row: usize, column: usize| {
                let taps = (0..kernel).flat_map(|y| (0..kernel).map(move |x| (y, x)));
                taps.into_iter().any(|(y, x)| {
                    let row = (row * stride + y).wrapping_sub(padding);
                    let column = (column * stride + x).wrapping_sub(padding);
                    row < plane[0] && column < plane[1] && inside(image, row, column)
                })
            };
            assert_eq!(region.through(&window), Region::of(2, [h, w], sees));
        }
    }

    #[test]
    fn tiles_cover() {
        let region = Region::of(1, [6, 7], |_, row, column| row == 3 && column == 5);
        let tiles = region.in_tiles(4);
        for row in 0..6 {
            assert_eq!(tiles.span(0, row), if row < 4 { 4..7 } else { 0..0 });
        }
    }
}
