//! Images in the layout that a tiny network takes.

/// Images as rows, and the class of each image.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// `[n][c h w]`.
    pub pixels: &'a [f32],
    /// `[n]`.
    pub class: &'a [u8],
}
