//! Makes the images of XAI-TRIS, with their ground truth and classes, for any other program.
//!
//!     cargo run --release --example make_tetromino -- --scenario linear --background white --size 8 --count 10000 \
//!         --protocol published --seed 4000002 --out DIR
//!
//! The program writes `DIR/{train,validation,test}/{images,truth,class}.npy`. `images` and `truth` (0 or 1) are float32
//! `[n, size, size]`, and `class` is int64 `[n]`. `published` with the seed 4000002 gives the images of the public code,
//! bit for bit: half-precision numbers, stored as float32. `corrected` keeps single precision, and draws each data set
//! independently.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use experiments::{exit_code, npy};
use ndarray::Axis;
use xai_core::benchmarks::tetromino::{
    Background, Photographs, Protocol, Scenario, Size, Tetromino,
};
use xai_core::sweep::declare::Level;
use xai_core::{Error, Result};

/// Makes the images of XAI-TRIS, with their ground truth and classes, for any other program.
#[derive(Parser)]
struct Options {
    /// How tetrominoes indicate the class.
    #[arg(long, value_parser = level::<Scenario>())]
    scenario: Scenario,
    /// What the tetrominoes are mixed into.
    #[arg(long, value_parser = level::<Background>())]
    background: Background,
    /// Height and width of the images in pixels.
    #[arg(long, default_value = "8", value_parser = level::<Size>())]
    size: Size,
    /// Total number of images, a multiple of 4 [default: 10000 for 8 x 8, 40000 for 64 x 64].
    #[arg(long)]
    count: Option<usize>,
    /// With the defects of the public code (`published`), or without them (`corrected`).
    #[arg(long, default_value = "published")]
    protocol: Protocol,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = Tetromino::SEED)]
    seed: u32,
    /// Folder of PNG files for `--background photographs`. If there are fewer than images, each gives several crops,
    /// and the three parts share photographs.
    #[arg(long)]
    photographs: Option<PathBuf>,
    /// Folder for the three folders; created if necessary.
    #[arg(long)]
    out: PathBuf,
}

/// Reads a level by its name.
fn level<L: Level + Clone + Send + Sync + 'static>() -> impl TypedValueParser<Value = L> {
    let find = |name: String| L::LEVELS.iter().find(|level| level.name() == name).cloned();
    PossibleValuesParser::new(L::LEVELS.iter().map(Level::name))
        .map(move |name| find(name).expect("a possible value"))
}

fn main() -> ExitCode {
    exit_code(make(&Options::parse()))
}

fn make(options: &Options) -> Result<()> {
    if options.photographs.is_some() && options.background != Background::Photographs {
        let background = options.background.name();
        return Err(Error::invalid(format!(
            "--photographs have no meaning with --background {background}; give --background photographs, or leave them out"
        )));
    }
    let mut setting = Tetromino::new(
        options.scenario,
        options.background,
        options.size,
        options.protocol,
    );
    setting.count = options.count.unwrap_or(setting.count);
    setting.seed = options.seed;
    let photographs = options.photographs.as_deref().map(Photographs::open);
    setting.photographs = photographs.transpose()?;
    for (name, part) in ["train", "validation", "test"]
        .into_iter()
        .zip(setting.make()?)
    {
        let folder = options.out.join(name);
        fs::create_dir_all(&folder).map_err(|problem| Error::file(&folder, problem))?;
        let truth = part
            .truth()
            .ok_or_else(|| Error::invalid("tetrominoes have truth"))?;
        npy::write(
            &folder.join("images.npy"),
            &part.images().index_axis(Axis(1), 0),
        )?;
        npy::write(
            &folder.join("truth.npy"),
            &truth.mapv(|inside| f32::from(u8::from(inside))),
        )?;
        let class = part.class().iter().map(|&class| i64::from(class));
        npy::write(
            &folder.join("class.npy"),
            &ndarray::Array1::from_iter(class),
        )?;
        println!("{}", folder.display());
    }
    Ok(())
}
