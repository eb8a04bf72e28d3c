//! Puts lesions into slices, and writes images, ground truth and classes for other programs.
//!
//!     cargo run --release --example make_dataset -- --slices S.npy --defects none --seed 0 --out DIR
//!
//! `S.npy` is float64 (or float32) `[n, h, w]`. Each slice is stretched to [0, 0.7]. Pixels above
//! its minimum are brain. The output is `DIR/images.npy` (float32 `[n, 3, 224, 224]`),
//! `DIR/truth.npy` (float32 `[n, 224, 224]`, above 0 in a lesion) and `DIR/class.npy` (int64 `[n]`,
//! 0 regular, 1 irregular).
//!
//! `--defects all` is the benchmark as published. Of the ten defects, D1, D2 and D6 change images.
//! Under D6, image i uses NumPy's draws of seed N + i. Each thread reads a slice, paints it, writes
//! it, and takes the next.
//!
//! With `--skip-bad`, all slices are painted once before, because the size of the files must be known
//! when they are begun. The images of the other slices are the same with and without the bad ones.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use experiments::exit_code;
use experiments::npy::{self, Output, Pages};
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use xai_core::device::keep_freed_memory;
use xai_core::image::Resizer;
use xai_core::lesions::making::{Defects, Protocol, background};
use xai_core::{Error, Result};

/// The side of the images.
const SIZE: usize = 224;
/// Bytes of a page of float32.
const PAGE: usize = 4 * SIZE * SIZE;

/// Puts lesions into slices, and writes images, ground truth and classes for other programs.
#[derive(Parser)]
struct Options {
    /// The slices, .npy of float64 [n, h, w].
    #[arg(long)]
    slices: PathBuf,
    /// Defects of the public code to repeat: `none`, `all` or a list such as D1,D2.
    #[arg(long, default_value = "none")]
    defects: Defects,
    /// Seed of the lesions.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// List slices that cannot be used and leave them out, instead of stopping. `kept.npy` (int64) then
    /// holds the numbers of the others.
    #[arg(long)]
    skip_bad: bool,
    /// Folder for the three files; created if necessary.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    exit_code(make(&Options::parse()))
}

fn make(options: &Options) -> Result<()> {
    keep_freed_memory();
    let slices = Pages::open(&options.slices)?;
    let [n, h, w] = slices.shape;
    let protocol = Protocol {
        defects: options.defects,
        ..Protocol::corrected()
    };
    let painter = protocol.painter(n, options.seed)?;
    let resizer = Resizer::new([h, w], [SIZE; 2]);
    let paint = |number, bytes: &mut Vec<u8>| {
        let wrong = |what: String| Error::file(&options.slices, format!("slice {number} {what}"));
        let slice = slices.read(number, bytes)?;
        let slice = background(slice).map_err(|problem| wrong(problem.to_string()))?;
        let painted = painter.paint(number, &format!("0/{number}"), slice.view());
        painted.ok_or_else(|| {
            wrong("has no room for its lesions; leave it out, for example with --skip-bad".into())
        })
    };
    let kept = if options.skip_bad {
        usable(n, |number| paint(number, &mut Vec::new()).map(drop))?
    } else {
        (0..n).collect()
    };
    let count = kept.len();

    fs::create_dir_all(&options.out).map_err(|problem| Error::file(&options.out, problem))?;
    let output = |name, kind, shape: &[usize]| Output::create(&options.out, name, kind, shape);
    let images = output("images.npy", "<f4", &[count, 3, SIZE, SIZE])?;
    let truth = output("truth.npy", "<f4", &[count, SIZE, SIZE])?;
    let class = output("class.npy", "<i8", &[count])?;
    // In order, so that the files are read and written from front to back.
    kept.iter().enumerate().par_bridge().try_for_each_init(
        Default::default,
        |[input, bytes]: &mut [Vec<u8>; 2], (place, &number)| {
            let painted = paint(number, input)?;
            let [image, lesions] = painted.resized(&resizer);
            write_bytes(&image, bytes);
            for channel in 0..3 {
                images.write((3 * place + channel) * PAGE, bytes)?;
            }
            write_bytes(&lesions, bytes);
            truth.write(place * PAGE, bytes)?;
            class.write(8 * place, &(painted.class as i64).to_le_bytes())
        },
    )?;
    for output in [images, truth, class] {
        println!("{}", output.finish()?.display());
    }
    if options.skip_bad {
        let path = options.out.join("kept.npy");
        let kept: Array1<i64> = kept.iter().map(|&number| number as i64).collect();
        npy::write(&path, &kept)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The numbers of the slices that can be used. Lists the others.
fn usable(n: usize, try_one: impl Fn(usize) -> Result<()> + Sync + Send) -> Result<Vec<usize>> {
    let tried: Vec<_> = (0..n).into_par_iter().map(try_one).collect();
    let mut kept = Vec::new();
    for (number, tried) in tried.into_iter().enumerate() {
        match tried {
            Ok(()) => kept.push(number),
            Err(problem) => eprintln!("left out: {problem}"),
        }
    }
    if kept.is_empty() {
        return Err(Error::invalid("no slice can be used"));
    }
    eprintln!("{} of {n} slices are used", kept.len());
    Ok(kept)
}

/// Writes the numbers of a page into `bytes`, replacing their content.
fn write_bytes(page: &Array2<f32>, bytes: &mut Vec<u8>) {
    bytes.resize(4 * page.len(), 0);
    let values = page.as_slice().expect("a new array");
    for (bytes, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
        *bytes = value.to_le_bytes();
    }
}
