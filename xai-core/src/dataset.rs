//! Images with ground truth, on the host.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;
use ndarray::{Array3, Array4, Axis};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::{Error, Result};
use crate::key::Key;

/// The purpose of a part of a benchmark's images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// To train networks.
    Train,
    /// To select checkpoints and hyperparameters.
    Validation,
    /// To test. Neither training nor selection uses these.
    Test,
}

impl Split {
    /// All three, in the order in which they are used.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

/// The images of one split, with their classes and optionally their ground truth and groups.
///
/// Cheap to clone: the pixels are shared.
#[derive(Clone, Debug)]
pub struct Dataset {
    images: Arc<Array4<f32>>,
    truth: Option<Arc<Array3<bool>>>,
    class: Vec<u8>,
    response: Option<Vec<f32>>,
    group: Option<Vec<u32>>,
    key: OnceLock<Key>,
}

impl Dataset {
    /// Images `[n, channels, h, w]` with the class of each.
    ///
    /// Grey images have one channel. If a network takes more channels, the image is repeated on its
    /// device.
    ///
    /// # Errors
    /// If there is no image, if the number of classes differs from the number of images, or if a
    /// pixel is not finite.
    pub fn new(images: Array4<f32>, class: Vec<u8>) -> Result<Self> {
        let (n, channels, h, w) = images.dim();
        if n == 0 || channels * h * w == 0 {
            return Err(Error::invalid(format!(
                "images of the shape {:?} (images, channels, height, width) hold no pixel",
                images.dim()
            )));
        }
        if class.len() != n {
            return Err(Error::invalid(format!(
                "there are {n} images but {} classes; give one per image",
                class.len()
            )));
        }
        let broken = (images.indexed_iter()).find(|(_, value)| !value.is_finite());
        if let Some(((image, channel, row, column), value)) = broken {
            return Err(Error::invalid(format!(
                "image {image} holds {value} in channel {channel}, row {row}, column {column}; pixels are finite numbers"
            )));
        }
        Ok(Self {
            images: Arc::new(images),
            truth: None,
            class,
            response: None,
            group: None,
            key: OnceLock::new(),
        })
    }

    /// Grey images `[n, h, w]` with the class of each.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn grey(images: Array3<f32>, class: Vec<u8>) -> Result<Self> {
        Self::new(images.insert_axis(Axis(1)), class)
    }

    /// Adds the ground truth `[n, h, w]`: the pixels that determine the class. Scoring needs it;
    /// training does not.
    ///
    /// # Errors
    /// If its number of images, height or width differs.
    pub fn with_truth(self, truth: Array3<bool>) -> Result<Self> {
        let (n, _, h, w) = self.images.dim();
        if truth.dim() != (n, h, w) {
            return Err(Error::invalid(format!(
                "the truth is {:?} (images, height, width), the images are {:?}",
                truth.dim(),
                (n, h, w)
            )));
        }
        Ok(Self {
            truth: Some(Arc::new(truth)),
            key: OnceLock::new(),
            ..self
        })
    }

    /// Adds the response of each image: the number that a regression predicts, such as an age or an
    /// area. If images have no classes, give class 0 to all of them.
    ///
    /// # Errors
    /// If the number of entries is not the number of images, or one of them is not finite.
    pub fn with_response(self, response: Vec<f32>) -> Result<Self> {
        if response.len() != self.len() {
            return Err(Error::invalid(format!(
                "there are {} images but {} responses; give one per image",
                self.len(),
                response.len()
            )));
        }
        let mut responses = response.iter().enumerate();
        if let Some((image, value)) = responses.find(|(_, value)| !value.is_finite()) {
            return Err(Error::invalid(format!(
                "the response of image {image} is {value}; responses are finite numbers"
            )));
        }
        Ok(Self {
            response: Some(response),
            key: OnceLock::new(),
            ..self
        })
    }

    /// Adds the group of each image, such as its subject. No group should be in two splits.
    ///
    /// # Errors
    /// If the number of entries is not the number of images.
    pub fn with_group(self, group: Vec<u32>) -> Result<Self> {
        if group.len() != self.len() {
            return Err(Error::invalid(format!(
                "there are {} images but {} groups; give one per image",
                self.len(),
                group.len()
            )));
        }
        Ok(Self {
            group: Some(group),
            key: OnceLock::new(),
            ..self
        })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.class.len()
    }

    /// Whether there are no images. Always false.
    pub fn is_empty(&self) -> bool {
        self.class.is_empty()
    }

