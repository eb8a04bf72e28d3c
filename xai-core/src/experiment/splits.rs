//! The benchmark's images in the laboratory: made once, kept in a stage, read by every later process.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use ndarray::{Array3, Axis};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::json;

use super::data::with_data;
use super::lab::Lab;
use super::settings::FIT_CODE;
use crate::attribution::Images;
use crate::benchmark::{Defect, Defects, Protocol, Samples, Split};
use crate::error::{Error, Result};
use crate::training::Examples;

/// The three splits. They share no subject (but under D7).
pub(super) struct Splits {
    pub train: Examples,
    pub validation: Examples,
    pub test: Kept,
    pub test_examples: Examples,
}

impl Lab {
    /// The images, read (or made) once a process and set of defects that change them.
    pub(super) fn splits(&self) -> Result<Arc<Splits>> {
        let defects = self.defects().of_images();
        self.once_called(&defects.to_string(), || Splits::of(self))
    }

    /// How images are made.
    pub(super) fn protocol(&self) -> Protocol {
        Protocol {
            defects: self.defects().of_images(),
            ..Protocol::corrected()
        }
    }
}

impl Splits {
    fn of(lab: &Lab) -> Result<Self> {
        let bar = lab.progress(3, "making images");
        let subjects = lab.subjects()?;
        let protocol = lab.protocol();
        let [train, validation, test] = &subjects.benchmark_parts;
        let counts = [train, validation, test].map(|part| part.subjects.end - part.subjects.start);
        let [train_split, validation_split, test_split] = protocol.splits(counts);
        let first = train.subjects.start;
        let kept = |split: Split, slices: usize| {
            let subjects = first + split.subjects.start..first + split.subjects.end;
            let kept = Kept::of(lab, &protocol, Split { subjects, ..split }, slices)?;
            bar.tick()?;
            Ok(kept)
        };
        let examples =
            |kept: &Kept| Examples::of_images(kept.images.view(), &kept.class, lab.device());
        // Under D7 the test has the slices of the validation.
        let test_slices = match protocol.defects.has(Defect::D7) {
            true => validation.slices,
            false => test.slices,
        };
        let test = kept(test_split, test_slices)?;
        Ok(Self {
            train: examples(&kept(train_split, train.slices)?),
            validation: examples(&kept(validation_split, validation.slices)?),
            test_examples: examples(&test),
            test,
        })
    }
}

/// What an experiment needs of a split's [`Samples`].
#[derive(Debug, PartialEq)]
pub(super) struct Kept {
    /// `[n, size, size]`
    images: Array3<f32>,
    /// `[n, size, size]`: the pixels of lesions.
    truth: Array3<bool>,
    /// 0 regular, 1 irregular.
    pub class: Vec<u8>,
}

/// The file of a stage: a safetensors file with `images`, `truth` (0 or 1) and `class`.
const FILE: &str = "images.safetensors";

impl Kept {
    /// A split's images from their stage. Those with defects, which few experiments ask for, are made by each process:
    /// at the paper's scale the images fill some gigabytes.
    fn of(lab: &Lab, protocol: &Protocol, split: Split, slices: usize) -> Result<Self> {
        let size = lab.settings().image_size;
        let make = || -> Result<Self> {
            let source = &*lab.subjects()?.benchmark;
            let subjects = split.subjects.clone();
            let samples = protocol.samples(source, subjects, slices, size, split.seed)?;
            Ok(samples.into())
        };
        if protocol.defects != Defects::NONE {
            return make();
        }
        let inputs = json!({
            "protocol": format!("{protocol:?}"),
            "subjects": split.subjects,
            "slices": slices,
            "size": size,
            "seed": split.seed,
            "code": FIT_CODE,
        });
        let folder = lab.stage("images", &with_data(inputs, lab.data()), |folder| {
            make()?.save(&folder.join(FILE))
        })?;
        Self::load(&folder.join(FILE))
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.class.len()
    }

