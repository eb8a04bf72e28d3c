//! The command line that every experiment has.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};
use serde_json::{Value as Json, json};

use crate::attribution::Memory;
use crate::device::{DeviceChoice, Devices};
use crate::error::{Error, Result};
use crate::metrics::Scores;
use crate::sweep::context::{BUDGET, Benchmark, Run};
use crate::sweep::declare::analysis::Analysis;
use crate::sweep::declare::{Role, Scale, Spec, Value};
use crate::sweep::execute::{Outcome, cores, sweep};
use crate::sweep::inspect::why;
use crate::sweep::keep::Lock;
use crate::sweep::plan::{Choice, Plan, Restriction, seeds};
use crate::sweep::planned::SweepOptions;
use crate::sweep::read::{SweepResult, results_in};
use crate::sweep::watch::{Reporter, catch_interrupt};

/// Options; the name and the description are the experiment's.
#[derive(Parser)]
struct Arguments<A: clap::Args> {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    benchmark: A,
}

/// What every experiment has.
#[derive(clap::Args)]
struct EngineArgs {
    /// How large a run: seconds, minutes, or the published sizes
    #[arg(
        long,
        value_enum,
        default_value_t,
        help_heading = "How large and where"
    )]
    scale: Scale,
    /// Where to compute: flex (this machine's CPU), cuda or cuda:1 (an NVIDIA GPU), cuda-f32 (a GPU that multiplies in
    /// 32 bits); cuda:0,1 divides the cells
    #[arg(long, default_value_t, help_heading = "How large and where")]
    device: Devices,
    /// Cells computed at a time [default: one a core on a CPU, one a GPU]
    #[arg(long, value_name = "N", help_heading = "How large and where")]
    jobs: Option<NonZeroUsize>,
    /// Memory for what frozen layers give, which trainings share; larger results go to files
    #[arg(
        long,
        value_name = "SIZE",
        default_value_t = BUDGET,
        help_heading = "How large and where"
    )]
    memory: Memory,
    /// The folder of all runs
    #[arg(
        long,
        value_name = "DIR",
        default_value = "runs",
        help_heading = "How large and where"
    )]
    out: PathBuf,
    /// Run only the cells with these values. They are selected and compared among themselves, and
    /// their scores, table and figure go to a folder of their own
    #[arg(long = "where", value_name = "NAME=VALUE,..", num_args = 1.., help_heading = "What to run")]
    only: Vec<Choice>,
    /// Give a parameter other values than the experiment does; goes to a folder of its own as well
    #[arg(long, value_name = "NAME=VALUE,..", num_args = 1.., help_heading = "What to run")]
    set: Vec<Choice>,
    /// Replicates: how many, or a list such as 0,7
    #[arg(long, value_name = "N", help_heading = "What to run")]
    seeds: Option<String>,
    /// Compute again what is finished, shared stages as well
    #[arg(long, help_heading = "What to run")]
    fresh: bool,

    /// After a failure begin no other cell; without it the other cells of the phase are finished
    #[arg(long, help_heading = "When a cell fails")]
    fail_fast: bool,
    /// Try a cell that fails again, so many times
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        help_heading = "When a cell fails"
    )]
    retry: usize,

    /// Print the plan, what is there of it and what the rest will cost, and stop
    #[arg(long, help_heading = "What to print")]
    plan: bool,
    /// Say why a cell is computed again, and stop. A cell is called by its values (group=a depth=all)
    /// or by the beginning of its key
    #[arg(long, value_name = "CELL", num_args = 1.., conflicts_with = "plan", help_heading = "What to print")]
    why: Vec<String>,
    /// Write report.html as well: all results and heat maps on one page that needs no other file
    #[arg(long, help_heading = "What to print")]
    report: bool,
    /// Write tables, figures and report.html there instead of into the run's folder
    #[arg(long, value_name = "DIR", help_heading = "What to print")]
    report_to: Option<PathBuf>,
    /// Print nothing but warnings and errors
    #[arg(long, help_heading = "What to print")]
    quiet: bool,
    /// Print a line of JSON an event (plan, cell, result, error) to stdout, and nothing else there
    #[arg(long, help_heading = "What to print")]
    json: bool,
}

