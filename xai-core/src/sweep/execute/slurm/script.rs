//! The scripts for `sbatch`.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What all scripts of a submission have in common.
pub struct Common {
    /// The experiment.
    pub name: String,
    /// The copy of the program.
    pub program: PathBuf,
    /// The options of the sweep.
    pub arguments: Vec<OsString>,
    /// The user's own settings for `sbatch`.
    pub settings: Vec<(String, String)>,
    /// The folder of the submission, absolute.
    pub folder: PathBuf,
    /// The largest number of tasks of a phase that run at the same time.
    pub at_once: Option<usize>,
}

/// The tasks of a phase.
pub struct Array {
    pub phase: String,
    pub tasks: usize,
    /// What the tasks have to do, for people, such as `40 cells`.
    pub what: String,
    /// The file with the cells of each task.
    pub list: Option<PathBuf>,
    /// The largest number of cells of a task.
    pub cells: usize,
}

/// The settings that the scripts need for themselves.
const OWN: [&str; 9] = [
    "array",
    "chdir",
    "dependency",
    "job-name",
    "ntasks",
    "open-mode",
    "output",
    "requeue",
    "signal",
];

/// Reads `partition=gpu,time=4:00:00`. A part without `=` belongs to the value before it, such as a list
/// of nodes.
pub fn settings(text: &str) -> Result<Vec<(String, String)>> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        match (part.split_once('='), settings.last_mut()) {
            (Some((name, value)), _) => {
                let name = name.trim().trim_start_matches('-').to_owned();
                let valid = |c: char| c.is_ascii_alphanumeric() || c == '-';
                if name.is_empty() || !name.chars().all(valid) {
                    return Err(wrong(part));
                }
                if OWN.contains(&name.as_str()) {
                    return Err(Error::invalid(format!(
                        "`{name}` is set by --submit itself"
                    )));
                }
                if value.contains(['\n', '\r']) {
                    return Err(wrong(part));
                }
                settings.push((name, value.trim().to_owned()));
            }
            (None, Some((_, value))) => *value = format!("{value},{part}"),
            (None, None) => return Err(wrong(part)),
        }
    }
    Ok(settings)
}

fn wrong(part: &str) -> Error {
    Error::invalid(format!(
        "`{part}` is not of the form KEY=VALUE, as in --submit partition=gpu,time=4:00:00,gres=gpu:1"
    ))
}

/// The seconds of a time limit as Slurm reads it: `MM`, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM`,
/// `D-HH:MM:SS`.
fn seconds(text: &str) -> Option<u64> {
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(days.parse::<u64>().ok()?), rest),
        None => (None, text),
    };
    let parts = rest.split(':').map(|part| part.parse::<u64>().ok());
    let parts = parts.collect::<Option<Vec<_>>>()?;
    let seconds = match (days, &parts[..]) {
        (None, [minutes]) => minutes * 60,
        (None, [minutes, seconds]) => minutes * 60 + seconds,
        (Some(_), [hours]) => hours * 3600,
        (Some(_), [hours, minutes]) => hours * 3600 + minutes * 60,
        (_, [hours, minutes, seconds]) => hours * 3600 + minutes * 60 + seconds,
        _ => return None,
    };
    Some(days.unwrap_or(0) * 86_400 + seconds)
}

/// The seconds before the end of a task at which it is warned: two minutes, or a quarter of a short one.
fn warning(settings: &[(String, String)]) -> u64 {
    let limit = settings
        .iter()
        .find(|(name, _)| name == "time" || name == "t");
    let limit = limit.and_then(|(_, text)| seconds(text));
    limit.map_or(120, |limit| (limit / 4).min(120))
}

/// The script of a phase that is divided between tasks.
pub fn array(common: &Common, array: &Array) -> String {
    let Array {
        phase,
        tasks,
        what,
        list,
        cells,
    } = array;
    let limit = common
        .at_once
        .map_or(String::new(), |limit| format!("%{limit}"));
    let mut text = head(
        common,
        phase,
        &format!("{what} in {}", count(*tasks, "task")),
        &format!("#SBATCH --array=1-{tasks}{limit}\n"),
        "%A_%a",
    );
    let mut own = format!("--phase {phase} --shard \"$SLURM_ARRAY_TASK_ID/{tasks}\"");
    if let Some(list) = list {
        let _ = write!(own, " --list {}", quoted(list.as_os_str()));
    }
    let grace = warning(&common.settings) * 3 / 4;
    let lives = cells + 5;
    let _ = write!(
        text,
        r#"
# Slurm sends USR1 before the time is up. The program then stops at the next safe point; what is finished is kept.
# If it does not get there soon enough, the cell at which it is now is lost.
trap 'warned=yes; again=yes; kill -USR1 "$program" 2>/dev/null; (sleep {grace}; kill -KILL "$program" 2>/dev/null) &' USR1
trap 'again=yes; kill -TERM "$program" 2>/dev/null' TERM

{command} {own} &
program=$!
again=yes
while [ "$again" ]; do # a signal ends `wait` early
  again=
  wait "$program"
  code=$?
done

# The task starts again with the cells that are left. It finishes at least one each time, so that a task which
# starts more often than it has cells has one that takes longer than the time limit.
if [ "$warned" ] && [ "$code" -gt 1 ]; then
  if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {lives} ]; then
    scontrol requeue "$SLURM_JOB_ID"
    sleep 60 # Slurm ends this script
    exit "$code"
  fi
  echo 'error: the time limit is too short for a cell; submit again with a longer one' >&2
  code=1
fi
exit "$code"
"#,
        command = command(common)
    );
    text
}