    /// Channels, height and width of an image.
    pub fn image_shape(&self) -> [usize; 3] {
        let (_, channels, height, width) = self.images.dim();
        [channels, height, width]
    }

    /// The pixels, `[n, channels, h, w]`.
    pub fn images(&self) -> &Array4<f32> {
        &self.images
    }

    /// The ground truth `[n, h, w]`: the pixels that determine the class.
    pub fn truth(&self) -> Option<&Array3<bool>> {
        self.truth.as_deref()
    }

    /// The class of each image.
    pub fn class(&self) -> &[u8] {
        &self.class
    }

    /// The number that a regression predicts for each image.
    pub fn response(&self) -> Option<&[f32]> {
        self.response.as_deref()
    }

    /// The group of each image.
    pub fn group(&self) -> Option<&[u32]> {
        self.group.as_deref()
    }

    /// A hash of the content. Data sets with the same key hold the same images in the same order.
    pub fn key(&self) -> &Key {
        self.key.get_or_init(|| {
            let mut hash = blake3::Hasher::new();
            hash.update(format!("{:?}", self.images.dim()).as_bytes());
            for image in self.images.outer_iter() {
                let bytes: Vec<u8> = image.iter().flat_map(|x| x.to_le_bytes()).collect();
                hash.update(&bytes);
            }
            hash.update(&self.class);
            if let Some(truth) = &self.truth {
                let bytes: Vec<u8> = truth.iter().map(|&set| u8::from(set)).collect();
                hash.update(b"truth").update(&bytes);
            }
            for group in self.group.iter().flatten() {
                hash.update(&group.to_le_bytes());
            }
            if let Some(response) = &self.response {
                hash.update(b"response");
                for value in response {
                    hash.update(&value.to_le_bytes());
                }
            }
            Key::of_hash(&hash.finalize())
        })
    }

