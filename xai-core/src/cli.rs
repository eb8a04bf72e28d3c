//! The command line that all experiments share.

mod tasks;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;
use clap::{CommandFactory, FromArgMatches, Parser};
use serde_json::{Value as Json, json};

use tasks::TaskArgs;

use crate::attribution::Memory;
use crate::device::{Adapter, DeviceChoice, Devices};
use crate::error::{Error, Result};
use crate::files::write_file;
use crate::metrics::Scores;
use crate::process::{cores, limit_threads, to_stderr, to_stdout};
use crate::sweep::context::{BUDGET, Benchmark, Opened, Run};
use crate::sweep::declare::analysis::Analysis;
use crate::sweep::declare::{Published, Role, Scale, Spec, Value};
use crate::sweep::execute::{Outcome, Work, sweep_of};
use crate::sweep::inspect::why_of;
use crate::sweep::keep::{Claim, PLAN};
use crate::sweep::plan::{Choice, Plan, Restriction, seeds};
use crate::sweep::planned::{PlannedSweep, SweepOptions};
use crate::sweep::read::{Axis, SweepResult, against_published, against_run, other_sizes};
use crate::sweep::watch::{Reporter, catch_interrupt};

/// All options. The name and the description are those of the experiment.
#[derive(Parser)]
struct Arguments<A: clap::Args> {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    tasks: TaskArgs,
    #[command(flatten)]
    benchmark: A,
}

/// The options of every experiment.
#[derive(clap::Args)]
struct EngineArgs {
    /// Size of the run: seconds, minutes, or the published sizes
    #[arg(long, value_enum, default_value_t, help_heading = "Scale and device")]
    scale: Scale,
    /// Device: flex (this machine's CPU), cuda or cuda:1 (an NVIDIA GPU), cuda-f32 (the same, with 32-bit products),
    /// vulkan (any GPU), metal (Apple's); cuda:0,1 divides the cells between two GPUs. The devices here are listed below
    #[arg(long, default_value_t, help_heading = "Scale and device")]
    device: Devices,
    /// Number of cells computed at the same time [default: one per core on a CPU, one per GPU]
    #[arg(long, value_name = "N", value_parser = at_least_one(), help_heading = "Scale and device")]
    jobs: Option<usize>,
    /// Memory of the whole process, shared by the cells computed at the same time. Batches are made to fit, and larger
    /// outputs of frozen layers go to files. A network that alone needs more is computed all the same, with a warning
    #[arg(
        long,
        value_name = "SIZE",
        default_value_t = BUDGET,
        help_heading = "Scale and device"
    )]
    memory: Memory,
    /// Folder for all runs
    #[arg(
        long,
        value_name = "DIR",
        default_value = "runs",
        help_heading = "Scale and device"
    )]
    out: PathBuf,
    /// Run only the cells with these values. They are selected and compared among themselves. Their
    /// scores, table and figure go to a folder of their own
    #[arg(long = "where", value_name = "NAME=VALUE,..", num_args = 1.., help_heading = "What to run")]
    only: Vec<Choice>,
    /// Give a parameter other values than those in the experiment. The results go to a folder of
    /// their own
    #[arg(long, value_name = "NAME=VALUE,..", num_args = 1.., help_heading = "What to run")]
    set: Vec<Choice>,
    /// Number of replicates, or a list of seeds such as 0,7
    #[arg(long, value_name = "N", help_heading = "What to run")]
    seeds: Option<String>,
    /// Recompute finished cells and shared stages
    #[arg(long, help_heading = "What to run")]
    fresh: bool,
    /// Recompute the cells and shared stages that were computed by other code than that of this program, in other
    /// files than the experiment's
    #[arg(long, help_heading = "What to run")]
    fresh_code: bool,

    /// Start no further cell after a failure. By default, the other cells of the phase are finished
    /// first
    #[arg(long, help_heading = "When a cell fails")]
    fail_fast: bool,
    /// Number of times to retry a failed cell
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        help_heading = "When a cell fails"
    )]
    retry: usize,

    /// Print the plan, what is already done and an estimate of the rest, then exit
    #[arg(long, help_heading = "What to print")]
    plan: bool,
    /// Explain why a cell is computed again, then exit. Name the cell by its values (group=a
    /// depth=all) or by the beginning of its key
    #[arg(long, value_name = "CELL", num_args = 1.., conflicts_with = "plan", help_heading = "What to print")]
    why: Vec<String>,
    /// Also compare with another run of this experiment, named by its folder, or with `published` values if the
    /// experiment has them: tables, charts and a part of the report
    #[arg(long, value_name = "DIR", conflicts_with_all = ["plan", "why"], help_heading = "What to print")]
    against: Option<PathBuf>,
    /// Also write report.html: all results and heat maps on one self-contained page
    #[arg(long, help_heading = "What to print")]
    report: bool,
    /// Also write ro-crate-metadata.json, with which archives such as Zenodo and WorkflowHub read the run's folder. The
    /// licence is that of the results, such as CC-BY-4.0, or an address
    #[arg(long = "crate", value_name = "LICENCE", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["plan", "why", "report_to"], help_heading = "What to print")]
    archive: Option<String>,
    /// Folder for tables, figures and (with --report) report.html, instead of the run's folder
    #[arg(long, value_name = "DIR", help_heading = "What to print")]
    report_to: Option<PathBuf>,
    /// Print only warnings and errors
    #[arg(long, help_heading = "What to print")]
    quiet: bool,
    /// Print one line of JSON per event (plan, cell, result, error) to stdout, and nothing else
    #[arg(long, help_heading = "What to print")]
    json: bool,
}