/// The script of the last phase, which one task runs: the references, tables and figures.
pub fn tables(common: &Common, arguments: &[OsString]) -> String {
    let mut text = head(common, "tables", "references, tables and figures", "", "%j");
    let _ = write!(text, "\nexec {}", command(common));
    for argument in arguments {
        let _ = write!(text, " {}", quoted(argument));
    }
    text + "\n"
}

fn head(common: &Common, phase: &str, what: &str, array: &str, job: &str) -> String {
    let mut text = format!(
        "#!/bin/bash\n# {}, phase `{phase}`: {what}. Written by --submit.\n",
        common.name
    );
    let here = here();
    let log = common.folder.join("log").join(format!("{phase}-{job}.txt"));
    let _ = write!(
        text,
        "#SBATCH --job-name={name}-{phase}\n\
         {array}\
         #SBATCH --ntasks=1\n\
         #SBATCH --chdir={here}\n\
         #SBATCH --output={log}\n\
         #SBATCH --open-mode=append\n\
         #SBATCH --requeue\n",
        name = common.name,
        here = escaped(&here),
        log = escaped(&log),
    );
    if !array.is_empty() {
        let _ = writeln!(
            text,
            "#SBATCH --signal=B:USR1@{}",
            warning(&common.settings)
        );
    }
    if !common
        .settings
        .iter()
        .any(|(name, _)| name == "cpus-per-task" || name == "c")
    {
        text.push_str("#SBATCH --cpus-per-task=1\n");
    }
    for (name, value) in &common.settings {
        let dashes = if name.len() == 1 { "-" } else { "--" };
        let gap = if name.len() == 1 { " " } else { "=" };
        let _ = writeln!(text, "#SBATCH {dashes}{name}{gap}{value}");
    }
    text
}

fn command(common: &Common) -> String {
    let arguments = common.arguments.iter().map(|part| quoted(part));
    let mut parts = vec![quoted(common.program.as_os_str())];
    parts.extend(arguments);
    parts.join(" ")
}

/// A word for a shell.
fn quoted(word: &std::ffi::OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn here() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

/// Returns an error if the current folder, or this one for logs, cannot stand in a line of `#SBATCH`. Slurm replaces `%` and
/// the letter behind it, and reads a backslash as a sign that it should not. Its jobs would fail without a log.
pub fn check_path(folder: &Path) -> Result<()> {
    for path in [&here(), folder] {
        if path.to_string_lossy().contains(['%', '\\', '\n', '\r']) {
            return Err(Error::file(
                path,
                "has a character that Slurm does not take in a path (%, a backslash or a line break): rename the folder, \
                 or name another one by --out",
            ));
        }
    }
    Ok(())
}

/// A path in a line of `#SBATCH`, where blanks end a word.
fn escaped(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.contains([' ', '\t', '"', '\'', '#']) {
        format!("\"{}\"", text.replace('"', "\\\""))
    } else {
        text.into_owned()
    }
}

/// `1 task`, `2 tasks`.
pub fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_keys_with_values() {
        let read = settings("partition=gpu,time=4:00:00,nodelist=a1,a2,gres=gpu:1").unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            read,
            [
                "partition=gpu",
                "time=4:00:00",
                "nodelist=a1,a2",
                "gres=gpu:1"
            ]
        );
        assert!(settings("").unwrap().is_empty());
        for wrong in ["gpu", "array=1-3", "a b=c", "=3"] {
            assert!(settings(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn paths_that_slurm_would_change_are_refused() {
        for (folder, good) in [
            ("/scratch/a b#c/é", true),
            ("/scratch/50%A", false),
            ("/scratch/a\\b", false),
            ("/scratch/a\nb", false),
        ] {
            assert_eq!(check_path(Path::new(folder)).is_ok(), good, "{folder}");
        }
    }

    #[test]
    fn times_are_read_as_slurm_does() {
        for (text, expected) in [
            ("30", 1800),
            ("30:15", 1815),
            ("4:00:00", 14_400),
            ("1-12", 129_600),
            ("1-12:30", 131_400),
            ("2-00:00:01", 172_801),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        assert_eq!(seconds("UNLIMITED"), None);
        let warning = |text: &str| warning(&settings(text).unwrap());
        assert_eq!(
            [
                warning("time=4:00:00"),
                warning("time=1"),
                warning("partition=a")
            ],
            [120, 15, 120]
        );
    }
}
