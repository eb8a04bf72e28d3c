//! Decides which tasks a submission needs, writes their scripts and submits them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::commands::{most_tasks, sbatch, scancel};
use super::pack::pack;
use super::script::{Array, Common, array, check_path, count, settings, tables};
use super::submission::{Job, LiveJob, folder, job_of_another_plan, keep, live_jobs, next};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::sweep::context::Study;
use crate::sweep::execute::freeze::freeze_planned;
use crate::sweep::inspect::{Past, expected_winners};
use crate::sweep::keep::{MODEL, PREDICTIONS};
use crate::sweep::planned::{
    PhaseName, PlannedSweep, SweepOptions, agreed, consensus, ones_with_all_stages, scored_key,
    write_list,
};
use crate::sweep::watch::Reporter;

/// How to submit a sweep.
#[derive(Clone, Debug)]
pub struct Submit {
    /// The user's settings for `sbatch`: `partition=gpu,time=4:00:00,gres=gpu:1`.
    pub settings: String,
    /// Only writes the scripts.
    pub dry_run: bool,
    /// How long a task should take, in minutes.
    pub task_minutes: f64,
    /// How many cells a task computes at the same time, if the user said so.
    pub jobs: Option<usize>,
    /// The largest number of tasks of a phase that run at the same time.
    pub at_once: Option<usize>,
    /// The options of the sweep, which every task needs.
    pub arguments: Vec<OsString>,
    /// The options of the last task alone: what to do with the results.
    pub of_tables: Vec<OsString>,
}

/// A phase that will be submitted.
struct Needed {
    phase: PhaseName,
    /// The cells of each task. `None` if the winners are not known yet.
    shares: Option<Vec<Vec<usize>>>,
    tasks: usize,
    cells: usize,
}

/// Freezes the plan and submits what is missing: an array of tasks per phase, each phase after the one
/// before. Returns what to tell the user.
///
/// # Errors
/// If the plan cannot be laid out, if jobs of another plan or with other settings of the scores run in the same folder, or
/// if Slurm refuses a job or it cannot be recorded; those submitted before are then cancelled.
pub fn submit(study: &dyn Study, options: &SweepOptions, how: &Submit) -> Result<String> {
    let settings = settings(&how.settings)?;
    let reporter = Reporter::new(options.quiet, options.json);
    let planned = PlannedSweep::of(study, options, &|problem| reporter.warn(&problem))?;
    let slurm = folder(&planned);
    check_path(&slurm)?;
    let _claim = planned.store.claim_submission()?;
    if let Some(error) = job_of_another_plan(study, &planned)? {
        return Err(error);
    }
    // The scripts of a dry run do not wait for other jobs, so they do everything.
    let live = if how.dry_run {
        Vec::new()
    } else {
        live_jobs(&planned, &|_| true)?
    };
    let needed = needed(study, &planned, options, how, &settings, &live)?;
    let chain_is_live = live.iter().any(|live| live.job.phase == TABLES);
    let starts_with_fits = needed.iter().any(|needed| needed.phase == PhaseName::Fit);
    if chain_is_live && !starts_with_fits {
        let jobs: BTreeSet<_> = live.iter().map(|live| live.job.job.to_string()).collect();
        let jobs: Vec<_> = jobs.into_iter().collect();
        return Ok(format!(
            "everything that is missing waits or runs already: jobs {}\n",
            jobs.join(", ")
        ));
    }
    let continues = !how.dry_run && !needed.is_empty();
    let program = freeze_planned(study, &planned, options, continues)?;
    let folder = next(&slurm)?;
    let folder = std::path::absolute(&folder).map_err(|error| Error::file(&folder, error))?;
    let common = Common {
        name: planned.plan.name.to_owned(),
        program,
        arguments: how.arguments.clone(),
        settings,
        folder,
        at_once: how.at_once,
    };
    let scripts = write_scripts(&common, &needed, how)?;
    let mut text = String::new();
    if how.dry_run {
        let _ = writeln!(
            text,
            "scripts, not submitted, in {}",
            common.folder.display()
        );
        for Script { name, what, .. } in &scripts {
            let _ = writeln!(text, "  {name:8}  {what}");
        }
        let _ = writeln!(
            text,
            "to submit them: bash {}",
            common.folder.join(CHAIN).display()
        );
        return Ok(text);
    }
    let scored = scored_key(study, &planned.cells)?;
    let jobs = submit_all(&common.folder, &scripts, &live, &scored)?;
    let _ = writeln!(
        text,
        "submitted; scripts and logs in {}",
        common.folder.display()
    );
    for (Script { name, what, .. }, job) in scripts.iter().zip(&jobs) {
        let _ = writeln!(text, "  {name:8}  job {}: {what}", job.job);
    }
    Ok(text)
}

