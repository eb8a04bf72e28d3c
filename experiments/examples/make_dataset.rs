//! Puts lesions into slices: images, truth and classes for any other program.
//!
//!     cargo run --release --example make_dataset -- --slices S.npy --defects none --seed 0 --out DIR
//!
//! `S.npy` is float64 (or float32) `[n, h, w]`. Each slice is stretched to [0, 0.7]; what is above its
//! minimum is brain. Written are `DIR/images.npy` (float32 `[n, 3, 224, 224]`), `DIR/truth.npy` (float32
//! `[n, 224, 224]`, a lesion where it is above 0) and `DIR/class.npy` (int64 `[n]`, 0 regular, 1 irregular).
//!
//! `--defects all` is the benchmark as published; of the ten, D1, D2 and D6 change images. Under D6, image
//! i has NumPy's draws of seed N + i. Slices are read, and images written, a few at a time.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::thread;

use clap::Parser;
use ndarray::Array2;
use npyz::{DType, NpyHeader, Order, TypeStr, WriteOptions, WriterBuilder};
use rayon::prelude::*;
use xai_core::benchmark::{Defects, Painter, Protocol};
use xai_core::data::{Resizer, extremes};
use xai_core::device::keep_freed_memory;
use xai_core::{Error, Result};

/// The side of the images.
const SIZE: usize = 224;
/// The brightest pixel of a slice, which leaves room for brighter lesions.
const BRIGHTEST: f64 = 0.7;
/// Slices that are in memory at a time.
const CHUNK: usize = 16;

/// Puts lesions into slices: images, truth and classes for any other program.
#[derive(Parser)]
struct Options {
    /// The slices, .npy of float64 [n, h, w].
    #[arg(long)]
    slices: PathBuf,
    /// What is done as in the public code: `none`, `all` or a list such as D1,D2.
    #[arg(long, default_value = "none")]
    defects: Defects,
    /// Seed of the lesions.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to write the three files; made if need be.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    match make(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn make(options: &Options) -> Result<()> {
    keep_freed_memory();
    let mut slices = Slices::open(&options.slices)?;
    let [n, h, w] = slices.shape;
    let protocol = Protocol {
        defects: options.defects,
        ..Protocol::corrected()
    };
    let painter = protocol.painter(n, options.seed)?;
    let resizer = Resizer::new([h, w], [SIZE; 2]);

    fs::create_dir_all(&options.out).map_err(|problem| Error::file(&options.out, problem))?;
    let mut images = Output::create(&options.out, "images.npy", "<f4", &[n, 3, SIZE, SIZE])?;
    let mut truth = Output::create(&options.out, "truth.npy", "<f4", &[n, SIZE, SIZE])?;
    let mut class = Output::create(&options.out, "class.npy", "<i8", &[n])?;
    let mut next_items = |first: usize| -> Result<Vec<Item>> {
        (slices.read(CHUNK.min(n - first))?.into_par_iter())
            .enumerate()
            .map(|(k, bytes)| {
                let slice = slices.decoded(&bytes);
                paint(slice, first + k, &painter, &resizer).map_err(|problem| {
                    Error::file(&options.slices, format!("slice {} {problem}", first + k))
                })
            })
            .collect()
    };
    // Images are written while the next ones are made.
    let (send, receive) = sync_channel(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            for first in (0..n).step_by(CHUNK) {
                let items = next_items(first);
                let failed = items.is_err();
                // Nobody receives any more after a file could not be written.
                if send.send(items).is_err() || failed {
                    return;
                }
            }
        });
        for items in receive {
            for item in items? {
                for _channel in 0..3 {
                    images.write(&item.image)?;
                }
                truth.write(&item.truth)?;
                class.write(&item.class)?;
            }
        }
        Ok(())
    })?;
    for output in [images, truth, class] {
        println!("{}", output.finish()?.display());
    }
    Ok(())
}

/// What is written of one slice, as bytes.
struct Item {
    image: Vec<u8>,
    truth: Vec<u8>,
    class: [u8; 8],
}

