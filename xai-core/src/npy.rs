//! Reads NumPy's `.npy` files.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use half::f16;
use ndarray::ArrayD;
use npyz::{DType, Deserialize, NpyFile, Order, TypeChar};

use crate::error::{Error, Result};

/// One number of a file, in the file's own type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A boolean.
    Bool(bool),
    /// An unsigned integer of 8 bits.
    U8(u8),
    /// An unsigned integer of 16 bits.
    U16(u16),
    /// Any other integer.
    Integer(i128),
    /// A float of 16, 32 or 64 bits.
    Float(f64),
}

impl Number {
    /// The same number as a float. 64-bit integers are rounded to 53 bits.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Bool(value) => u8::from(value).into(),
            Self::U8(value) => value.into(),
            Self::U16(value) => value.into(),
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// Reads an array of numbers or booleans. `number` converts each of them.
///
/// # Errors
/// If the file cannot be read, is cut off, is not a `.npy` file, or holds something else.
pub fn read<T>(path: &Path, number: impl Fn(Number) -> T) -> Result<ArrayD<T>> {
    let wrong = |problem: String| Error::file(path, problem);
    let file = File::open(path).map_err(|problem| wrong(problem.to_string()))?;
    let npy = NpyFile::new(BufReader::new(file))
        .map_err(|problem| wrong(format!("is not a .npy file ({problem})")))?;
    let shape: Vec<usize> = npy.shape().iter().map(|&size| size as usize).collect();
    let (order, holds) = (npy.order(), npy.dtype().descr());
    let kind = match npy.dtype() {
        DType::Plain(kind) => Some((kind.type_char(), kind.size_field())),
        _ => None,
    };
    let integer = |value: i128| number(Number::Integer(value));
    let float = |value: f64| number(Number::Float(value));
    let values = match kind {
        Some((TypeChar::Float, 2)) => numbers(npy, |v: f16| float(v.into())),
        Some((TypeChar::Float, 4)) => numbers(npy, |v: f32| float(v.into())),
        Some((TypeChar::Float, 8)) => numbers(npy, float),
        Some((TypeChar::Bool, 1)) => numbers(npy, |v| number(Number::Bool(v))),
        Some((TypeChar::Uint, 1)) => numbers(npy, |v| number(Number::U8(v))),
        Some((TypeChar::Uint, 2)) => numbers(npy, |v| number(Number::U16(v))),
        Some((TypeChar::Uint, 4)) => numbers(npy, |v: u32| integer(v.into())),
        Some((TypeChar::Uint, 8)) => numbers(npy, |v: u64| integer(v.into())),
        Some((TypeChar::Int, 1)) => numbers(npy, |v: i8| integer(v.into())),
        Some((TypeChar::Int, 2)) => numbers(npy, |v: i16| integer(v.into())),
        Some((TypeChar::Int, 4)) => numbers(npy, |v: i32| integer(v.into())),
        Some((TypeChar::Int, 8)) => numbers(npy, |v: i64| integer(v.into())),
        _ => {
            return Err(wrong(format!(
                "holds {holds}; should hold floats or integers of up to 64 bits, or booleans"
            )));
        }
    };
    let values = values.map_err(|problem| match problem.kind() {
        ErrorKind::UnexpectedEof => wrong(format!(
            "is cut off: its header promises {shape:?} numbers of the type {holds}, but the file ends before; get it again"
        )),
        _ => wrong(problem.to_string()),
    })?;
    let array = match order {
        Order::C => ArrayD::from_shape_vec(shape, values),
        Order::Fortran => {
            let reversed: Vec<usize> = shape.into_iter().rev().collect();
            ArrayD::from_shape_vec(reversed, values).map(ArrayD::reversed_axes)
        }
    };
    array.map_err(|problem| wrong(problem.to_string()))
}

fn numbers<F: Deserialize, T>(
    npy: NpyFile<impl Read>,
    number: impl Fn(F) -> T,
) -> std::io::Result<Vec<T>> {
    let values = npy.data::<F>().map_err(std::io::Error::other)?;
    values.map(|value| value.map(&number)).collect()
}
