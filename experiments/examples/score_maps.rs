//! Scores heat maps made by any program against the ground truth.
//!
//!     cargo run --release --example score_maps -- --maps saliency.npy --truth truth.npy \
//!         --metrics precision,auroc --out scores.parquet
//!
//! `explain_image` writes such maps, and `make_dataset` writes such a ground truth. The metrics are
//! described in the documentation of `xai_core::metrics` and in the book.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use experiments::{exit_code, npy};
use ndarray::parallel::prelude::*;
use ndarray::{Array4, ArrayD, ArrayView3, Axis, Ix3, Ix4, Zip};
use xai_core::metrics::{
    self, Channels, Combine, Metric, Score, Scores, Sign, TopKIntersection, chance_name,
};
use xai_core::sweep::keep::write_scores;
use xai_core::{Error, Result};

/// Scores heat maps against the ground truth: one row per image and metric, as Parquet.
///
/// A channel axis is first combined into one heat map. Values of the ground truth above 0 count. If
/// a metric is undefined for an image (empty ground truth), there is no row; the number of such
/// images is printed.
#[derive(Parser)]
#[command(after_help = format!("Metrics: {}", metrics::NAMES.join(", ")))]
struct Options {
    /// Maps, .npy of numbers [n, h, w] or [n, c, h, w]; larger is more relevant.
    #[arg(long)]
    maps: PathBuf,
    /// The ground truth, .npy of numbers or booleans [n, h, w].
    #[arg(long)]
    truth: PathBuf,
    /// Names of metrics, separated by commas, or `all`.
    #[arg(long, value_delimiter = ',', default_value = "precision")]
    metrics: Vec<String>,
    /// The Parquet file to write: columns image, class, method, metric, value.
    #[arg(long)]
    out: PathBuf,
    /// Name of the method in the rows [default: the name of the maps' file].
    #[arg(long)]
    method: Option<String>,
    /// Classes in the rows, .npy of integers [n] [default: all 0].
    #[arg(long)]
    class: Option<PathBuf>,
    /// Also write rows with the chance level of each metric for each ground truth, as
    /// `<metric>_chance`.
    #[arg(long)]
    chance: bool,
    /// How negative values count.
    #[arg(long, value_enum, default_value = "absolute")]
    sign: Sign,
    /// How channels are combined into one map; `luma` is the paper's weighted sum of 3.
    #[arg(long, value_enum, default_value = "luma")]
    channels: Channels,
}

