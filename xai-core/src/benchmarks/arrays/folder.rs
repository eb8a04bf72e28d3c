//! The three splits together. They must have the same shape and classes, and no group in common.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::column::Column;
use super::raw_split::{Kind, RawSplit};
use super::{numpy, table};
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::key::hash_of_image;
use crate::suggest::whole_number;

/// The largest number of classes, because a class is stored in a byte.
const MOST_CLASSES: usize = 256;

/// The largest absolute value of floats beside integers that are scaled to 0 to 1. Filters may overshoot this range a little.
const LARGEST_FLOAT: f32 = 1.5;

/// The content of a folder.
pub(super) struct Folder {
    /// In the order of [`Split::ALL`].
    pub splits: [Dataset; 3],
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Two splits that share images: a split, an earlier split, and how many images of the former are also in the latter.
    pub repeated: Vec<(Split, Split, usize)>,
}

impl Folder {
    /// Reads the whole folder.
    ///
    /// # Errors
    /// If a file cannot be used. The error names the file, the row and the problem.
    pub fn read(path: &Path) -> Result<Self> {
        let read = |split| raw_split(path, split);
        let raw_splits = [
            read(Split::Train)?,
            read(Split::Validation)?,
            read(Split::Test)?,
        ];
        same_shape(&raw_splits)?;
        same_scale(&raw_splits)?;
        one_writing(raw_splits.iter().map(|raw| &raw.class))?;
        one_writing(raw_splits.iter().filter_map(|raw| raw.group.as_ref()))?;
        let classes = names(&raw_splits[0].class)?;
        let groups = groups(&raw_splits)?;
        let mut splits = Vec::with_capacity(raw_splits.len());
        for (raw, group) in raw_splits.into_iter().zip(groups) {
            splits.push(dataset(raw, group, &classes)?);
        }
        let hashes = |split: &Dataset| split.images().outer_iter().map(hash_of_image).collect();
        let hashes: Vec<Vec<_>> = splits.iter().map(hashes).collect();
        let repeated = [(2, 0), (2, 1), (1, 0)].map(|(split, earlier)| {
            let known: HashSet<_> = hashes[earlier].iter().collect();
            let count = hashes[split].iter().filter(|hash| known.contains(hash));
            (Split::ALL[split], Split::ALL[earlier], count.count())
        });
        let repeated = repeated.into_iter().filter(|(.., count)| *count > 0);
        let repeated = repeated.collect();
        let splits = splits.try_into();
        Ok(Self {
            splits: splits.expect("as many data sets as splits"),
            classes,
            repeated,
        })
    }
}

/// Reads the folder of a split.
///
/// # Errors
/// If a file cannot be used. The error names the file, the row and the problem.
fn raw_split(path: &Path, split: Split) -> Result<RawSplit> {
    let folder = path.join(split.to_string());
    if !folder.is_dir() {
        return Err(Error::file(
            folder,
            "there is no such folder; --arrays takes a folder that contains train, validation and test",
        ));
    }
    let (arrays, labels) = (folder.join(numpy::IMAGES), folder.join(table::LABELS));
    let raw = match (arrays.exists(), labels.exists()) {
        (true, false) => numpy::read(&folder)?,
        (false, true) => table::read(&folder)?,
        (true, true) => {
            return Err(Error::file(
                labels,
                "the folder also has images.npy; keep only one of the two",
            ));
        }
        (false, false) => {
            return Err(Error::file(
                folder,
                "holds no images; it needs images.npy and class.npy, or labels.csv and PNG files",
            ));
        }
    };
    match (&raw.truth, split) {
        (None, Split::Test) => Err(Error::file(
            &raw.file,
            "these images are explained, so their truth is needed: add truth.npy, or the column truth to labels.csv",
        )),
        _ => Ok(raw),
    }
}

fn same_shape(raw_splits: &[RawSplit; 3]) -> Result<()> {
    let [train, others @ ..] = raw_splits;
    match others.iter().find(|raw| raw.shape() != train.shape()) {
        Some(raw) => Err(Error::file(
            &raw.file,
            format!(
                "its images are {:?} (channels, height, width), those of {} {:?}; all must have the same shape",
                raw.shape(),
                train.file.display(),
                train.shape()
            ),
        )),
        None => Ok(()),
    }
}

