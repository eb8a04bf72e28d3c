//! Makes the images of XAI-TRIS, with their truth and classes, for any other program.
//!
//!     cargo run --release --example make_tetromino -- --scenario linear --background white --size 8 --count 10000 \
//!         --protocol published --seed 4000002 --out DIR
//!
//! Written are `DIR/{train,validation,test}/{images,truth,class}.npy`: `images` and `truth` float32
//! `[n, size, size]`, truth being 0 or 1, and `class` int64 `[n]`. `published` with the seed 4000002 gives the public
//! code's own images, bit for bit: half-precision numbers, widened. `corrected` keeps single precision, and draws each
//! data set by itself.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use experiments::{exit_code, npy};
use ndarray::Axis;
use xai_core::benchmarks::tetromino::{Background, Protocol, Scenario, Size, Tetromino};
use xai_core::sweep::declare::Level;
use xai_core::{Error, Result};

/// Makes the images of XAI-TRIS, with their truth and classes, for any other program.
#[derive(Parser)]
struct Options {
    /// How tetrominoes tell the class.
    #[arg(long, value_parser = level::<Scenario>())]
    scenario: Scenario,
    /// What surrounds them.
    #[arg(long, value_parser = level::<Background>())]
    background: Background,
    /// Pixels of a side.
    #[arg(long, default_value = "8", value_parser = level::<Size>())]
    size: Size,
    /// Images in all, a multiple of 4; 10000 (8 x 8) or 40000 (64 x 64) if it is left out.
    #[arg(long)]
    count: Option<usize>,
    /// As the public code, or without its defects.
    #[arg(long, default_value = "published")]
    protocol: Protocol,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = Tetromino::SEED)]
    seed: u32,
    /// The folder of PNG files that `--background photographs` takes.
    #[arg(long)]
    photographs: Option<PathBuf>,
    /// Where to write the three folders; made if need be.
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
    let mut setting = Tetromino::new(
        options.scenario,
        options.background,
        options.size,
        options.protocol,
    );
    setting.count = options.count.unwrap_or(setting.count);
    setting.seed = options.seed;
    setting.photographs = options.photographs.clone();
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