fn paint(
    mut slice: Array2<f64>,
    number: usize,
    painter: &Painter,
    resizer: &Resizer,
) -> std::result::Result<Item, String> {
    if let Some(((row, column), value)) = slice.indexed_iter().find(|(_, v)| !v.is_finite()) {
        return Err(format!(
            "holds {value} at row {row}, column {column}; leave the slice out or fill such pixels"
        ));
    }
    let (low, high) = extremes(slice.view());
    if low == high {
        return Err(format!("is {low} everywhere; leave it out"));
    }
    slice.mapv_inplace(|v| (v - low) / (high - low) * BRIGHTEST);
    let painted = painter
        .paint(number, &format!("0/{number}"), slice.view())
        .ok_or("has no room for its lesions; leave it out")?;
    let [image, truth] = painted.resized(resizer).map(|page| {
        let mut bytes = vec![0; 4 * page.len()];
        for (bytes, value) in bytes.chunks_exact_mut(4).zip(&page) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    });
    Ok(Item {
        image,
        truth,
        class: (painted.class as i64).to_le_bytes(),
    })
}

/// A file of slices, read from front to back.
struct Slices {
    path: PathBuf,
    file: BufReader<File>,
    /// Slices, rows, columns.
    shape: [usize; 3],
    /// Bytes of a number.
    width: usize,
}

impl Slices {
    fn open(path: &Path) -> Result<Self> {
        let wrong = |problem: String| Error::file(path, problem);
        let file = File::open(path).map_err(|problem| wrong(problem.to_string()))?;
        let mut file = BufReader::new(file);
        let header = NpyHeader::from_reader(&mut file)
            .map_err(|problem| wrong(format!("is no .npy file ({problem})")))?;
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
            width,
        })
    }

    /// The next `count` slices as they stand in the file.
    fn read(&mut self, count: usize) -> Result<Vec<Vec<u8>>> {
        let [n, h, w] = self.shape;
        let slice = |_| {
            let mut bytes = vec![0; h * w * self.width];
            (self.file.read_exact(&mut bytes)).map_err(|problem| {
                let what = format!("should hold {n} slices, but ends before ({problem})");
                Error::file(&self.path, what)
            })?;
            Ok(bytes)
        };
        (0..count).map(slice).collect()
    }

    fn decoded(&self, bytes: &[u8]) -> Array2<f64> {
        let [_, h, w] = self.shape;
        let values = match self.width {
            8 => (bytes.as_chunks().0.iter())
                .map(|&number| f64::from_le_bytes(number))
                .collect(),
            _ => (bytes.as_chunks().0.iter())
                .map(|&number| f64::from(f32::from_le_bytes(number)))
                .collect(),
        };
        Array2::from_shape_vec((h, w), values).expect("as many bytes as were asked for")
    }
}

/// A .npy file that is written from front to back under another name and renamed when it is whole.
struct Output {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    fn create(folder: &Path, name: &str, kind: &str, shape: &[usize]) -> Result<Self> {
        let (path, partial) = (folder.join(name), folder.join(format!(".partial-{name}")));
        let kind: TypeStr = kind.parse().expect("a type of NumPy's");
        let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
        let file = File::create(&partial).and_then(|file| {
            let mut file = BufWriter::with_capacity(1 << 20, file);
            WriteOptions::new_header_only()
                .dtype(DType::Plain(kind))
                .shape(&shape)
                .writer(&mut file)
                .write_header_only()?;
            Ok(file)
        });
        let file = file.map_err(|problem| Error::file(&partial, problem))?;
        Ok(Self {
            path,
            partial,
            file,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        (self.file.write_all(bytes)).map_err(|problem| Error::file(&self.partial, problem))
    }

    fn finish(mut self) -> Result<PathBuf> {
        let whole = self.file.flush();
        whole
            .and_then(|()| fs::rename(&self.partial, &self.path))
            .map_err(|problem| Error::file(&self.path, problem))?;
        Ok(self.path.clone())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // Gone already if all went well.
        let _ = fs::remove_file(&self.partial);
    }
}
