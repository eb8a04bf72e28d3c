//! Heat maps to be shown to the user, collected when they are scored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ndarray::Array2;

use crate::random;

/// The names of an image's other parts in the file of its heat maps. No method may have them.
pub(super) const PARTS: [&str; 2] = ["pixels", "truth"];

/// An explained image with the heat maps that were scored.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The image's index in its split.
    pub index: u32,
    /// Its true class.
    pub class: u8,
    /// The image `[h, w]`, the mean of its channels.
    pub pixels: Array2<f32>,
    /// The ground truth, `[h, w]`.
    pub truth: Array2<bool>,
    /// The name of each method and its heat map `[h, w]`, combined as it was scored.
    pub maps: Vec<(String, Array2<f32>)>,
}

impl Shown {
    /// The heat map of a method.
    pub fn map(&self, method: &str) -> Option<&Array2<f32>> {
        let mut maps = self.maps.iter();
        maps.find(|(name, _)| name == method).map(|(_, map)| map)
    }
}

/// Collects the heat maps of the first few images in [`Panel::score`](super::Panel::score).
///
/// What a report shows is therefore exactly what was scored.
#[derive(Clone, Debug)]
pub(crate) struct Gallery {
    /// The maximum number of images.
    room: usize,
    kept: Arc<Mutex<Kept>>,
}

/// The images so far.
#[derive(Debug, Default)]
struct Kept {
    /// By index.
    shown: BTreeMap<u32, Shown>,
    /// The methods with two different maps of one image, such as by two settings.
    ambiguous: BTreeSet<String>,
}

impl Gallery {
    /// An empty gallery for this number of images.
    pub fn new(room: usize) -> Self {
        Self {
            room,
            kept: Arc::default(),
        }
    }

    /// Reserves places for some of `count` images, spread evenly. `image` returns the image at a position.
    pub fn open_for(&self, count: usize, image: impl Fn(usize) -> Shown) {
        let shown = &mut self.kept().shown;
        let free = self.room.saturating_sub(shown.len()).min(count);
        for image in random::spaced(free, count).into_iter().map(image) {
            shown.entry(image.index).or_insert(image);
        }
    }

    /// Keeps a method's heat map of an image, if the image is among those shown.
    pub fn keep(&self, index: u32, method: &str, map: &Array2<f32>) {
        let Kept { shown, ambiguous } = &mut *self.kept();
        let Some(image) = shown.get_mut(&index) else {
            return;
        };
        match image.map(method) {
            None => image.maps.push((method.to_owned(), map.clone())),
            Some(known) if same_bits(known, map) => {}
            Some(_) => {
                ambiguous.insert(method.to_owned());
            }
        }
    }

    /// The images that have a heat map, by index.
    ///
    /// A method with two different maps of one image is left out. The experiment gives the scores of one of them another
    /// name later, so nobody knows here to which of the two a score belongs.
    pub fn take(&self) -> Vec<Shown> {
        let Kept { shown, ambiguous } = std::mem::take(&mut *self.kept());
        let clear = |mut image: Shown| {
            image.maps.retain(|(method, _)| !ambiguous.contains(method));
            image
        };
        let explained = |image: &Shown| !image.maps.is_empty();
        shown.into_values().map(clear).filter(explained).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn same_bits(a: &Array2<f32>, b: &Array2<f32>) -> bool {
    let bits = |map: &Array2<f32>| map.map(|value| value.to_bits());
    bits(a) == bits(b)
}