    /// Writes a safetensors file with `images` and `class`, and with `truth` (0 or 1), `group`
    /// and `response` if they are known.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let images: Vec<u8> = self.images.iter().flat_map(|x| x.to_le_bytes()).collect();
        let truth = self.truth.as_ref().map(|truth| {
            let bytes: Vec<u8> = truth.iter().map(|&set| u8::from(set)).collect();
            (truth.shape().to_vec(), bytes)
        });
        let group = self.group.as_ref();
        let group = group.map(|group| {
            group
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect::<Vec<u8>>()
        });
        let response = self.response.as_ref();
        let response = response.map(|response| {
            response
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect::<Vec<u8>>()
        });
        let tensor = |name: &'static str, kind, shape: &[usize], bytes| {
            let view = TensorView::new(kind, shape.to_vec(), bytes);
            let view = view.expect("an array has as many numbers as its shape");
            (name, view)
        };
        let mut tensors = vec![
            tensor("images", Dtype::F32, self.images.shape(), &images),
            tensor("class", Dtype::U8, &[self.len()], &self.class),
        ];
        if let Some((shape, bytes)) = &truth {
            tensors.push(tensor("truth", Dtype::U8, shape, bytes));
        }
        if let Some(bytes) = &group {
            tensors.push(tensor("group", Dtype::U32, &[self.len()], bytes));
        }
        if let Some(bytes) = &response {
            tensors.push(tensor("response", Dtype::F32, &[self.len()], bytes));
        }
        safetensors::serialize_to_file(tensors, None, path)
            .map_err(|problem| Error::file(path, problem))
    }

    /// Reads a file written by [`save`](Self::save).
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn load(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|problem| Error::file(path, problem))?;
        // SAFETY: files of stages are written once, under another name, and never modified.
        let bytes = unsafe { Mmap::map(&file) }.map_err(|problem| Error::file(path, problem))?;
        Self::parse(&bytes).map_err(|problem| {
            let folder = path.parent().unwrap_or(path).display();
            Error::file(
                path,
                format!("is damaged ({problem}); delete {folder} and run again"),
            )
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(Error::invalid)?;
        let optional = |name: &str, kind| match file.tensor(name) {
            Err(_) => Ok(None),
            Ok(tensor) if tensor.dtype() == kind => Ok(Some(tensor)),
            Ok(_) => Err(Error::invalid(format!("{name} is not {kind:?}"))),
        };
        let needed = |name: &str, kind| {
            let tensor = optional(name, kind)?;
            tensor.ok_or_else(|| Error::invalid(format!("there are no {name}")))
        };
        let class = needed("class", Dtype::U8)?.data().to_vec();
        let images = needed("images", Dtype::F32)?;
        let &[n, channels, height, width] = images.shape() else {
            return Err(Error::invalid("images have not four dimensions"));
        };
        let pixels = images.data().as_chunks().0.iter();
        let pixels = pixels.map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let images = Array4::from_shape_vec((n, channels, height, width), pixels);
        let mut dataset = Self::new(images.map_err(Error::invalid)?, class)?;
        if let Some(truth) = optional("truth", Dtype::U8)? {
            let set = truth.data().iter().map(|&set| set != 0).collect();
            let truth = Array3::from_shape_vec((n, height, width), set);
            dataset = dataset.with_truth(truth.map_err(Error::invalid)?)?;
        }
        if let Some(group) = optional("group", Dtype::U32)? {
            let group = group.data().as_chunks().0.iter();
            dataset =
                dataset.with_group(group.map(|&bytes| u32::from_le_bytes(bytes)).collect())?;
        }
        if let Some(response) = optional("response", Dtype::F32)? {
            let response = response.data().as_chunks().0.iter();
            let response = response.map(|&bytes| f32::from_le_bytes(bytes));
            dataset = dataset.with_response(response.collect())?;
        }
        Ok(dataset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Dataset {
        let number = |at: (usize, usize, usize)| (at.0 * 35 + at.1 * 7 + at.2) as f32 / 70.0;
        let images = Array3::from_shape_fn((2, 5, 7), number);
        let truth = images.mapv(|x| x > 0.5);
        let dataset = Dataset::grey(images, vec![1, 0]).unwrap();
        let dataset = dataset.with_truth(truth).unwrap();
        let dataset = dataset.with_group(vec![3, 4]).unwrap();
        dataset.with_response(vec![0.5, -2.0]).unwrap()
    }

    #[test]
    fn what_is_read_is_what_was_kept_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images.safetensors");
        let kept = example();
        kept.save(&path).unwrap();
        let read = Dataset::load(&path).unwrap();
        assert_eq!(read.images, kept.images);
        assert_eq!(read.truth, kept.truth);
        assert_eq!((&read.class, &read.group), (&kept.class, &kept.group));
        assert_eq!(read.response(), Some(&[0.5, -2.0][..]));
        assert_eq!(read.key(), kept.key());

        let whole = std::fs::read(&path).unwrap();
        for broken in [&whole[..whole.len() - 1], &whole[..4], &[]] {
            std::fs::write(&path, broken).unwrap();
            let problem = Dataset::load(&path).unwrap_err().to_string();
            assert!(
                problem.contains("images.safetensors") && problem.contains("delete"),
                "{problem}"
            );
        }
    }

    #[test]
    fn every_pixel_class_group_and_response_is_in_the_key() {
        let key = |change: fn(&mut Dataset)| {
            let mut dataset = example();
            change(&mut dataset);
            dataset.key().clone()
        };
        let same = key(|_| ());
        assert_eq!(key(|_| ()), same);
        assert_ne!(
            key(|set| Arc::make_mut(&mut set.images)[[1, 0, 4, 6]] += f32::EPSILON),
            same
        );
        assert_ne!(key(|set| set.class[0] = 0), same);
        assert_ne!(key(|set| set.truth = None), same);
        assert_ne!(key(|set| set.group = Some(vec![3, 3])), same);
        assert_ne!(key(|set| set.response = Some(vec![0.5, 2.0])), same);
        assert_ne!(key(|set| set.response = None), same);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let images = || Array4::zeros((2, 1, 3, 3));
        let problem = |made: Result<Dataset>| made.unwrap_err().to_string();
        assert!(problem(Dataset::new(images(), vec![0])).contains("2 images but 1 classes"));
        assert!(problem(Dataset::new(Array4::zeros((0, 1, 3, 3)), vec![])).contains("no pixel"));
        let mut broken = images();
        broken[[1, 0, 2, 0]] = f32::NAN;
        assert!(
            problem(Dataset::new(broken, vec![0, 1]))
                .contains("image 1 holds NaN in channel 0, row 2")
        );
        let dataset = || Dataset::new(images(), vec![0, 1]).unwrap();
        let other = Array3::from_elem((2, 3, 4), false);
        assert!(problem(dataset().with_truth(other)).contains("(2, 3, 4)"));
        assert!(problem(dataset().with_group(vec![1])).contains("1 groups"));
        assert!(problem(dataset().with_response(vec![1.0])).contains("1 responses"));
        assert!(
            problem(dataset().with_response(vec![1.0, f32::NAN]))
                .contains("the response of image 1 is NaN")
        );
    }
}