/// The name of the last phase.
const TABLES: &str = "tables";
/// The script that submits the others.
const CHAIN: &str = "submit.sh";

/// The phases that something is missing in.
fn needed(
    study: &dyn Study,
    planned: &PlannedSweep,
    options: &SweepOptions,
    how: &Submit,
    settings: &[(String, String)],
    live: &[LiveJob],
) -> Result<Vec<Needed>> {
    let most = most_tasks();
    let past = Past::of(planned, options);
    let limit = how.task_minutes * 60.0 * jobs_of_a_task(options, how, settings);
    let packed = |phase, cells: Vec<usize>| {
        let seconds = |cell: usize| {
            let past = past.as_ref()?;
            Some(match phase {
                PhaseName::Predict => past.predict.known()?,
                PhaseName::Test => past.test.known()?,
                // Stages are not estimated.
                PhaseName::Stages => return None,
                PhaseName::Fit => past.fit(&planned.cells[cell].point),
            })
        };
        let cells: Vec<_> = cells
            .into_iter()
            .map(|cell| (cell, seconds(cell)))
            .collect();
        let most = match phase {
            // Those who wait for the first stages, which all need, are few.
            PhaseName::Stages => most.min(MOST_STAGE_TASKS),
            _ => most,
        };
        let shares = pack(&cells, limit, most);
        Needed {
            phase,
            tasks: shares.len(),
            cells: cells.len(),
            shares: Some(shares),
        }
    };
    let of = |phase: &str| {
        let jobs = live.iter().filter(|live| live.job.phase == phase);
        jobs.flat_map(|live| live.cells.iter().copied())
            .collect::<BTreeSet<_>>()
    };
    let missing = |which: Vec<usize>, file: &str, phase: &str| {
        let live = of(phase);
        let which = which.into_iter();
        which
            .filter(|&at| !planned.cells[at].has(file) && !live.contains(&at))
            .collect::<Vec<_>>()
    };
    let all = || (0..planned.cells.len()).collect::<Vec<_>>();
    let mut needed = Vec::new();
    let fits = missing(all(), MODEL, "fit");
    if !fits.is_empty() {
        let wanted: BTreeSet<_> = fits.iter().copied().collect();
        let stages = ones_with_all_stages(&planned.spec, &planned.plan);
        let live = of("stages");
        let stages: Vec<_> = stages
            .into_iter()
            .filter(|cell| !live.contains(cell) && !planned.cells[*cell].has(MODEL))
            .collect();
        if !stages.is_empty() && wanted.len() > 1 {
            needed.push(packed(PhaseName::Stages, stages));
        }
        needed.push(packed(PhaseName::Fit, fits));
    }
    let Ok(winners) = planned.winners() else {
        // How many there will be is known, but not which. A selection may choose others than those that have been
        // predicted. A new winner may change the images on which all agree, and then all are tested again.
        let winners = expected_winners(&planned.spec, &planned.cells);
        let unpredicted = match planned.spec.select {
            Some(_) => winners,
            None => (planned.cells.iter().filter(|cell| !cell.has(PREDICTIONS))).count(),
        };
        for (phase, cells) in [
            (PhaseName::Predict, unpredicted),
            (PhaseName::Test, winners),
        ] {
            let tasks = packed(phase, (0..cells).collect()).tasks.max(1);
            needed.push(Needed {
                phase,
                shares: None,
                tasks,
                cells,
            });
        }
        return Ok(needed);
    };
    let predictions = missing(winners.clone(), PREDICTIONS, "predict");
    let all_predicted = winners.iter().all(|&at| planned.cells[at].has(PREDICTIONS));
    if !predictions.is_empty() {
        needed.push(packed(PhaseName::Predict, predictions));
    }
    let tests = if all_predicted {
        let compared: Vec<_> = winners.iter().map(|&at| &planned.cells[at]).collect();
        let consensus = consensus(&planned.store, &compared)?;
        let agreed = agreed(study, consensus);
        let live = of("test");
        let untested = |at: &usize| !planned.cells[*at].is_tested(&agreed) && !live.contains(at);
        winners.into_iter().filter(untested).collect()
    } else {
        winners
    };
    if !tests.is_empty() {
        needed.push(packed(PhaseName::Test, tests));
    }
    Ok(needed)
}