    /// The images with these numbers, with their truth.
    pub fn select(&self, which: &[usize]) -> Images {
        let class = which.iter().map(|&at| self.class[at]).collect();
        Images::grey(self.images.select(Axis(0), which), class)
            .with_truth(self.truth.select(Axis(0), which))
    }

    fn save(&self, path: &Path) -> Result<()> {
        let images: Vec<u8> = self.images.iter().flat_map(|x| x.to_le_bytes()).collect();
        let truth: Vec<u8> = self.truth.iter().map(|&set| u8::from(set)).collect();
        let tensor = |name: &'static str, kind, shape: &[usize], bytes| {
            let view = TensorView::new(kind, shape.to_vec(), bytes);
            (
                name,
                view.expect("an array has as many numbers as its shape"),
            )
        };
        let tensors = [
            tensor("images", Dtype::F32, self.images.shape(), &images),
            tensor("truth", Dtype::U8, self.truth.shape(), &truth),
            tensor("class", Dtype::U8, &[self.len()], &self.class),
        ];
        safetensors::serialize_to_file(tensors, None, path)
            .map_err(|problem| Error::file(path, problem))
    }

    fn load(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|problem| Error::file(path, problem))?;
        // SAFETY: a stage's file is never changed once it is there.
        let bytes = unsafe { Mmap::map(&file) }.map_err(|problem| Error::file(path, problem))?;
        Self::parse(&bytes).map_err(|problem| {
            let stage = path.parent().unwrap_or(path).display();
            Error::file(
                path,
                format!("is damaged ({problem}); delete {stage} and run again"),
            )
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(Error::invalid)?;
        let tensor = |name: &str, kind| {
            let tensor = file.tensor(name).map_err(Error::invalid)?;
            match tensor.dtype() == kind {
                true => Ok(tensor),
                false => Err(Error::invalid(format!("{name} is not {kind:?}"))),
            }
        };
        let class = tensor("class", Dtype::U8)?.data().to_vec();
        let truth = tensor("truth", Dtype::U8)?;
        let images = tensor("images", Dtype::F32)?;
        let shape = match *images.shape() {
            [n, height, width] if n == class.len() => (n, height, width),
            _ => return Err(Error::invalid("there is not one image a class")),
        };
        let pixels = images.data().as_chunks().0.iter();
        let pixels = pixels.map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let set = truth.data().iter().map(|&set| set != 0).collect();
        Ok(Self {
            images: Array3::from_shape_vec(shape, pixels).map_err(Error::invalid)?,
            truth: Array3::from_shape_vec(shape, set).map_err(Error::invalid)?,
            class,
        })
    }
}

impl From<Samples> for Kept {
    fn from(samples: Samples) -> Self {
        Self {
            truth: samples.truth.mapv(|truth| truth > 0.0),
            images: samples.images,
            class: samples.class,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_kept_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let number = |at: (usize, usize, usize)| (at.0 * 35 + at.1 * 7 + at.2) as f32 / 70.0;
        let images = Array3::from_shape_fn((2, 5, 7), number);
        let kept = Kept::from(Samples {
            truth: images.mapv(|x| (x - 0.5).max(0.0)),
            images: images.clone(),
            class: vec![1, 0],
            subject: vec![3, 4],
        });
        kept.save(&path).unwrap();
        let read = Kept::load(&path).unwrap();
        assert_eq!(read, kept);
        assert_eq!(read.images, images);
        assert_eq!(read.truth, images.mapv(|x| x > 0.5));
        let chosen = read.select(&[1]);
        assert_eq!(chosen.class, [0]);

        let whole = std::fs::read(&path).unwrap();
        for broken in [&whole[..whole.len() - 1], &whole[..4], &[]] {
            std::fs::write(&path, broken).unwrap();
            let problem = Kept::load(&path).unwrap_err().to_string();
            assert!(
                problem.contains(FILE) && problem.contains("delete"),
                "{problem}"
            );
        }
    }
}
