//! NumPy's `.npy` files: whole arrays, and arrays too large for memory that are read in pages.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufWriter, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayBase, ArrayD, Data, Dimension};
use npyz::{AutoSerialize, DType, NpyHeader, Order, TypeStr, WriteOptions, WriterBuilder};
use xai_core::npy::Number;
use xai_core::{Error, Result};

/// Reads an array of any numbers or booleans with [`xai_core::npy::read`]. `number` converts each of them.
///
/// # Errors
/// As [`xai_core::npy::read`]; if the array is empty, or if it has integers beyond 2^53, which 64-bit floats do not tell
/// apart.
pub fn read<T>(path: &Path, number: impl Fn(f64) -> T) -> Result<ArrayD<T>> {
    let rounded = Cell::new(false);
    let array = xai_core::npy::read(path, |value| {
        if matches!(value, Number::Integer(whole) if whole.unsigned_abs() > 1 << f64::MANTISSA_DIGITS)
        {
            rounded.set(true);
        }
        number(value.to_f64())
    })?;
    if array.is_empty() {
        let shape = array.shape();
        let problem = format!("is {shape:?}: there is nothing in it");
        return Err(Error::file(path, problem));
    }
    if rounded.get() {
        return Err(Error::file(
            path,
            "holds integers beyond 2^53, which 64-bit floats do not tell apart; subtract what they have in common",
        ));
    }
    Ok(array)
}

/// Reads an array of float32 or float64, such as images that were preprocessed for a network.
///
/// # Errors
/// As [`read`]; if the file has other numbers. Integers are often unscaled pixels.
pub fn floats(path: &Path) -> Result<ArrayD<f32>> {
    let array = read(path, |value| value as f32)?;
    let wrong = |problem: String| Error::file(path, problem);
    let header = File::open(path).and_then(NpyHeader::from_reader);
    let header = header.map_err(|problem| wrong(problem.to_string()))?;
    let kind = match header.dtype() {
        DType::Plain(kind) => kind.to_string(),
        other => other.descr(),
    };
    // The first character is the order of the bytes.
    match kind.trim_start_matches(['<', '>', '|']) {
        "f4" | "f8" => Ok(array),
        other => Err(wrong(format!(
            "holds {other}; should be float32 or float64, preprocessed as in training"
        ))),
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
    /// If the file cannot be opened, is not a `.npy` file, or holds something else.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |problem: String| Error::file(path, problem);
        let mut file = File::open(path).map_err(|problem| wrong(problem.to_string()))?;
        let header = NpyHeader::from_reader(&mut file)
            .map_err(|problem| wrong(format!("is not a .npy file ({problem})")))?;
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
