//! The command line that every experiment has.

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

use super::progress::catch_interrupt;
use super::results::SweepResult;
use super::run::Run;
use super::spec::{Scale, Spec};
use super::sweep::{Outcome, SweepOptions, cores, sweep};
use super::{Plan, Value};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};

/// Options; the name and the description are the experiment's.
#[derive(Parser)]
struct Arguments {
    /// How large a run: seconds, minutes, or the published sizes
    #[arg(long, value_enum, default_value_t)]
    scale: Scale,
    /// Where to compute: flex (this machine's CPU), cuda or cuda:N (an NVIDIA GPU)
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// Cells computed at a time [default: one a core on a CPU, one on a GPU]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// A folder of real scans in place of synthetic subjects: BIDS, HCP, or a CSV with file and sex
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Leave out scans that cannot be used, and list them, instead of stopping
    #[arg(long, requires = "data")]
    skip_bad: bool,
    /// Compute every cell again (shared stages are kept)
    #[arg(long)]
    fresh: bool,
    /// Print the plan and stop
    #[arg(long)]
    plan: bool,
    /// Print nothing but warnings and errors
    #[arg(long)]
    quiet: bool,
}

/// The result as a table for the terminal.
pub type Table = fn(&SweepResult) -> String;

/// Writes tables and figures into a folder and says which files.
pub type Report = fn(&SweepResult, &Path) -> Result<Vec<PathBuf>>;

/// Runs an experiment from the command line: the whole of its `main`.
pub fn main<R: Run>(table: Table, report: Report) -> ExitCode {
    let spec = R::spec();
    let command = Arguments::command()
        .name(spec.name)
        .about(if spec.description.is_empty() {
            None
        } else {
            Some(spec.description)
        })
        .after_help(parameters(&spec));
    let arguments = match Arguments::from_arg_matches(&command.get_matches()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    catch_interrupt();
    let options = SweepOptions {
        scale: arguments.scale,
        device: arguments.device,
        jobs: arguments
            .jobs
            .map_or(default_jobs(arguments.device), usize::from),
        out: arguments.out,
        data: arguments.data,
        skip_bad: arguments.skip_bad,
        fresh: arguments.fresh,
        plan_only: arguments.plan,
        quiet: arguments.quiet,
    };
    match sweep::<R>(&options).and_then(|outcome| conclude(&outcome, &options, table, report)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if matches!(error, Error::Interrupted) {
                130
            } else {
                1
            })
        }
    }
}

fn default_jobs(device: DeviceChoice) -> usize {
    match device {
        DeviceChoice::Flex => cores(),
        DeviceChoice::Cuda(_) => 1,
    }
}

/// Prints the table, writes the report, and lists the paths.
fn conclude(
    outcome: &Outcome,
    options: &SweepOptions,
    table: Table,
    report: Report,
) -> Result<ExitCode> {
    if !outcome.failures.is_empty() {
        let count = outcome.failures.len();
        eprintln!(
            "error: {count} failed (see above); what is finished is kept, run the same command again to go on"
        );
        return Ok(ExitCode::FAILURE);
    }
    let Some(result) = &outcome.result else {
        return Ok(ExitCode::SUCCESS); // only the plan was asked for
    };
    let files = report(result, &outcome.folder)?;
    if !options.quiet {
        println!("{}", table(result));
        println!("results in {}", outcome.folder.display());
        for file in files {
            println!("  {}", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The experiment's own parameters, for `--help`.
fn parameters(spec: &Spec) -> String {
    let plan = match Plan::new(spec, Scale::default()) {
        Ok(plan) => plan,
        Err(error) => return format!("The design cannot be laid out: {error}"),
    };
    let width = plan
        .factors
        .iter()
        .map(|factor| factor.name.len())
        .max()
        .unwrap_or(0);
    let mut text = format!("What varies (scale {}):\n", plan.scale);
    for factor in &plan.factors {
        let levels: Vec<_> = factor.levels.iter().map(Value::to_string).collect();
        let _ = writeln!(
            text,
            "  {:width$}  {}  {}",
            factor.name,
            factor.role,
            levels.join(", ")
        );
    }
    text.trim_end().to_owned()
}
