//! Makes the benchmark's lesions, in the order in which the search finds them.
//!
//!     cargo run --release --example lesions -- --count 50 --size 70 --factor 2 --out DIR
//!
//! `DIR/regular.npz` and `DIR/irregular.npz` hold one float64 patch per lesion, `000`, `001`, …,
//! and the `compactness` (float64) of each lesion before it was enlarged.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use experiments::exit_code;
use npyz::{WriteOptions, WriterBuilder};
use xai_core::lesions::making::{Lesion, Library, Recipe};
use xai_core::{Error, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Makes the benchmark's lesions, in the order in which the search finds them.
#[derive(Parser)]
struct Options {
    /// Lesions of each class.
    #[arg(long, default_value_t = 50)]
    count: usize,
    /// Pixels of a lesion before it is enlarged.
    #[arg(long, default_value_t = 70)]
    size: usize,
    /// The factor by which each side is enlarged.
    #[arg(long, default_value_t = 2.0)]
    factor: f64,
    /// Folder for the two files; created if necessary.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    exit_code(make(&Options::parse()))
}

fn make(options: &Options) -> Result<()> {
    let library = Library::make(&Recipe {
        count: options.count,
        area: options.size,
        factor: options.factor,
        ..Recipe::published()
    })?;
    fs::create_dir_all(&options.out).map_err(|problem| Error::file(&options.out, problem))?;
    for (name, lesions) in [
        ("regular.npz", &library.regular),
        ("irregular.npz", &library.irregular),
    ] {
        let path = options.out.join(name);
        write(&path, lesions).map_err(|problem| Error::file(&path, problem))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Writes NumPy's `.npz`, which is a zip file of `.npy` files.
fn write(path: &Path, lesions: &[Lesion]) -> std::io::Result<()> {
    let mut npz = ZipWriter::new(BufWriter::new(File::create(path)?));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut array = |name: &str, shape: &[u64], values: Vec<f64>| {
        npz.start_file(format!("{name}.npy"), stored)?;
        let array = WriteOptions::new().default_dtype().shape(shape);
        let mut array = array.writer(&mut npz).begin_nd()?;
        array.extend(values)?;
        array.finish()
    };
    for (number, Lesion { patch, .. }) in lesions.iter().enumerate() {
        let shape = [patch.nrows() as u64, patch.ncols() as u64];
        array(
            &format!("{number:03}"),
            &shape,
            patch.iter().copied().collect(),
        )?;
    }
    let compactness: Vec<f64> = lesions.iter().map(|lesion| lesion.compactness).collect();
    array("compactness", &[compactness.len() as u64], compactness)?;
    npz.finish()?.into_inner()?;
    Ok(())
}
