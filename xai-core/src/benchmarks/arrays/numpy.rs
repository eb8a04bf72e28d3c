//! A split in `.npy` files.

use std::cell::Cell;
use std::path::Path;

use ndarray::{Array3, ArrayD, Axis, Ix3, Ix4};

use super::column::Column;
use super::raw_split::{Kind, RawSplit};
use crate::error::{Error, Result};
use crate::npy::{self, Number};

pub(super) const IMAGES: &str = "images.npy";
const TRUTH: &str = "truth.npy";
const CLASS: &str = "class.npy";
const GROUP: &str = "group.npy";

/// Reads the files of a folder.
pub(super) fn read(folder: &Path) -> Result<RawSplit> {
    let file = folder.join(IMAGES);
    // All numbers of a file have one type.
    let kind = Cell::new(Kind::Floats);
    let images = npy::read(&file, |number| {
        kind.set(match number {
            Number::U8(_) => Kind::Scaled("uint8"),
            Number::U16(_) => Kind::Scaled("uint16"),
            Number::Integer(_) => Kind::Integers,
            Number::Bool(_) | Number::Float(_) => Kind::Floats,
        });
        pixel(number)
    })?;
    let shape = images.shape().to_vec();
    let images = match images.ndim() {
        3 => images.insert_axis(Axis(1)),
        _ => images,
    };
    let images = images.into_dimensionality::<Ix4>().map_err(|_| {
        Error::file(
            &file,
            format!("has the shape {shape:?}; it should be [n, height, width] or [n, channels, height, width]"),
        )
    })?;
    if images.is_empty() {
        return Err(Error::file(
            &file,
            format!("has the shape {shape:?}: there is no image in it"),
        ));
    }
    let (n, _, height, width) = images.dim();
    let optional = |name: &str| Some(folder.join(name)).filter(|path| path.exists());
    let truth = optional(TRUTH).map(|path| masks(&path, [n, height, width]));
    let group = optional(GROUP).map(|path| column(&path, "group", n));
    Ok(RawSplit {
        truth: truth.transpose()?,
        class: column(&folder.join(CLASS), "class", n)?,
        group: group.transpose()?,
        images,
        kind: kind.get(),
        file,
    })
}

/// A pixel of an image. Unsigned integers of 8 or 16 bits become shares of their largest number.
fn pixel(number: Number) -> f32 {
    match number {
        Number::Bool(set) => f32::from(u8::from(set)),
        Number::U8(value) => f32::from(value) / f32::from(u8::MAX),
        Number::U16(value) => f32::from(value) / f32::from(u16::MAX),
        Number::Integer(value) => value as f32,
        Number::Float(value) => value as f32,
    }
}

/// The masks of a file. They must have this shape.
fn masks(path: &Path, shape: [usize; 3]) -> Result<Array3<bool>> {
    let values: ArrayD<f32> = npy::read(path, |number| match number {
        Number::U8(value) => value.into(), // 0 and 1, not shares of 255
        Number::U16(value) => value.into(),
        other => pixel(other),
    })?;
    if values.shape() != shape {
        return Err(Error::file(
            path,
            format!(
                "has the shape {:?}, but must have {shape:?} (images, height, width) to fit the images",
                values.shape()
            ),
        ));
    }
    let values = values
        .into_dimensionality::<Ix3>()
        .map_err(Error::invalid)?;
    let other = values
        .indexed_iter()
        .find(|&(_, &value)| value != 0.0 && value != 1.0);
    match other {
        Some(((image, row, column), value)) => Err(Error::file(
            path,
            format!(
                "row {image} (counted from 0) holds {value} in pixel row {row}, column {column}; masks hold only 0 and 1, \
                 for example as `(truth > 0)`"
            ),
        )),
        None => Ok(values.mapv(|value| value == 1.0)),
    }
}

/// The whole numbers of a file, one per image.
fn column(path: &Path, what: &'static str, images: usize) -> Result<Column> {
    let whole = |number: Number| match number {
        Number::Bool(set) => Some(i128::from(set)),
        Number::U8(value) => Some(value.into()),
        Number::U16(value) => Some(value.into()),
        Number::Integer(value) => Some(value),
        Number::Float(_) => None,
    };
    let numbers = npy::read(path, whole)?;
    if numbers.shape() != [images] {
        return Err(Error::file(
            path,
            format!(
                "has the shape {:?}, but there are {images} images; give one {what} per image, [{images}]",
                numbers.shape()
            ),
        ));
    }
    let texts = numbers
        .iter()
        .map(|number| Some(number.as_ref()?.to_string()));
    let texts = texts.collect::<Option<Vec<_>>>().ok_or_else(|| {
        Error::file(
            path,
            format!("holds floats; a {what} is a whole number: save it by `{what}.astype(int)`"),
        )
    })?;
    Ok(Column {
        what,
        file: path.to_owned(),
        texts,
        lines: None,
    })
}
