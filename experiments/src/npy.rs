//! NumPy's `.npy` files: whole arrays, and arrays too large for memory that are read in pages.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use half::f16;
use ndarray::{Array2, ArrayBase, ArrayD, Data, Dimension};
use npyz::{
    AutoSerialize, DType, DTypeError, Deserialize, NpyFile, NpyHeader, Order, TypeChar, TypeRead,
    TypeStr, WriteOptions, WriterBuilder,
};
use xai_core::{Error, Result};

/// Reads an array of any numbers or booleans; `number` makes of each what is wanted.
///
/// # Errors
/// A file that cannot be read, is cut off or no `.npy`, has no number, or holds something else.
pub fn read<T>(path: &Path, number: fn(f64) -> T) -> Result<ArrayD<T>> {
    let wrong = |problem: String| Error::file(path, problem);
    let file = File::open(path).map_err(|problem| wrong(problem.to_string()))?;
    let npy = NpyFile::new(BufReader::new(file))
        .map_err(|problem| wrong(format!("is no .npy file ({problem})")))?;
    let shape: Vec<usize> = npy.shape().iter().map(|&size| size as usize).collect();
    let order = npy.order();
    let kind = match npy.dtype() {
        DType::Plain(kind) => Some((kind.type_char(), kind.size_field())),
        _ => None,
    };
    if shape.contains(&0) {
        return Err(wrong(format!("is {shape:?}: there is nothing in it")));
    }
    let values = match kind {
        Some((TypeChar::Float, 2)) => numbers::<Half, T>(npy, |v| number(v.0.into())),
        Some((TypeChar::Float, 4)) => numbers::<f32, T>(npy, |v| number(v.into())),
        Some((TypeChar::Float, 8)) => numbers::<f64, T>(npy, number),
        Some((TypeChar::Bool, 1)) => numbers::<bool, T>(npy, |v| number(u8::from(v).into())),
        Some((TypeChar::Uint, 1)) => numbers::<u8, T>(npy, |v| number(v.into())),
        Some((TypeChar::Uint, 2)) => numbers::<u16, T>(npy, |v| number(v.into())),
        Some((TypeChar::Uint, 4)) => numbers::<u32, T>(npy, |v| number(v.into())),
        Some((TypeChar::Uint, 8)) => numbers::<u64, T>(npy, |v| number(v as f64)),
        Some((TypeChar::Int, 1)) => numbers::<i8, T>(npy, |v| number(v.into())),
        Some((TypeChar::Int, 2)) => numbers::<i16, T>(npy, |v| number(v.into())),
        Some((TypeChar::Int, 4)) => numbers::<i32, T>(npy, |v| number(v.into())),
        Some((TypeChar::Int, 8)) => numbers::<i64, T>(npy, |v| number(v as f64)),
        _ => {
            let found = npy.dtype().descr();
            return Err(wrong(format!(
                "holds {found}; should hold floats or integers of up to 64 bits, or booleans"
            )));
        }
    };
    let values = values.map_err(|problem| wrong(problem.to_string()))?;
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

/// A float of 16 bits. `npyz` reads them too, with a feature that would make all of Burn be built twice: it asks
/// for other features of the crate `half`.
struct Half(f16);

struct HalfReader(<u16 as Deserialize>::TypeReader);

impl Deserialize for Half {
    type TypeReader = HalfReader;

    fn reader(kind: &DType) -> Result<HalfReader, DTypeError> {
        let bits = match kind {
            DType::Plain(kind) => kind.to_string().replace('f', "u").parse().ok(),
            _ => None,
        };
        u16::reader(&bits.map_or(kind.clone(), DType::Plain)).map(HalfReader)
    }
}

impl TypeRead for HalfReader {
    type Value = Half;

    fn read_one<R: Read>(&self, bytes: R) -> std::io::Result<Half> {
        self.0
            .read_one(bytes)
            .map(|bits| Half(f16::from_bits(bits)))
    }
}

/// Writes an array.
///
/// # Errors
/// If the file cannot be written.
pub fn write<S, D>(path: &Path, array: &ArrayBase<S, D>) -> Result<()>
where
    S: Data<Elem: AutoSerialize + Copy>,
    D: Dimension,
{
    let shape: Vec<u64> = array.shape().iter().map(|&size| size as u64).collect();
    let written = File::create(path).and_then(|file| {
        let mut npy = WriteOptions::new()
            .default_dtype()
            .shape(&shape)
            .writer(BufWriter::new(file))
            .begin_nd()?;
        npy.extend(array.iter().copied())?;
        npy.finish()
    });
    written.map_err(|problem| Error::file(path, problem))
}

/// A file of pages: float64 (or float32) `[n, h, w]`. Any thread can read any page.
pub struct Pages {
    path: PathBuf,
    file: File,
    /// Pages, rows, columns.
    pub shape: [usize; 3],
    /// Where the first page begins.
    start: u64,
    /// Bytes per number.
    width: usize,
}

impl Pages {
    /// # Errors
    /// A file that cannot be opened, is no `.npy`, or holds something else.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |problem: String| Error::file(path, problem);
        let mut file = File::open(path).map_err(|problem| wrong(problem.to_string()))?;
        let header = NpyHeader::from_reader(&mut file)
            .map_err(|problem| wrong(format!("is no .npy file ({problem})")))?;
        let start = (file.stream_position()).map_err(|problem| wrong(problem.to_string()))?;
        let shape: Vec<usize> = header.shape().iter().map(|&size| size as usize).collect();
        let &[n, h, w] = shape.as_slice() else {
            return Err(wrong(format!("is {shape:?}; should be slices [n, h, w]")));
        };
        if shape.contains(&0) {
            return Err(wrong(format!("is {shape:?}: there is no pixel in it")));
        }
        let width = match header.dtype() {
            DType::Plain(kind) if kind.to_string() == "<f8" => 8,
            DType::Plain(kind) if kind.to_string() == "<f4" => 4,
            other => {
                return Err(wrong(format!(
                    "holds {}; should be float64, save it by `slices.astype(\"<f8\")`",
                    other.descr()
                )));
            }
        };
        if header.order() == Order::Fortran {
            return Err(wrong(
                "is in Fortran order, in which slices are scattered over the file; save it by \
                 `numpy.ascontiguousarray(slices)`"
                    .into(),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            shape: [n, h, w],
            start,
            width,
        })
    }

    /// Reads page `number`. `bytes` is a buffer that can be reused.
    ///
    /// # Errors
    /// If the file ends too early.
    pub fn read(&self, number: usize, bytes: &mut Vec<u8>) -> Result<Array2<f64>> {
        let [n, h, w] = self.shape;
        bytes.resize(h * w * self.width, 0);
        let place = self.start + (number * bytes.len()) as u64;
        (self.file.read_exact_at(bytes, place)).map_err(|problem| {
            let what = format!("should hold {n} slices, but ends before ({problem})");
            Error::file(&self.path, what)
        })?;
        let values = match self.width {
            8 => (bytes.as_chunks().0.iter())
                .map(|&number| f64::from_le_bytes(number))
                .collect(),
            _ => (bytes.as_chunks().0.iter())
                .map(|&number| f64::from(f32::from_le_bytes(number)))
                .collect(),
        };
        Ok(Array2::from_shape_vec((h, w), values).expect("as many bytes as were asked for"))
    }
}

/// An array in a file. Any thread can write any part. The file has a temporary name and is renamed
/// when it is complete.
pub struct Output {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    /// Where the numbers begin.
    start: u64,
}

impl Output {
    /// A file of the size that the array takes; `kind` is NumPy's name of a type, such as `<f4`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(folder: &Path, name: &str, kind: &str, shape: &[usize]) -> Result<Self> {
        let (path, partial) = (folder.join(name), folder.join(format!(".partial-{name}")));
        let kind: TypeStr = kind.parse().expect("a type of NumPy's");
        let width = kind.size_field();
        let sizes: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
        let mut header = Vec::new();
        let created = WriteOptions::new_header_only()
            .dtype(DType::Plain(kind))
            .shape(&sizes)
            .writer(&mut header)
            .write_header_only()
            .and_then(|_| File::create(&partial))
            .and_then(|mut file| {
                file.write_all(&header)?;
                file.set_len(header.len() as u64 + width * sizes.iter().product::<u64>())?;
                Ok(file)
            });
        Ok(Self {
            path,
            file: created.map_err(|problem| Error::file(&partial, problem))?,
            partial,
            start: header.len() as u64,
        })
    }

    /// Writes `bytes` at `place`, in bytes from the first number.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, place: usize, bytes: &[u8]) -> Result<()> {
        (self.file.write_all_at(bytes, self.start + place as u64))
            .map_err(|problem| Error::file(&self.partial, problem))
    }

    /// Renames the file to its final name.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn finish(self) -> Result<PathBuf> {
        fs::rename(&self.partial, &self.path)
            .map_err(|problem| Error::file(&self.path, problem))?;
        Ok(self.path.clone())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // The file is already renamed if everything went well.
        let _ = fs::remove_file(&self.partial);
    }
}
