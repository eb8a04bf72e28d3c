//! One image: which lesions it has, where, and how they look.

use std::borrow::Cow;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use rand::Rng;
use rand::seq::{SliceRandom, index};

use crate::benchmarks::lesions::making::{Class, Lesion, Library, Recipe, placement, published};
use crate::benchmarks::lesions::making::{Defect, Protocol};
use crate::error::{Error, Result};
use crate::image::Resizer;
use crate::random::numpy::RandomState;
use crate::random::stream;

/// How often the lesions of a slice are drawn again if they do not fit, and how often each lesion
/// is tried.
const MOST_REDRAWS: usize = 20;
const MOST_TRIES: usize = 2_000;
/// The public code tries forever.
const MOST_TRIES_AS_PUBLISHED: usize = 1_000_000;
/// The weight of a lesion's weakest pixel in the blend under D1.
const FAINT: f64 = 0.1;

/// Paints lesions into slices. Made by [`Protocol::painter`].
pub struct Painter<'a> {
    protocol: &'a Protocol,
    regular: Vec<Arc<Shown>>,
    irregular: Vec<Arc<Shown>>,
    seed: u64,
    /// One per image. Under D6, the class is drawn with the image.
    class: Vec<Class>,
}

/// A lesion of the library.
#[derive(Debug)]
struct Shown {
    /// The lesion as in the library.
    lesion: Array2<f64>,
    /// How far each pixel is moved towards white, in [0, 1].
    mask: Array2<f64>,
}

/// A slice with lesions, at the slice's own resolution; all arrays have its shape.
#[derive(Clone, Debug)]
pub struct Painted {
    /// The class of its lesions.
    pub class: Class,
    /// The image, in [0, 1] for a slice in [0, 1].
    pub image: Array2<f64>,
    draw: Draw,
}

impl Painted {
    /// How far each pixel was moved towards white, in [0, 1].
    pub fn mask(&self) -> Array2<f64> {
        let patches = self.draw.lesions.iter().map(|shown| shown.mask.view());
        placement::on_a_page(self.image.dim().into(), patches, &self.draw.corners)
    }

    /// The lesions as in their library. A pixel belongs to a lesion if this is above 0.
    pub fn truth(&self) -> Array2<f64> {
        let patches = self.draw.lesions.iter().map(|shown| shown.lesion.view());
        placement::on_a_page(self.image.dim().into(), patches, &self.draw.corners)
    }

    /// Image and ground truth in the size for a network.
    pub fn resized(&self, resizer: &Resizer) -> [Array2<f32>; 2] {
        let lesions = self.draw.lesions.iter().map(|shown| shown.lesion.view());
        let lesions: Vec<_> = lesions.zip(self.draw.corners.iter().copied()).collect();
        [
            resizer.resize_as(self.image.view(), |v| v as f32),
            resizer.resize_patches(&lesions, |v| v as f32),
        ]
    }
}

/// The lesions of one image, and the corners of their boxes.
#[derive(Clone, Debug)]
struct Draw {
    class: Class,
    lesions: Vec<Arc<Shown>>,
    corners: Vec<[usize; 2]>,
}

impl<'a> Painter<'a> {
    /// `split` names the set of images whose classes are drawn together.
    pub(crate) fn new(
        protocol: &'a Protocol,
        count: usize,
        seed: u64,
        split: &str,
    ) -> Result<Self> {
        protocol.check()?;
        if protocol.defects.has(Defect::OneSeed) && seed.saturating_add(count as u64) > 1 << 32 {
            return Err(Error::invalid(format!(
                "under D6 each image uses one of NumPy's seeds, which end at {}, so {count} images cannot \
                 start at seed {seed}; give a lower seed",
                u32::MAX
            )));
        }
        let library = if protocol.recipe == Recipe::published() {
            Cow::Borrowed(published())
        } else {
            Cow::Owned(Library::make(&protocol.recipe)?)
        };
        let weakest = if protocol.defects.has(Defect::FaintRectangles) {
            FAINT
        } else {
            0.0
        };
        let shown = |lesion: &Lesion| {
            Arc::new(Shown {
                lesion: lesion.patch.clone(),
                mask: placement::stretched(lesion, weakest, protocol.strongest),
            })
        };
        Ok(Self {
            protocol,
            regular: library.regular.iter().map(shown).collect(),
            irregular: library.irregular.iter().map(shown).collect(),
            seed,
            class: balanced(count, seed, split),
        })
    }

