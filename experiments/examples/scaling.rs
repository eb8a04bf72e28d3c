//! Measures how time and memory of the eight-method panel grow with images, network and methods,
//! and those of a sweep with its cells. Prints the tables of the book's chapter on speed, with the
//! exponents of growth: at 1, twice the amount takes twice the time. With a folder, it also writes
//! their chart there: `cargo run --release --example scaling -- book/src`.
//!
//! Each row runs in a new process, because memory is the peak of a process.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Parser;
use experiments::{exit_code, the_eight};
use ndarray::Array4;
use xai_core::attribution::{Images, Panel, methods};
use xai_core::device::{Device, DeviceChoice};
use xai_core::lesions::prelude::*;
use xai_core::network::VggConfig;
use xai_core::report;
use xai_core::sweep::declare::analysis::{Analysis, Curve, Curves};
use xai_core::sweep::execute::sweep;
use xai_core::sweep::plan::{Choice, Restriction};
use xai_core::sweep::planned::SweepOptions;

/// Image size, images, divisor of the width, methods. Each varies separately.
const ROWS: [[usize; 4]; 12] = [
    [112, 2, 2, 8],
    [160, 2, 2, 8],
    [336, 2, 2, 8],
    [224, 1, 2, 8],
    [224, 4, 2, 8],
    [224, 8, 2, 8],
    [224, 2, 8, 8],
    [224, 2, 4, 8],
    [224, 2, 1, 8],
    [224, 2, 2, 1],
    [224, 2, 2, 2],
    [224, 2, 2, 4],
];

/// The reference row. The chart shows multiples of it.
const BASE: [usize; 4] = [224, 2, 2, 8];

/// The number of cells of a sweep at smoke scale. The chart shows multiples of four cells.
const CELLS: [usize; 4] = [1, 2, 4, 8];

/// The number of cells of a sweep whose cells compute almost nothing.
const EMPTY_CELLS: [usize; 4] = [10, 100, 1_000, 10_000];

/// A cell trains a whole network and explains the test images.
#[experiment]
struct Cells {
    #[seed(1)]
    seed: u64,
}

impl Run for Cells {
    type Benchmark = Lesions;
    type Model = Network;

    fn fit(&self, lab: &Lab) -> Result<Fitted<Network>> {
        let start = lab.pretrained(Corpus::Shapes)?;
        lab.fine_tune(start, Depth::All, Optimizer::Adam(0.003), self.seed)
    }

    fn test(&self, fitted: &Fitted<Network>, lab: &Lab) -> Result<Scores> {
        explain! { model = fitted.model, input = lab.test().all()?, methods = [Saliency, DeepLift], score = Precision }
    }
}

/// A cell that computes almost nothing: what remains is the work of the sweep itself.
#[experiment]
struct EmptyCells {
    #[seed(1)]
    seed: u64,
}

/// Four images of one pixel.
#[derive(Clone)]
struct Pixels;

impl Benchmark for Pixels {
    const NAME: &'static str = "pixels";
    type Args = NoArgs;

    fn open(_: &NoArgs, _: Scale) -> Result<Self> {
        Ok(Self)
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn classes(&self) -> Vec<String> {
        ["dark", "bright"].map(str::to_owned).to_vec()
    }

    fn split(&self, _: Split, _: &Context) -> Result<Dataset> {
        let pixels = Array4::from_shape_fn((4, 1, 1, 1), |(image, ..)| (image % 2) as f32);
        Dataset::new(pixels, vec![0, 1, 0, 1])
    }
}

/// A model that is one number.
struct Number(u64);

impl Model for Number {
    fn save(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.0.to_string()).map_err(|problem| Error::file(path, problem))
    }

    fn load(path: &Path, _: &Device) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|problem| Error::file(path, problem))?;
        text.parse()
            .map(Self)
            .map_err(|problem| Error::file(path, problem))
    }

    fn predict(&self, images: &Examples) -> Result<Vec<Vec<f64>>> {
        let certain = |&class: &u8| [0, 1].map(|k| f64::from(u8::from(k == class))).to_vec();
        Ok(images.class().iter().map(certain).collect())
    }
}

impl Run for EmptyCells {
    type Benchmark = Pixels;
    type Model = Number;

    fn fit(&self, _: &xai_core::prelude::Lab<Pixels>) -> Result<Fitted<Number>> {
        Ok(Fitted {
            model: Number(self.seed),
            validation: Validation::default(),
            history: Vec::new(),
        })
    }

    fn test(&self, fitted: &Fitted<Number>, _: &xai_core::prelude::Lab<Pixels>) -> Result<Scores> {
        Ok(vec![Score {
            image: 0,
            class: 0,
            method: "none".to_owned(),
            metric: "number".to_owned(),
            value: fitted.model.0 as f64,
        }])
    }
}