fn main() -> ExitCode {
    exit_code(run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    // Two rows of the same image and metric would count as two images when missing scores are counted.
    for (at, name) in options.metrics.iter().enumerate() {
        if options.metrics[..at].contains(name) {
            let problem = format!("--metrics: `{name}` is named twice; keep one");
            return Err(Error::invalid(problem));
        }
    }
    let metrics: Vec<Box<dyn Metric>> = match options.metrics.as_slice() {
        [all] if all == "all" => metrics::NAMES
            .into_iter()
            .map(metrics::named)
            .collect::<Result<_>>()?,
        names => names
            .iter()
            .map(|name| metrics::named(name))
            .collect::<Result<_>>()?,
    };
    let maps = maps(&options.maps)?;
    let truth = truth(&options.truth)?;
    let (n, _, h, w) = maps.dim();
    if truth.shape() != [n, h, w] {
        return Err(Error::file(
            &options.truth,
            format!(
                "is {:?}, while the maps of {} need a truth of [{n}, {h}, {w}]",
                truth.shape(),
                options.maps.display()
            ),
        ));
    }
    let class = match &options.class {
        Some(path) => classes(path, n)?,
        None => vec![0; n],
    };
    let stem = options
        .maps
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    let method = options.method.clone().unwrap_or_else(|| stem.into_owned());
    let combine = Combine {
        sign: options.sign,
        channels: options.channels,
    };
    let rows: Vec<Scores> = (0..n)
        .into_par_iter()
        .map(|image| {
            let wrong = |problem| Error::file(&options.maps, format!("image {image}: {problem}"));
            let heat = combine
                .heat(maps.index_axis(Axis(0), image))
                .map_err(wrong)?;
            let truth = truth.index_axis(Axis(0), image);
            let row = |metric: String, value| Score {
                image: image as u32,
                class: class[image],
                method: method.clone(),
                metric,
                value,
            };
            let mut rows = Scores::new();
            for metric in &metrics {
                let value = metric.score(heat.view(), truth).map_err(wrong)?;
                rows.extend(value.map(|value| row(metric.name().into(), value)));
                let chance = metric.chance(truth).filter(|_| options.chance);
                rows.extend(chance.map(|value| row(chance_name(metric.name()), value)));
            }
            Ok(rows)
        })
        .collect::<Result<_>>()?;
    let rows = rows.concat();
    let top_k = TopKIntersection::default();
    for metric in &metrics {
        let scored = rows
            .iter()
            .filter(|row| row.metric == metric.name())
            .count();
        if scored < n {
            let name = metric.name();
            eprintln!(
                "{name}: {} of {n} images have no score, because their ground truth is empty or covers the whole image{}",
                n - scored,
                if name == top_k.name() {
                    format!(", or because their maps have at most {} pixels", top_k.k)
                } else {
                    String::new()
                }
            );
        }
    }
    write_scores(&options.out, &rows)?;
    println!("{}: {} rows", options.out.display(), rows.len());
    Ok(())
}

/// Maps whose largest magnitude is outside of these numbers are scaled. 32-bit floats end not far beyond them.
const ORDINARY: RangeInclusive<f64> = 1e-30..=1e30;

/// If more of the different values of a map become equal in 32 bits, its scores would be those of another ranking. Of a
/// million values drawn at random, 2 % do.
const MOST_LOST: f64 = 0.1;

/// Values that differ by less than this share of the largest one differ by the rounding of 64-bit floats.
const ROUNDING: f64 = 1e-14;

/// The maps as `[n, c, h, w]`. No metric depends on the scale of a map.
///
/// # Errors
/// If the file cannot be read, has another shape, or holds a map whose values 32-bit floats do not tell apart.
fn maps(path: &Path) -> Result<Array4<f32>> {
    let rounded = Cell::new(false);
    let narrow = |value: f64| {
        let narrow = value as f32;
        rounded.set(rounded.get() || f64::from(narrow) != value);
        narrow
    };
    let mut maps = with_channels(path, npy::read(path, narrow)?)?;
    let largest = |values: &mut dyn Iterator<Item = f64>| values.map(f64::abs).fold(0.0, f64::max);
    // As 64-bit floats, the maps take twice the memory, so they are read again only if some need it.
    let ordinary = |map: ArrayView3<f32>| {
        let largest = largest(&mut map.iter().map(|&value| f64::from(value)));
        ORDINARY.contains(&largest)
    };
    if rounded.get() || !maps.outer_iter().all(ordinary) {
        let exact = with_channels(path, npy::read(path, |value| value)?)?;
        for (mut map, exact) in maps.outer_iter_mut().zip(exact.outer_iter()) {
            let largest = largest(&mut exact.iter().copied());
            if largest > 0.0 && largest.is_finite() && !ORDINARY.contains(&largest) {
                // A power of 2 keeps values apart that are almost equal.
                let power = (-largest.log2()).clamp(-1000.0, 1000.0) as i32;
                map.zip_mut_with(&exact, |value, exact| {
                    *value = (exact * 2_f64.powi(power)) as f32;
                });
            }
        }
        Zip::indexed(maps.outer_iter())
            .and(exact.outer_iter())
            .into_par_iter()
            .try_for_each(|(image, map, exact)| tells_apart(path, image, map, exact))?;
    }
    Ok(maps)
}

/// Returns an error if too many different values of a map are equal in 32 bits.
fn tells_apart(
    path: &Path,
    image: usize,
    map: ArrayView3<f32>,
    exact: ArrayView3<f64>,
) -> Result<()> {
    let different = |mut values: Vec<f64>, apart: f64| {
        values.sort_by(f64::total_cmp);
        values.dedup_by(|next, kept| *next - *kept <= apart);
        values.len()
    };
    let exact: Vec<f64> = exact.iter().copied().collect();
    let largest = exact.iter().copied().map(f64::abs).fold(0.0, f64::max);
    let before = different(exact, ROUNDING * largest);
    let after = different(map.iter().map(|&value| value.into()).collect(), 0.0);
    let lost = before.saturating_sub(after);
    if lost as f64 > MOST_LOST * before as f64 {
        return Err(Error::file(
            path,
            format!(
                "image {image}: {lost} of its {before} different values become equal to others as 32-bit floats, so their \
                 order would be lost; subtract from each map what its values have in common, or save their ranks \
                 (scipy.stats.rankdata) if only the order matters"
            ),
        ));
    }
    Ok(())
}

/// An array with a channel axis, which is added if there is none.
fn with_channels<T>(path: &Path, maps: ArrayD<T>) -> Result<Array4<T>> {
    let shape = maps.shape().to_vec();
    let with_channels = match shape.len() {
        3 => maps.insert_axis(Axis(1)),
        _ => maps,
    };
    with_channels.into_dimensionality::<Ix4>().map_err(|_| {
        Error::file(
            path,
            format!("is {shape:?}; should be [n, h, w] or [n, c, h, w]"),
        )
    })
}

fn truth(path: &Path) -> Result<ndarray::Array3<bool>> {
    let truth = npy::read(path, |value| value)?;
    if truth.iter().any(|value| value.is_nan()) {
        return Err(Error::file(
            path,
            "holds NaN, so it is not known whether the pixel belongs to the ground truth",
        ));
    }
    let shape = truth.shape().to_vec();
    let truth = truth.mapv(|value| value > 0.0).into_dimensionality::<Ix3>();
    truth.map_err(|_| Error::file(path, format!("is {shape:?}; should be [n, h, w]")))
}

fn classes(path: &Path, n: usize) -> Result<Vec<u8>> {
    let class = npy::read(path, |value| value)?;
    if class.shape() != [n] {
        return Err(Error::file(
            path,
            format!("is {:?}; should be [{n}]", class.shape()),
        ));
    }
    let small = |&value: &f64| match value {
        0.0..=255.0 if value.fract() == 0.0 => Ok(value as u8),
        _ => Err(Error::file(
            path,
            format!("holds {value}; a class is 0, 1, .. 255"),
        )),
    };
    class.iter().map(small).collect()
}