    /// Paints image number `number` on a slice in [0, 1] that is above 0 only in the brain.
    ///
    /// `name` identifies the image in its random streams. Under D6, the image uses the seed of its
    /// number. Returns `None` if the slice has no room for the lesions.
    ///
    /// # Panics
    /// If the painter was made for fewer images.
    pub fn paint(&self, number: usize, name: &str, slice: ArrayView2<f64>) -> Option<Painted> {
        let brain = slice.mapv(|v| v > 0.0);
        let draw = if self.protocol.defects.has(Defect::OneSeed) {
            self.as_published(number, brain.view())?
        } else {
            self.independently(self.class[number], name, brain.view())?
        };
        let masks = draw.lesions.iter().map(|shown| shown.mask.view());
        Some(Painted {
            class: draw.class,
            image: placement::blend(slice, masks, &draw.corners),
            draw,
        })
    }

    fn library(&self, class: Class) -> &[Arc<Shown>] {
        match class {
            Class::Regular => &self.regular,
            Class::Irregular => &self.irregular,
        }
    }

    /// Number, choice and positions come from separate streams.
    fn independently(&self, class: Class, name: &str, brain: ArrayView2<bool>) -> Option<Draw> {
        let stream = |purpose| stream(self.seed, &format!("benchmark/{purpose}/{name}"));
        let (mut counts, mut choices) = (stream("count"), stream("choice"));
        let mut places = stream("position");
        let library = self.library(class);
        // Lesions that do not fit are drawn again from the same streams.
        (0..MOST_REDRAWS).find_map(|_| {
            let count = counts.random_range(self.protocol.lesions.clone());
            let chosen: Vec<usize> = if self.always_the_first(class) {
                (0..count).collect()
            } else {
                index::sample(&mut choices, library.len(), count).into_vec()
            };
            self.place(class, &chosen, brain, MOST_TRIES, |n| {
                places.random_range(0..n)
            })
        })
    }

    /// Everything comes from one of NumPy's generators, which is seeded twice (D6).
    fn as_published(&self, number: usize, brain: ArrayView2<bool>) -> Option<Draw> {
        let seed = (self.seed + number as u64) as u32;
        let mut random = RandomState::new(seed);
        let (fewest, most) = self.protocol.lesions.clone().into_inner();
        let count = random.randint(fewest as i64..most as i64 + 1) as usize;
        let class = [Class::Regular, Class::Irregular][random.randint(0..2) as usize];
        let mut order: Vec<usize> = (0..self.library(class).len()).collect();
        if !self.always_the_first(class) {
            random.shuffle(&mut order);
        }
        let mut random = RandomState::new(seed);
        self.place(
            class,
            &order[..count],
            brain,
            MOST_TRIES_AS_PUBLISHED,
            |n| random.choice(n),
        )
    }

    /// D2. The public code shuffles something else there, but no draw that matters follows before
    /// the second seed.
    fn always_the_first(&self, class: Class) -> bool {
        class == Class::Regular && self.protocol.defects.has(Defect::SameLesions)
    }

    fn place(
        &self,
        class: Class,
        chosen: &[usize],
        brain: ArrayView2<bool>,
        most_tries: usize,
        draw: impl FnMut(usize) -> usize,
    ) -> Option<Draw> {
        let library = self.library(class);
        let lesions: Vec<_> = chosen.iter().map(|&which| library[which].clone()).collect();
        let masks: Vec<_> = lesions.iter().map(|shown| shown.mask.view()).collect();
        let corners = placement::positions(brain, &masks, most_tries, draw)?;
        Some(Draw {
            class,
            lesions,
            corners,
        })
    }
}

/// Both classes equally often (except for one image of an odd number), in random order.
fn balanced(count: usize, seed: u64, split: &str) -> Vec<Class> {
    let rng = &mut stream(seed, &format!("benchmark/class/{split}"));
    let mut classes: Vec<Class> = (0..count)
        .map(|i| {
            if i % 2 == 0 {
                Class::Regular
            } else {
                Class::Irregular
            }
        })
        .collect();
    classes.shuffle(rng);
    classes
}