/// The options of an experiment's benchmark.
type BenchmarkArgs<R> = <<R as Run>::Benchmark as Benchmark>::Args;

/// The result and the experiment's own analysis as tables for the terminal.
pub type Table = fn(&SweepResult, &Analysis) -> String;

/// Writes tables and figures into a folder and says which files.
pub type Report = fn(&SweepResult, &Analysis, &Path) -> Result<Vec<PathBuf>>;

/// Writes the page with everything on it into the folder of a run.
pub type Page = fn(&SweepResult, &Analysis, &Path) -> Result<PathBuf>;

/// How a result is shown, which is no business of the modules here.
pub struct Show {
    pub table: Table,
    pub report: Report,
    pub page: Page,
}

/// Runs an experiment from the command line: the whole of its `main`.
pub fn main<R: Run>(show: &Show) -> ExitCode {
    let spec = R::spec();
    let command = Arguments::<BenchmarkArgs<R>>::command()
        .name(spec.name)
        .about(if spec.description.is_empty() {
            None
        } else {
            Some(spec.description)
        })
        .after_help(parameters(&spec));
    let arguments = match Arguments::<BenchmarkArgs<R>>::from_arg_matches(&command.get_matches()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    catch_interrupt();
    let reporter = Reporter::new(arguments.engine.quiet, arguments.engine.json);
    match run::<R>(arguments, &spec, show) {
        Ok(code) => code,
        Err(error) => {
            let hint = match error.is_disk_full() {
                true => "; what is finished is kept: make room and run the same command again",
                false => "",
            };
            eprintln!("error: {error}{hint}");
            reporter.event(|| json!({ "event": "error", "message": error.to_string() }));
            ExitCode::from(match error {
                Error::Interrupted => 130,
                _ => 1,
            })
        }
    }
}

fn run<R: Run>(
    arguments: Arguments<BenchmarkArgs<R>>,
    spec: &Spec,
    show: &Show,
) -> Result<ExitCode> {
    let Arguments {
        engine: arguments,
        benchmark,
    } = arguments;
    let with_page = arguments.report;
    let report_to = arguments.report_to;
    let mut restriction = Restriction {
        only: arguments.only,
        set: arguments.set,
    };
    if let Some(text) = &arguments.seeds {
        restriction.set.push(seeds(spec, text)?);
    }
    let jobs = arguments.jobs.map(usize::from);
    let options = SweepOptions {
        scale: arguments.scale,
        jobs: jobs.unwrap_or_else(|| default_jobs(&arguments.device)),
        devices: arguments.device,
        out: arguments.out,
        restriction,
        memory: arguments.memory,
        fresh: arguments.fresh,
        retry: arguments.retry,
        fail_fast: arguments.fail_fast,
        plan_only: arguments.plan,
        quiet: arguments.quiet,
        json: arguments.json,
    };
    let benchmark = R::Benchmark::open(&benchmark, options.scale)?;
    if !arguments.why.is_empty() {
        let reason = why::<R>(&options, &benchmark, &arguments.why)?;
        match options.json {
            true => println!("{}", json!({ "event": "why", "reason": reason })),
            false => print!("{reason}"),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = sweep::<R>(&options, &benchmark)?;
    conclude::<R>(&outcome, &options, show, with_page, report_to)
}

fn default_jobs(devices: &Devices) -> usize {
    match devices.all() {
        [DeviceChoice::Flex, ..] => cores().max(devices.all().len()),
        gpus => gpus.len(),
    }
}

/// Prints the table, writes the report, and lists the paths.
fn conclude<R: Run>(
    outcome: &Outcome,
    options: &SweepOptions,
    show: &Show,
    with_page: bool,
    report_to: Option<PathBuf>,
) -> Result<ExitCode> {
    if !outcome.failures.is_empty() {
        let count = outcome.failures.len();
        return Err(Error::invalid(format!(
            "{count} failed (see above); what is finished is kept, run the same command again to go on"
        )));
    }
    let Some(result) = &outcome.result else {
        return Ok(ExitCode::SUCCESS); // only the plan was asked for
    };
    let mut analysis = Analysis::default();
    let analysed =
        results_in::<R>(&outcome.folder).and_then(|results| R::analysis(&results, &mut analysis));
    let reporter = Reporter::new(options.quiet, options.json);
    let folder = report_to.as_ref().unwrap_or(&outcome.folder);
    let mut files = Vec::new();
    match Lock::of_reports(folder) {
        Ok(_lock) => {
            files = (show.report)(result, &analysis, folder)?;
            if with_page {
                files.push((show.page)(result, &analysis, folder)?);
            }
        }
        // A finished run of somebody else, or in an archive.
        Err(error) if error.is_read_only() && report_to.is_none() => {
            reporter.warn(&format!(
                "nothing is drawn ({error}); name another folder by --report-to"
            ));
        }
        Err(error) => return Err(error),
    }
    // An analysis that fails costs itself alone: the table and the figure are there.
    analysed?;
    let mut text = format!(
        "{}\nresults in {}\n",
        (show.table)(result, &analysis),
        outcome.folder.display()
    );
    for file in &files {
        let _ = writeln!(text, "  {}", file.display());
    }
    reporter.print(&text);
    reporter.event(|| event(result, &outcome.folder, &files));
    Ok(ExitCode::SUCCESS)
}

/// The result for programs: means over images, by method and metric.
fn event(result: &SweepResult, folder: &Path, files: &[PathBuf]) -> Json {
    let means = |scores: &Scores| {
        let mut values: BTreeMap<&str, BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
        for score in scores {
            let method = values.entry(&score.method).or_default();
            method.entry(&score.metric).or_default().push(score.value);
        }
        let mean = |values: &Vec<f64>| json!(crate::statistics::mean(values));
        let method = |(name, metrics): (&&str, &BTreeMap<&str, Vec<f64>>)| {
            let metrics = metrics
                .iter()
                .map(|(name, values)| (name.to_string(), mean(values)));
            (name.to_string(), metrics.collect::<Json>())
        };
        values.iter().map(method).collect::<Json>()
    };
    let cells = result.cells.iter().map(|cell| {
        json!({
            "values": cell.values.iter().cloned().collect::<BTreeMap<_, _>>(),
            "validation_accuracy": cell.validation_accuracy,
            "test_accuracy": cell.test_accuracy,
            "scores": means(&cell.scores),
        })
    });
    let baselines = result.references.iter();
    let baselines = baselines.map(|one| json!({ "name": one.name, "scores": means(&one.scores) }));
    json!({
        "event": "result",
        "experiment": result.name,
        "folder": folder,
        "files": files,
        "cells": cells.collect::<Json>(),
        "baselines": baselines.collect::<Json>(),
    })
}

/// The experiment's own parameters and examples of their use, for `--help`.
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
    text.push_str("\nFor example:\n");
    // A shell takes what has blanks or quotes apart, unless it stands in quotes.
    let choice = |name: &str, values: &[Value]| {
        let values = values.iter().map(Value::to_string).collect();
        let name = name.to_owned();
        let text = Choice { name, values }.to_string();
        match text.contains([' ', '"']) {
            true => format!("'{text}'"),
            false => text,
        }
    };
    for factor in &plan.factors {
        let (option, values) = match factor.role {
            Role::Axis => ("--where", &factor.levels[..factor.levels.len().min(2)]),
            Role::Tune => ("--set", &factor.levels[..1]),
            Role::Seed => continue,
        };
        let _ = writeln!(text, "  {option} {}", choice(factor.name, values));
    }
    let first = plan.cells[0].values().iter();
    let first: Vec<_> = first
        .map(|(name, value)| choice(name, std::slice::from_ref(value)))
        .collect();
    let _ = writeln!(text, "  --why {}", first.join(" "));
    text.trim_end().to_owned()
}
