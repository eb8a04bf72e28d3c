//! Images as a tiny network takes them.

/// Images in rows, and the class of each.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// `[n][c h w]`.
    pub pixels: &'a [f32],
    /// `[n]`.
    pub class: &'a [u8],
}