/// Stages often need each other, so that more tasks would only wait.
const MOST_STAGE_TASKS: usize = 16;

/// How many cells a task computes at the same time.
fn jobs_of_a_task(options: &SweepOptions, how: &Submit, settings: &[(String, String)]) -> f64 {
    let cores = settings
        .iter()
        .find(|(name, _)| name == "cpus-per-task" || name == "c");
    let cores = cores.and_then(|(_, value)| value.parse().ok());
    let jobs = match options.devices.kind() {
        "flex" => cores.unwrap_or(1),
        _ => options.devices.all().len(),
    };
    how.jobs.unwrap_or(jobs).max(1) as f64
}

/// A script and what is said about it.
struct Script {
    name: String,
    path: PathBuf,
    what: String,
    list: Option<String>,
}

fn write_scripts(common: &Common, needed: &[Needed], how: &Submit) -> Result<Vec<Script>> {
    let mut scripts = Vec::new();
    for Needed {
        phase,
        shares,
        tasks,
        cells,
    } in needed
    {
        let name = phase.to_string();
        let list = shares.as_ref().map(|_| format!("{name}.list"));
        if let (Some(list), Some(shares)) = (&list, shares) {
            write_list(&common.folder.join(list), shares)?;
        }
        let noun = match phase {
            PhaseName::Stages | PhaseName::Fit => "cell",
            PhaseName::Predict | PhaseName::Test => "winner",
        };
        let what = count(*cells, noun);
        let longest = shares.iter().flatten().map(Vec::len).max();
        let text = array(
            common,
            &Array {
                phase: name.clone(),
                tasks: *tasks,
                what: what.clone(),
                list: list.as_ref().map(|list| common.folder.join(list)),
                cells: longest.unwrap_or_else(|| cells.div_ceil(*tasks)),
            },
        );
        let path = write(&common.folder, &name, &text)?;
        let what = format!("{what} in {}", count(*tasks, "task"));
        scripts.push(Script {
            name,
            path,
            what,
            list,
        });
    }
    let path = write(&common.folder, TABLES, &tables(common, &how.of_tables))?;
    scripts.push(Script {
        name: TABLES.to_owned(),
        path,
        what: "references, tables and figures".to_owned(),
        list: None,
    });
    // For a dry run, and for people to read.
    let mut chain =
        "#!/bin/bash\n# Submits all phases, each after the one before.\nset -e\n".to_owned();
    let _ = writeln!(chain, "cd \"$(dirname \"$0\")\"");
    let mut before = String::new();
    for Script { name, .. } in &scripts {
        let _ = writeln!(
            chain,
            "{name}=$(sbatch --parsable {before}{name}.sh)\necho \"{name}: job ${name}\""
        );
        before = format!("--dependency=afterok:${name} --kill-on-invalid-dep=yes ");
    }
    write(&common.folder, "submit", &chain)?;
    Ok(scripts)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{name}.sh"));
    fs::write(&path, text).map_err(|error| Error::file(&path, error))?;
    Ok(path)
}

/// Submits the scripts, each after the one before and after the live jobs of earlier submissions that
/// belong to earlier phases. Each is recorded at once, so that it is known if this process is killed.
fn submit_all(
    folder: &Path,
    scripts: &[Script],
    live: &[LiveJob],
    scored: &Key,
) -> Result<Vec<Job>> {
    let order = ["stages", "fit", "predict", "test", TABLES];
    let place = |phase: &str| order.iter().position(|known| *known == phase);
    let mut jobs: Vec<Job> = Vec::new();
    for script in scripts {
        let mut after: Vec<_> = jobs
            .last()
            .map(|job| format!("afterok:{}", job.job))
            .into_iter()
            .collect();
        let earlier = live
            .iter()
            .filter(|live| place(&live.job.phase) < place(&script.name));
        // Whatever becomes of them: what they leave undone is seen by the phase itself.
        after.extend(earlier.map(|live| format!("afterany:{}", live.job.job)));
        let dependency = Some(after.join(",")).filter(|after| !after.is_empty());
        let submitted = sbatch(&script.path, dependency.as_deref()).and_then(|job| {
            jobs.push(Job {
                phase: script.name.clone(),
                job,
                list: script.list.clone(),
                scored: Some(scored.clone()),
            });
            keep(folder, &jobs)
        });
        if let Err(error) = submitted {
            scancel(&jobs.iter().map(|job| job.job).collect::<Vec<_>>());
            return Err(error);
        }
    }
    Ok(jobs)
}