/// Measures how time and memory of the panel of eight methods grow with images, network and methods, and those of a sweep
/// with its cells. Prints tables.
#[derive(Parser)]
struct Options {
    /// Folder in which to write the chart, scaling.svg, and its numbers, scaling.csv.
    folder: Option<PathBuf>,
    /// The numbers of one row, which is measured in this process.
    #[arg(long, hide = true, num_args = 1..=4)]
    row: Vec<usize>,
}

fn main() -> ExitCode {
    let Options { folder, row } = Options::parse();
    exit_code(match row[..] {
        [size, count, divisor, methods] => explain([size, count, divisor, methods]),
        [cells] => run::<Cells>(cells),
        [cells, 0] => run::<EmptyCells>(cells),
        _ => all(folder.as_deref()),
    })
}

fn all(dir: Option<&Path>) -> Result<()> {
    println!("| Image | Images | Width | Methods | Seconds | Processor s | Memory, MiB |");
    println!("|---|---|---|---|---|---|---|");
    let mut measured = Vec::new();
    for row in std::iter::once(BASE).chain(ROWS) {
        let [seconds, work, memory] = in_a_process(&row)?;
        let [size, count, divisor, wanted] = row;
        println!(
            "| {size} | {count} | 1/{divisor} | {wanted} | {seconds:.2} | {work:.2} | {memory} |"
        );
        measured.push((row, [work, memory]));
    }
    let cells = sweeps("Cells", &CELLS, |count| vec![count])?;
    let empty = sweeps("Empty cells", &EMPTY_CELLS, |count| vec![count, 0])?;
    println!("\n| Growth with | Processor time | Memory |");
    println!("|---|---|---|");
    let mut varied = varied(&measured);
    varied.push(("Cells of a sweep", cells.clone()));
    varied.push(("Empty cells", empty));
    for (what, points) in varied {
        let [time, memory] = [1, 2].map(|which| exponent(&points, which));
        println!("| {what} | {time:.2} | {memory:.2} |");
    }
    match dir {
        Some(dir) => chart(&measured, &cells, dir),
        None => Ok(()),
    }
}

/// The table of a sweep with different numbers of cells: cells, processor seconds and MiB.
fn sweeps(
    title: &str,
    counts: &[usize],
    row: impl Fn(usize) -> Vec<usize>,
) -> Result<Vec<[f64; 3]>> {
    println!("\n| {title} | Seconds | Processor s | Memory, MiB |");
    println!("|---|---|---|---|");
    let measured = counts.iter().map(|&count| {
        let [seconds, work, memory] = in_a_process(&row(count))?;
        println!("| {count} | {seconds:.2} | {work:.2} | {memory} |");
        Ok([count as f64, work, memory])
    });
    measured.collect()
}

/// The exponent of growth of a column with the first one: the slope of the least-squares line through
/// the logarithms.
fn exponent(points: &[[f64; 3]], column: usize) -> f64 {
    let logarithms = points.iter().map(|row| [row[0].ln(), row[column].ln()]);
    let logarithms: Vec<[f64; 2]> = logarithms.collect();
    let mean = |which: usize| {
        logarithms.iter().map(|row| row[which]).sum::<f64>() / logarithms.len() as f64
    };
    let (x, y) = (mean(0), mean(1));
    let products = logarithms.iter().map(|row| (row[0] - x) * (row[1] - y));
    let squares = logarithms.iter().map(|row| (row[0] - x).powi(2));
    products.sum::<f64>() / squares.sum::<f64>()
}

/// Seconds, processor seconds and MiB of a row, measured in a new process of this program.
fn in_a_process(row: &[usize]) -> Result<[f64; 3]> {
    let program = std::env::current_exe().map_err(Error::invalid)?;
    let arguments = row.iter().map(ToString::to_string);
    let output = Command::new(&program).arg("--row").args(arguments).output();
    let output = output.map_err(Error::invalid)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().flat_map(|n| n.parse()).collect();
    numbers.try_into().map_err(|_| {
        let problem = String::from_utf8_lossy(&output.stderr);
        Error::invalid(format!("row {row:?} failed: {}", problem.trim()))
    })
}

/// The rows in which only one quantity differs from the first row: its amount, time and memory, as
/// multiples of the first row's.
fn varied(measured: &[([usize; 4], [f64; 2])]) -> Vec<(&'static str, Vec<[f64; 3]>)> {
    // The amount of work of each kind in a row, if time and memory were proportional to it.
    let amounts = |[size, count, divisor, methods]: [usize; 4]| {
        [
            (size * size) as f64,
            count as f64,
            1.0 / divisor as f64,
            methods as f64,
        ]
    };
    let (base, base_cost) = measured[0];
    let of_quantity = |(at, what): (usize, &'static str)| {
        let varied = measured
            .iter()
            .filter(|(row, _)| (0..4).all(|other| other == at || row[other] == base[other]));
        let mut points: Vec<[f64; 3]> = varied
            .map(|(row, cost)| {
                let amount = amounts(*row)[at] / amounts(base)[at];
                [amount, cost[0] / base_cost[0], cost[1] / base_cost[1]]
            })
            .collect();
        points.sort_by(|a, b| a[0].total_cmp(&b[0]));
        (what, points)
    };
    let quantities = ["Pixels", "Images", "Channels", "Methods"];
    quantities
        .into_iter()
        .enumerate()
        .map(of_quantity)
        .collect()
}

