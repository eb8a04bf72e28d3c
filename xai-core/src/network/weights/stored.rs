//! Tensors as stored in a file. Their numbers are converted when a layer requests them. Reading a
//! file therefore takes no more memory than the network, whatever sizes the file claims.

use std::collections::BTreeMap;
use std::rc::Rc;

use burn::tensor::{DType, TensorData};

/// Named tensors.
pub type Tensors<'a> = BTreeMap<String, Stored<'a>>;

/// A tensor of a file.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    /// Its name in the file.
    pub name: String,
    pub shape: Vec<usize>,
    pub numbers: Numbers<'a>,
}

/// The storage of a tensor.
#[derive(Clone, Debug)]
pub enum Numbers<'a> {
    /// Floats that are already converted.
    Own(Rc<Vec<f32>>),
    /// Little-endian floats, the last axis fastest.
    Packed(DType, &'a [u8]),
    /// Little-endian floats, of which the tensor uses some, in its own order.
    View {
        kind: DType,
        storage: &'a [u8],
        /// In numbers, like the strides.
        offset: usize,
        stride: Vec<usize>,
    },
    /// Integers of 64 bits, such as the sizes of a padding.
    Integers(Rc<Vec<i64>>),
    /// Not readable as floats: the actual type, such as `int32`.
    Other(String),
}

impl Stored<'_> {
    /// From converted numbers.
    pub fn own(name: impl Into<String>, shape: Vec<usize>, numbers: Vec<f32>) -> Self {
        Self {
            name: name.into(),
            shape,
            numbers: Numbers::Own(Rc::new(numbers)),
        }
    }

    /// The number of values. `None` if it exceeds any memory.
    pub fn count(&self) -> Option<usize> {
        count(&self.shape)
    }

    /// The numbers as 32-bit floats, the last axis fastest.
    ///
    /// # Errors
    /// If numbers are missing or are not floats.
    pub fn floats(&self) -> Result<Rc<Vec<f32>>, String> {
        let count = self.count().ok_or("is larger than any memory")?;
        let floats = match &self.numbers {
            Numbers::Own(numbers) => return Ok(Rc::clone(numbers)),
            Numbers::Packed(kind, bytes) => {
                if bytes.len() != count * kind.size() {
                    let (shape, found) = (&self.shape, bytes.len());
                    return Err(format!("should be {shape:?}, but has {found} bytes"));
                }
                convert(*kind, bytes)?
            }
            Numbers::View {
                kind,
                storage,
                offset,
                stride,
            } => {
                let bytes = gathered(&self.shape, stride, *offset, storage, kind.size())
                    .ok_or("some of its numbers are not in the file")?;
                convert(*kind, &bytes)?
            }
            Numbers::Integers(_) => return Err(no_floats("int64")),
            Numbers::Other(kind) => return Err(no_floats(kind)),
        };
        Ok(Rc::new(floats))
    }

    /// The same numbers, where `order[i]` is the previous position of the value now at position i.
    /// Values that are neither floats nor integers stay as they are.
    pub fn reordered(self, shape: Vec<usize>, order: impl Iterator<Item = usize>) -> Self {
        let numbers = match (self.floats(), self.numbers) {
            (Ok(floats), _) => Numbers::Own(Rc::new(order.map(|place| floats[place]).collect())),
            (Err(_), Numbers::Integers(numbers)) => {
                Numbers::Integers(Rc::new(order.map(|place| numbers[place]).collect()))
            }
            (Err(_), others) => others,
        };
        Self {
            name: self.name,
            shape,
            numbers,
        }
    }

    /// The transpose of a matrix. Other tensors are unchanged.
    pub fn transposed(self) -> Self {
        let &[rows, columns] = self.shape.as_slice() else {
            return self;
        };
        let order = (0..rows * columns).map(|place| place % rows * columns + place / rows);
        self.reordered(vec![columns, rows], order)
    }
}

fn no_floats(kind: &str) -> String {
    format!("holds {kind}, should hold floats of 16, 32 or 64 bits")
}

/// The number of values of a tensor with this shape. `None` if it exceeds any memory.
pub fn count(shape: &[usize]) -> Option<usize> {
    let count = shape
        .iter()
        .try_fold(1usize, |n, &size| n.checked_mul(size));
    count.filter(|count| *count < usize::MAX / 8)
}

/// Little-endian `bytes` of a type as 32-bit floats.
pub fn convert(kind: DType, bytes: &[u8]) -> Result<Vec<f32>, String> {
    match kind {
        DType::F32 => {
            let numbers = bytes.as_chunks::<4>().0.iter();
            Ok(numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect())
        }
        _ => TensorData::from_bytes_vec(bytes.to_vec(), [bytes.len() / kind.size()], kind)
            .convert::<f32>()
            .into_vec()
            .map_err(|problem| format!("{problem:?}")),
    }
}

/// The bytes of a view in order. Its rows may be apart or exchanged with columns. `None` if the
/// storage is too short.
fn gathered(
    shape: &[usize],
    stride: &[usize],
    offset: usize,
    storage: &[u8],
    width: usize,
) -> Option<Vec<u8>> {
    let count = count(shape)?;
    if shape.len() != stride.len() {
        return None;
    }
    if count == 0 {
        return Some(Vec::new());
    }
    // The position of the last value is the largest.
    let last = (shape.iter().zip(stride)).try_fold(offset, |last, (&size, &stride)| {
        last.checked_add((size - 1).checked_mul(stride)?)
    })?;
    if last >= storage.len() / width {
        return None;
    }
    let mut bytes = Vec::with_capacity(count * width);
    for place in 0..count {
        let mut index = place;
        let mut at = offset;
        for (&size, &stride) in shape.iter().zip(stride).rev() {
            at += index % size * stride;
            index /= size;
        }
        bytes.extend_from_slice(&storage[at * width..][..width]);
    }
    Some(bytes)
}