/// The options of an experiment's benchmark.
type BenchmarkArgs<R> = <<R as Run>::Benchmark as Benchmark>::Args;

/// The result and the experiment's own analysis as tables for the terminal.
pub type Table = fn(&SweepResult, &Analysis) -> String;

/// Writes tables and figures into a folder. Returns the paths of the files.
pub type Report = fn(&SweepResult, &Analysis, &Path) -> Result<Vec<PathBuf>>;

/// Writes the page with all results of the run in a folder into another one, which may be the same. Returns its path.
pub type Page = fn(&SweepResult, &Analysis, &Path, &Path) -> Result<PathBuf>;

/// Writes the metadata of an archive into the folder of a run, with the licence of the results. Returns its path.
pub type Archive = fn(&Path, Option<&str>) -> Result<PathBuf>;

/// How to show a result. The functions are passed in by the crate root.
pub struct Show {
    pub table: Table,
    pub report: Report,
    pub page: Page,
    /// Whether a folder holds such a page.
    pub has_page: fn(&Path) -> bool,
    pub archive: Archive,
    /// The licence in such metadata, if a folder holds them.
    pub archived: fn(&Path) -> Option<Option<String>>,
}

/// Runs an experiment from the command line. This is all that its `main` does.
pub fn main<R: Run>(show: &Show) -> ExitCode {
    let spec = R::spec();
    let open = |arguments: &BenchmarkArgs<R>, scale| -> Result<Box<dyn Work>> {
        let benchmark = R::Benchmark::open(arguments, scale)?;
        Ok(Box::new(Opened::<R>::new(benchmark)))
    };
    // Without its options, the benchmark may be unavailable.
    let usual = open(&Default::default(), Scale::default()).ok();
    let command = Arguments::<BenchmarkArgs<R>>::command()
        .name(spec.name)
        .about(if spec.description.is_empty() {
            None
        } else {
            Some(spec.description)
        })
        .after_help(after_help(&spec, usual.as_deref()));
    let arguments = match Arguments::<BenchmarkArgs<R>>::from_arg_matches(&command.get_matches()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let Arguments {
        engine,
        tasks,
        benchmark,
    } = arguments;
    catch_interrupt();
    limit_threads();
    let reporter = Reporter::new(engine.quiet, engine.json);
    let open = |scale| open(&benchmark, scale);
    let done = run(engine, tasks, &spec, R::published, &open, show);
    done.unwrap_or_else(|error| failed(&error, &reporter))
}

/// Prints why a run failed.
fn failed(error: &Error, reporter: &Reporter) -> ExitCode {
    let hint = if error.is_disk_full() {
        "; finished work is kept: make room and run the same command again"
    } else {
        ""
    };
    to_stderr(&format!("error: {error}{hint}"));
    reporter.event(|| json!({ "event": "error", "message": error.to_string() }));
    ExitCode::from(match error {
        Error::Interrupted => 130,
        _ => 1,
    })
}

/// Opens the benchmark at a scale.
type Open<'a> = &'a dyn Fn(Scale) -> Result<Box<dyn Work>>;

fn run(
    arguments: EngineArgs,
    tasks: TaskArgs,
    spec: &Spec,
    published: fn() -> Option<Published>,
    open: Open,
    show: &Show,
) -> Result<ExitCode> {
    let with_page = arguments.report;
    let report_to = arguments.report_to;
    let archive = arguments
        .archive
        .map(|licence| Some(licence).filter(|licence| !licence.is_empty()));
    let against = (arguments.against.as_deref())
        .map(|named| Against::of(named, published))
        .transpose()?;
    let mut restriction = Restriction {
        only: arguments.only,
        set: arguments.set,
    };
    if let Some(text) = &arguments.seeds {
        restriction.set.push(seeds(spec, text)?);
    }
    let jobs = arguments.jobs;
    let options = SweepOptions {
        scale: arguments.scale,
        jobs: jobs.unwrap_or_else(|| default_jobs(&arguments.device)),
        devices: arguments.device,
        out: arguments.out,
        restriction,
        memory: arguments.memory,
        fresh: arguments.fresh,
        fresh_code: arguments.fresh_code,
        retry: arguments.retry,
        fail_fast: arguments.fail_fast,
        part: tasks.part(),
        plan_only: arguments.plan,
        quiet: arguments.quiet,
        json: arguments.json,
    };
    let reporter = Reporter::new(options.quiet, options.json);
    let study = &*open(options.scale)?;
    if !arguments.why.is_empty() {
        let reason = why_of(study, &options, &arguments.why)?;
        if options.json {
            reporter.event(|| json!({ "event": "why", "reason": reason }));
        } else {
            to_stdout(&reason);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(against) = &against {
        against.refuse(&PlannedSweep::folder(study, &options)?)?;
    }
    if let Some(code) = tasks.run(study, &options, jobs)? {
        return Ok(code);
    }
    let mut outcome = sweep_of(study, &options)?;
    let code = conclude(
        study,
        &mut outcome,
        &options,
        show,
        with_page,
        report_to,
        against,
    )?;
    // After all other files, which it lists. Metadata of an earlier run would list files that were changed.
    let asked = archive.is_some();
    if outcome.result.is_some()
        && let Some(licence) = archive.or_else(|| (show.archived)(&outcome.folder))
    {
        match (show.archive)(&outcome.folder, licence.as_deref()) {
            Ok(path) => reporter.print(&format!("  {}\n", path.display())),
            // Nothing was changed in a folder that is read-only.
            Err(error) if error.is_read_only() && !asked => {}
            Err(error) => return Err(error),
        }
    }
    Ok(code)
}

/// What to compare a run with.
enum Against {
    Published(Published),
    Run(PathBuf),
}

impl Against {
    /// What `--against` names. Checked before anything is computed.
    fn of(named: &Path, published: fn() -> Option<Published>) -> Result<Self> {
        if named == Path::new("published") {
            return published().map(Self::Published).ok_or_else(|| {
                Error::invalid(
                    "--against published: this experiment has no published values; name the folder of another run",
                )
            });
        }
        let plan = named.join(PLAN);
        if plan.is_file() {
            Ok(Self::Run(named.to_owned()))
        } else {
            Err(Error::file(
                &plan,
                "is not there; --against takes the folder of a run, such as runs/my_study, or `published`",
            ))
        }
    }

    /// Returns an error if this is the folder of the run itself. The run replaces what is there, so it would be compared
    /// with itself.
    fn refuse(&self, own: &Path) -> Result<()> {
        match self {
            Self::Run(other) if is_same(other, own) => Err(Error::file(
                other,
                "is the folder of this run itself, which replaces what is there: for --against, copy it first",
            )),
            _ => Ok(()),
        }
    }

    fn compare(
        &self,
        folder: &Path,
        axes: &[Axis],
        scale: Scale,
        analysis: &mut Analysis,
    ) -> Result<()> {
        match self {
            Self::Published(values) => against_published(folder, axes, values, scale, analysis),
            Self::Run(other) => against_run(folder, axes, other, analysis),
        }
    }
}

/// Whether two paths lead to the same folder. One that is not there is no other's.
fn is_same(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(Path::canonicalize);
    matches!((one, other), (Ok(one), Ok(other)) if one == other)
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

fn default_jobs(devices: &Devices) -> usize {
    match devices.all() {
        [DeviceChoice::Flex, ..] => cores().max(devices.all().len()),
        gpus => gpus.len(),
    }
}

/// Prints the table, writes the report, and lists the paths.
fn conclude(
    study: &dyn Work,
    outcome: &mut Outcome,
    options: &SweepOptions,
    show: &Show,
    with_page: bool,
    report_to: Option<PathBuf>,
    against: Option<Against>,
) -> Result<ExitCode> {
    if !outcome.failures.is_empty() {
        let count = outcome.failures.len();
        return Err(Error::invalid(format!(
            "{count} failed (see above); finished work is kept, run the same command again to continue"
        )));
    }
    let Some(result) = &outcome.result else {
        return Ok(ExitCode::SUCCESS); // only the plan was asked for
    };
    let mut analysis = Analysis::default();
    let analysed = study.analysis(&outcome.folder, &mut analysis);
    let reporter = Reporter::new(options.quiet, options.json);
    if let Some(Against::Published(published)) = &against
        && let Some(line) = other_sizes(published, options.scale)
    {
        reporter.warn(&line);
    }
    let is_compared = against.is_some();
    let compared = against.map(|against| {
        against.compare(&outcome.folder, &result.axes, options.scale, &mut analysis)
    });
    let folder = report_to.as_ref().unwrap_or(&outcome.folder);
    if let Some(folder) = &report_to {
        std::fs::create_dir_all(folder).map_err(|error| {
            Error::file(
                folder,
                format!("{error}; name another folder by --report-to"),
            )
        })?;
    }
    let mut files = Vec::new();
    let claim = match &outcome.claim {
        Some(_) if is_same(folder, &outcome.folder) => Ok(None), // held already
        _ => claim_other(folder, &outcome.folder, &mut outcome.claim).map(Some),
    };
    match claim {
        Ok(_claim) => {
            outcome.check_sources()?; // the analysis and the comparison have read them again
            files = (show.report)(result, &analysis, folder)?;
            // A page of an earlier run would be taken for one of this run.
            if with_page || (show.has_page)(folder) {
                files.push((show.page)(result, &analysis, &outcome.folder, folder)?);
                outcome.check_sources()?; // its heat maps
            }
        }
        // The folder of a finished run may be read-only, for example in an archive.
        Err(error) if error.is_read_only() && report_to.is_none() => {
            let problem = format!(
                "nothing is drawn in {}, which is read-only; name another folder by --report-to",
                folder.display()
            );
            if with_page || is_compared {
                return Err(Error::invalid(problem)); // this was asked for
            }
            reporter.warn(&problem);
        }
        Err(error) => return Err(error),
    }
    // A failed analysis or comparison does not affect the table and the figure, which are already written.
    analysed?;
    compared.transpose()?;
    let mut text = format!(
        "{}\nresults in {}\n",
        (show.table)(result, &analysis),
        folder.display()
    );
    for file in &files {
        let _ = writeln!(text, "  {}", file.display());
    }
    reporter.print(&text);
    reporter.event(|| event(result, &outcome.folder, &files));
    Ok(ExitCode::SUCCESS)
}

/// Claims another folder, into which a run in the folder `own` reports. Its own claim may be `held`. Two runs that report
/// into each other's folders would wait for ever, so that everyone makes such claims in the order of the paths.
fn claim_other(other: &Path, own: &Path, held: &mut Option<Claim>) -> Result<Claim> {
    let paths = [other, own].map(Path::canonicalize);
    let is_first = matches!(&paths, [Ok(other), Ok(own)] if other < own);
    if held.is_none() || !is_first {
        return Claim::of_reports(other);
    }
    let path = own.join(PLAN);
    let read = || std::fs::read(&path).map_err(|error| Error::file(&path, error));
    let plan = read()?;
    *held = None;
    let claim = Claim::of_reports(other)?;
    *held = Some(Claim::of_reports(own)?);
    // Another process may have replaced it in the meantime.
    if read()? != plan {
        write_file(&path, |aside| {
            std::fs::write(aside, &plan).map_err(|error| Error::file(aside, error))
        })?;
    }
    Ok(claim)
}

/// The result for other programs: means over images, by method and metric.
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
        let mut json = match &cell.regression {
            Some(of) => json!({
                "validation_r2": of.validation.r2,
                "validation_mae": of.validation.mae,
                "test_r2": of.test.r2,
                "test_mae": of.test.mae,
            }),
            None => json!({
                "validation_accuracy": cell.validation_accuracy,
                "test_accuracy": cell.test_accuracy,
            }),
        };
        json["values"] = json!(cell.values.iter().cloned().collect::<BTreeMap<_, _>>());
        json["scores"] = json!(means(&cell.scores));
        json
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

/// The text below the options. It looks for devices only if the help is printed.
fn after_help(spec: &Spec, study: Option<&dyn Work>) -> String {
    let asked = std::env::args_os().any(|argument| argument == "--help" || argument == "-h");
    let devices = if asked { devices() } else { String::new() };
    format!("{}{devices}", parameters(spec, study))
}

/// The devices of this machine, by name.
fn devices() -> String {
    let mut text = "\n\nDevices here:\n".to_owned();
    for (device, adapter) in DeviceChoice::found() {
        let name = match adapter {
            Some(Adapter { name, driver }) => format!("{name} ({driver})"),
            None => "this machine's processor".to_owned(),
        };
        let _ = writeln!(text, "  {:<10}{name}", device.to_string());
    }
    text.trim_end().to_owned()
}

/// The parameters of the experiment and examples of their use, for `--help`.
fn parameters(spec: &Spec, study: Option<&dyn Work>) -> String {
    let scale = Scale::default();
    let absent = |name: &str, value: &Value| study?.absent(name, value);
    let plan = match Plan::restricted(spec, scale, &absent, &Restriction::default()) {
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
    // A shell splits words with blanks or quotes unless they are quoted.
    let choice = |name: &str, values: &[Value]| {
        let values = values.iter().map(Value::to_string).collect();
        let name = name.to_owned();
        let text = Choice { name, values }.to_string();
        if text.contains([' ', '"']) {
            format!("'{text}'")
        } else {
            text
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