/// `scaling.svg` and `scaling.png`, with one panel per quantity that varies.
fn chart(measured: &[([usize; 4], [f64; 2])], cells: &[[f64; 3]], dir: &Path) -> Result<()> {
    let title = "How the panel of eight methods and a sweep grow";
    let mut curves = Curves::new(
        "scaling",
        title,
        "times as much",
        "times the processor time or memory",
    )
    .logarithmic();
    for (what, points) in varied(measured) {
        panel(&mut curves, what, &points);
    }
    let base = cells[2];
    let multiples = |row: &[f64; 3]| std::array::from_fn(|k| row[k] / base[k]);
    let points: Vec<[f64; 3]> = cells.iter().map(multiples).collect();
    panel(&mut curves, "Cells of a sweep", &points);
    let mut analysis = Analysis::default();
    analysis.curves(curves);
    for path in report::write_analysis(&analysis, dir)? {
        eprintln!("{}", path.display());
    }
    Ok(())
}

/// A panel of the chart, of points with an amount, time and memory.
fn panel(curves: &mut Curves, what: &str, points: &[[f64; 3]]) {
    let curve = |series: &str, which: usize| Curve {
        series: series.to_owned(),
        points: points
            .iter()
            .map(|point| [point[0], point[which]])
            .collect(),
        joined: true,
    };
    curves.panel(what, vec![curve("time", 1), curve("memory", 2)]);
}

/// Prints seconds and MiB of a panel.
fn explain([size, count, divisor, wanted]: [usize; 4]) -> Result<()> {
    let device = DeviceChoice::Flex.open()?;
    let config = VggConfig {
        width_divisor: divisor,
        pooled: 7,
        dropout: 0.5,
        classes: 2,
    };
    let network = config.init(false, 0, &device);
    let pixels = Array4::from_shape_fn((count, 3, size, size), |(image, _, y, x)| {
        ((y + image) * x % 17) as f32 / 17.0
    });
    let images = Images::new(pixels, vec![0; count]);
    let mut panel: Panel<Network> = Panel::new();
    // From the end of the list, where the fast methods are, so that integrated gradients do not
    // dominate a row with few methods.
    for name in the_eight(0).names().into_iter().rev().take(wanted) {
        panel = panel.with(methods::named(name, 0)?);
    }
    let start = Instant::now();
    panel.explain(&network, &images, 0)?;
    print(start)
}

/// Prints seconds and MiB of a sweep without earlier results. It also makes the images and
/// pre-trains a network.
fn run<R: Run>(cells: usize) -> Result<()> {
    let out = tempfile::tempdir().map_err(Error::invalid)?;
    let seeds = Choice {
        name: "seed".into(),
        values: (0..cells).map(|seed| seed.to_string()).collect(),
    };
    let options = SweepOptions {
        scale: Scale::Smoke,
        jobs: std::thread::available_parallelism().map_or(1, usize::from),
        out: out.path().into(),
        restriction: Restriction {
            set: vec![seeds],
            ..Restriction::default()
        },
        quiet: true,
        ..SweepOptions::default()
    };
    let start = Instant::now();
    let benchmark = R::Benchmark::open(&Default::default(), options.scale)?;
    let outcome = sweep::<R>(&options, &benchmark)?;
    match outcome.failures.into_iter().next() {
        Some((_, problem)) => Err(problem),
        None => print(start),
    }
}

fn print(start: Instant) -> Result<()> {
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds} {} {}", processor_seconds()?, peak()?);
    Ok(())
}

/// The processor time of all threads of this process, which other programs on the machine hardly change.
fn processor_seconds() -> Result<f64> {
    const TICKS_A_SECOND: f64 = 100.0; // of Linux, whatever its kernel counts
    let text = std::fs::read_to_string("/proc/self/stat").map_err(Error::invalid)?;
    let (_, rest) = text.rsplit_once(')').unwrap_or_default(); // a name may hold anything
    let numbers = rest.split_whitespace().flat_map(str::parse::<f64>);
    // `utime` and `stime` of `man proc_pid_stat`: after the name come a letter and ten other numbers.
    let used: Vec<f64> = numbers.skip(10).take(2).collect();
    match used[..] {
        [user, system] => Ok((user + system) / TICKS_A_SECOND),
        _ => Err(Error::invalid("the system does not report processor time")),
    }
}

/// The most memory that this process has had, in MiB.
fn peak() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(Error::invalid)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    Ok(kib.ok_or_else(|| Error::invalid("the system does not report the peak of memory"))? / 1024)
}
