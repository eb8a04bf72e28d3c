//! The options for running a sweep on a cluster, or in parts by other means.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::error::{Error, Result};
use crate::sweep::execute::{Submit, Work, freeze, run_part, submit};
use crate::sweep::inspect::status;
use crate::sweep::planned::{Part, PhaseName, Shard, SweepOptions};
use crate::sweep::watch::Reporter;

/// The options.
#[derive(clap::Args)]
#[command(next_help_heading = "On a cluster")]
pub(super) struct TaskArgs {
    /// Submit what is missing to Slurm and return at once: an array of tasks per phase, with these
    /// settings for sbatch, such as partition=gpu,time=4:00:00,gres=gpu:1
    #[arg(long, value_name = "KEY=VALUE,..", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["plan", "why"])]
    submit: Option<String>,
    /// With --submit: only write the scripts
    #[arg(long, requires = "submit")]
    dry_run: bool,
    /// With --submit: about how long a task should take; short cells share one
    #[arg(long, value_name = "N", default_value_t = 30.0, value_parser = minutes, requires = "submit")]
    task_minutes: f64,
    /// With --submit: the largest number of tasks that run at the same time
    #[arg(long, value_name = "N", value_parser = super::at_least_one(), requires = "submit")]
    at_once: Option<usize>,
    /// Show what is done, running, failed and waiting in each phase, then exit
    #[arg(long, conflicts_with_all = ["submit", "freeze", "shard", "plan", "why"])]
    status: bool,
    /// Write plan.json and a copy of this program, for tasks that run parts of it, then exit
    #[arg(long, conflicts_with_all = ["submit", "plan", "why", "fresh"])]
    freeze: bool,
    /// Run one part of the plan that was frozen: 3/64 is the third of 64
    #[arg(long, value_name = "I/N", conflicts_with_all = ["submit", "freeze", "plan", "why"])]
    shard: Option<Shard>,
    /// With --shard: the phase of the part
    #[arg(long, value_enum, default_value = "fit", requires = "shard")]
    phase: PhaseName,
    /// With --shard: a file with the cells of each part, one line per part, such as 0..11,14
    #[arg(long, value_name = "FILE", requires = "shard")]
    list: Option<PathBuf>,
}

impl TaskArgs {
    /// The part of the sweep to run, if not the whole.
    pub fn part(&self) -> Option<Part> {
        self.shard.map(|shard| Part {
            phase: self.phase,
            shard,
            list: self.list.clone(),
        })
    }

    /// Does what these options request. `None` if they request nothing.
    pub fn run(
        &self,
        study: &dyn Work,
        options: &SweepOptions,
        jobs: Option<usize>,
    ) -> Result<Option<ExitCode>> {
        if options.fresh && (self.shard.is_some() || self.submit.is_some()) {
            return Err(Error::invalid(
                "--fresh would recompute what other tasks have finished; delete the run's folder, or name another one \
                 by --out",
            ));
        }
        let reporter = Reporter::new(options.quiet, options.json);
        let print = |text: String| {
            if options.json {
                reporter.event(|| json!({ "event": "text", "text": text }));
            } else {
                reporter.print(&text);
            }
        };
        if self.status {
            let status = status(study, options)?;
            if options.json {
                reporter.event(|| json!({ "event": "status", "status": status }));
            } else {
                print(status.to_string());
            }
        } else if self.freeze {
            let program = freeze(study, options)?;
            print(format!(
                "the plan is frozen; its program is {}\n",
                program.display()
            ));
        } else if let Some(settings) = &self.submit {
            let [arguments, of_tables] = arguments_of_tasks(std::env::args_os().skip(1));
            let how = Submit {
                settings: settings.clone(),
                dry_run: self.dry_run,
                task_minutes: self.task_minutes,
                jobs,
                at_once: self.at_once,
                arguments,
                of_tables,
            };
            print(submit(study, options, &how)?);
        } else if let Some(part) = &options.part {
            let failures = run_part(study, options, part)?;
            if !failures.is_empty() {
                return Err(Error::invalid(format!(
                    "{} failed (see above); finished work is kept",
                    failures.len()
                )));
            }
        } else {
            return Ok(None);
        }
        Ok(Some(ExitCode::SUCCESS))
    }
}

/// The minutes of a task.
fn minutes(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse().ok();
    // A subnormal number stays as it is when `pack` makes tasks a little longer.
    number
        .filter(|number: &f64| number.is_normal() && *number > 0.0)
        .ok_or_else(|| "give a number of minutes above 0, such as 30 or 0.5".to_owned())
}

/// The options of this command that its tasks need too, and those that only the last task needs.
fn arguments_of_tasks(all: impl Iterator<Item = OsString>) -> [Vec<OsString>; 2] {
    // Whether an option is followed by its value.
    let ours = [
        ("--submit", true),
        ("--dry-run", false),
        ("--task-minutes", true),
        ("--at-once", true),
    ];
    let of_tables = [
        ("--report", false),
        ("--report-to", true),
        ("--against", true),
    ];
    let mut found = [Vec::new(), Vec::new()];
    let mut all = all.peekable();
    while let Some(argument) = all.next() {
        let text = argument.to_string_lossy().into_owned();
        let is = |(name, _): &&(&str, bool)| text == *name || text.starts_with(&format!("{name}="));
        let (option, place) = match (ours.iter().find(is), of_tables.iter().find(is)) {
            (Some(option), _) => (Some(option), None),
            (None, Some(option)) => (Some(option), Some(1)),
            (None, None) => (None, Some(0)),
        };
        if let Some(place) = place {
            found[place].push(argument);
        }
        let separate = option.is_some_and(|(name, has_value)| *has_value && text == *name);
        let value = |next: &OsString| separate && !next.to_string_lossy().starts_with('-');
        if let Some(value) = all.next_if(value)
            && let Some(place) = place
        {
            found[place].push(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_get_the_options_of_the_sweep() {
        let of = |text: &str| {
            let [tasks, tables] = arguments_of_tasks(text.split(' ').map(OsString::from));
            let words = |words: Vec<OsString>| {
                let words: Vec<_> = words
                    .iter()
                    .map(|word| word.to_string_lossy().into_owned())
                    .collect();
                words.join(" ")
            };
            (words(tasks), words(tables))
        };
        let expected = (
            "--scale paper --where a=b c=d".to_owned(),
            "--report".to_owned(),
        );
        for text in [
            "--scale paper --where a=b c=d --submit partition=gpu,time=1 --report",
            "--submit --dry-run --scale paper --at-once 3 --where a=b c=d --report",
            "--scale paper --task-minutes=5 --report --submit= --where a=b c=d",
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
        assert_eq!(
            of("--report-to x --quiet"),
            ("--quiet".to_owned(), "--report-to x".to_owned())
        );
    }
}