/// Pixels from 0 to 255 beside pixels from 0 to 1 are a mistake of the file's type. Integers from 0 to 1 are the same in any
/// type. Floats beyond [`LARGEST_FLOAT`] are on another scale than scaled integers.
fn same_scale(raw_splits: &[RawSplit; 3]) -> Result<()> {
    let scaled = raw_splits.iter().find_map(|raw| match raw.kind {
        Kind::Scaled(kind) => Some((raw, kind)),
        Kind::Integers | Kind::Floats => None,
    });
    let unscaled = raw_splits.iter().find_map(|raw| {
        let (what, range) = match raw.kind {
            Kind::Scaled(_) => return None,
            Kind::Integers => ("integers of another type than uint8 and uint16", 0.0..=1.0),
            Kind::Floats => ("floats", -LARGEST_FLOAT..=LARGEST_FLOAT),
        };
        let mut values = raw.images.iter();
        let outside = values.find(|value| value.is_finite() && !range.contains(*value));
        outside.map(|value| (raw, what, value))
    });
    match (scaled, unscaled) {
        (Some((scaled, kind)), Some((unscaled, what, value))) => Err(Error::file(
            &unscaled.file,
            format!(
                "holds {what}, which are used as they are (such as {value}), but {} holds {kind}, which become numbers from 0 to \
                 1; save both with the same type and on the same scale, for example by `images.astype(\"uint8\")` if they are from \
                 0 to 255",
                scaled.file.display()
            ),
        )),
        _ => Ok(()),
    }
}

/// No number may be written in two ways, such as `007` and `7`. Names are compared as texts, so these would be two.
fn one_writing<'a>(columns: impl Iterator<Item = &'a Column>) -> Result<()> {
    let mut known: HashMap<i128, (&Column, usize)> = HashMap::new();
    for column in columns {
        for (image, text) in column.texts.iter().enumerate() {
            let Some(number) = whole_number(text) else {
                continue;
            };
            let &mut (other, at) = known.entry(number).or_insert((column, image));
            if other.texts[at] != *text {
                return Err(column.error(
                    image,
                    format!(
                        "is the same number as {} in {} ({}); write a {} in the same way everywhere, or begin it with a letter if \
                         it is another one",
                        other.texts[at],
                        other.file.display(),
                        other.place(at),
                        column.what
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// The classes of the training images. They are in numerical order if all are numbers, and
/// otherwise in alphabetical order.
fn names(class: &Column) -> Result<Vec<String>> {
    let names: BTreeSet<&String> = class.texts.iter().collect();
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    let numbers = names.iter().map(|name| name.parse::<i128>());
    if numbers.collect::<Result<Vec<_>, _>>().is_ok() {
        names.sort_by_key(|name| name.parse::<i128>().ok());
    }
    match names.len() {
        1 => Err(class.error(
            0,
            "is that of all training images; there must be two classes at least",
        )),
        2..=MOST_CLASSES => Ok(names),
        count => Err(Error::file(
            &class.file,
            format!("has {count} classes; there can be {MOST_CLASSES} at most"),
        )),
    }
}

/// The groups of each split as numbers. No group may be in two splits.
fn groups(raw_splits: &[RawSplit; 3]) -> Result<[Option<Vec<u32>>; 3]> {
    let has = |wanted| raw_splits.iter().find(|raw| raw.group.is_some() == wanted);
    if let (Some(with), Some(without)) = (has(true), has(false)) {
        return Err(Error::file(
            &without.file,
            format!(
                "these images have no groups, but those of {} have; give groups to all three splits or to none, because \
                 otherwise nobody can tell whether two splits share a group",
                with.file.display()
            ),
        ));
    }
    // The number of each group, and where it first appeared.
    let mut known: HashMap<&str, (u32, usize, String)> = HashMap::new();
    let mut numbers = [None, None, None];
    for (split, raw) in raw_splits.iter().enumerate() {
        let Some(column) = &raw.group else { continue };
        let mut of_split = Vec::with_capacity(column.texts.len());
        for (image, text) in column.texts.iter().enumerate() {
            let next = known.len() as u32;
            let place = || (next, split, column.place(image));
            let (number, first, at) = known.entry(text).or_insert_with(place);
            if *first != split {
                let other = raw_splits[*first].group.as_ref().expect("all have groups");
                return Err(column.error(
                    image,
                    format!(
                        "is in {} as well ({at}); a group may be in only one split, so that the test has no images of the training groups",
                        other.file.display()
                    ),
                ));
            }
            of_split.push(*number);
        }
        numbers[split] = Some(of_split);
    }
    Ok(numbers)
}

fn dataset(raw: RawSplit, group: Option<Vec<u32>>, classes: &[String]) -> Result<Dataset> {
    let number = |(image, text): (usize, &String)| {
        let number = classes.iter().position(|class| class == text);
        let number = number.ok_or_else(|| {
            let classes = classes.join(", ");
            let problem = format!("has no training image; those are of the classes {classes}");
            raw.class.error(image, problem)
        })?;
        Ok(u8::try_from(number).expect("256 classes at most"))
    };
    let class = raw.class.texts.iter().enumerate().map(number);
    let class = class.collect::<Result<Vec<_>>>()?;
    let named = |problem| Error::file(&raw.file, problem);
    let mut dataset = Dataset::new(raw.images, class).map_err(named)?;
    if let Some(truth) = raw.truth {
        dataset = dataset.with_truth(truth).map_err(named)?;
    }
    match group {
        Some(group) => dataset.with_group(group).map_err(named),
        None => Ok(dataset),
    }
}
