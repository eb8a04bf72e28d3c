//! A part of a sweep, as one task of a scheduler runs it.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::sweep::declare::{Role, Spec};
use crate::sweep::plan::{Plan, part as combination, positions, ranges};

/// The phases that are divided between tasks, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum PhaseName {
    /// The stages that several cells share, such as a pre-training.
    Stages,
    /// Fits the cells.
    Fit,
    /// Predicts the test set with the winners.
    Predict,
    /// Explains with the winners.
    Test,
}

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stages => "stages",
            Self::Fit => "fit",
            Self::Predict => "predict",
            Self::Test => "test",
        })
    }
}

/// One of several shares of a phase: `3/64` is the third of 64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shard {
    /// From 1 on.
    number: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/');
        let parts = parts.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(Error::invalid(format!(
                "`{text}` is not of the form NUMBER/OF, such as 1/64, 2/64, … 64/64"
            ))),
        }
    }
}

/// What one task runs instead of the whole sweep.
#[derive(Clone, Debug)]
pub struct Part {
    /// The phase.
    pub phase: PhaseName,
    /// The share of the phase.
    pub shard: Shard,
    /// A file with the cells of each share, one share per line. Without it, all cells of the phase
    /// are divided evenly.
    pub list: Option<PathBuf>,
}

impl Part {
    /// The cells of this share, by their positions in the plan, if it can be known before anything is
    /// read: not those of the winners.
    pub(super) fn own_cells(&self, spec: &Spec, plan: &Plan) -> Result<Option<Vec<usize>>> {
        let all = match self.phase {
            PhaseName::Stages => ones_with_all_stages(spec, plan),
            PhaseName::Fit => (0..plan.cells.len()).collect(),
            PhaseName::Predict | PhaseName::Test => return Ok(None),
        };
        self.of(&all, plan.cells.len()).map(Some)
    }

    /// The cells of this share, by their positions in the plan: of `all` the cells of the phase, or
    /// those on the list.
    ///
    /// # Errors
    /// If the list cannot be read, does not have this share, or names a cell that the plan of `cells`
    /// cells does not have.
    pub(crate) fn of(&self, all: &[usize], cells: usize) -> Result<Vec<usize>> {
        let Shard { number, of } = self.shard;
        let Some(list) = &self.list else {
            return Ok(all[share(all.len(), number - 1, of)].to_vec());
        };
        let text = std::fs::read_to_string(list).map_err(|error| Error::file(list, error))?;
        let lines: Vec<_> = text.lines().collect();
        if lines.len() != of {
            let problem = format!(
                "has {} lines, one per share, and --shard speaks of {of}",
                lines.len()
            );
            return Err(Error::file(list, problem));
        }
        let found = positions(lines[number - 1], cells).unwrap_or_default();
        if found.is_empty() {
            let problem =
                format!("line {number} is no list of cells of this plan, such as 0..11,14");
            return Err(Error::file(list, problem));
        }
        Ok(found)
    }
}

/// Cells that need all shared stages together: one for each combination of axes and seeds. A tuned value
/// belongs to a cell's own training.
pub(crate) fn ones_with_all_stages(spec: &Spec, plan: &Plan) -> Vec<usize> {
    let names: Vec<_> = spec
        .names(Role::Axis)
        .chain(spec.names(Role::Seed))
        .collect();
    let mut seen = HashSet::new();
    let cells = plan.cells.iter().enumerate();
    let new = cells.filter(|(_, point)| seen.insert(combination(point, &names)));
    new.map(|(at, _)| at).collect()
}

/// The share `number` (from 0 on) of a list with `count` entries: neighbours, which often need the same
/// stages.
fn share(count: usize, number: usize, of: usize) -> Range<usize> {
    count * number / of..count * (number + 1) / of
}

/// Writes a file for [`Part::list`].
pub(crate) fn write_list(path: &Path, shares: &[Vec<usize>]) -> Result<()> {
    let line = |cells: &Vec<usize>| {
        let cells: Vec<_> = cells.iter().map(|&cell| cell as i128).collect();
        ranges(&cells) + "\n"
    };
    let text: String = shares.iter().map(line).collect();
    std::fs::write(path, text).map_err(|error| Error::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(shard: &str, list: Option<PathBuf>) -> Part {
        Part {
            phase: PhaseName::Fit,
            shard: shard.parse().unwrap(),
            list,
        }
    }

    #[test]
    fn shares_are_all_cells_once() {
        let all: Vec<usize> = (0..23).collect();
        for of in [1, 2, 7, 23, 40] {
            let shares = (1..=of)
                .flat_map(|number| part(&format!("{number}/{of}"), None).of(&all, 23).unwrap());
            assert_eq!(shares.collect::<Vec<_>>(), all);
        }
        for wrong in ["0/3", "4/3", "3", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_says_which_cells() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fit.list");
        let shares = vec![vec![0, 1, 2, 3, 9], vec![4, 8]];
        write_list(&path, &shares).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "0..3,9\n4,8\n");
        let of = |shard, cells| part(shard, Some(path.clone())).of(&[], cells);
        assert_eq!(
            [of("1/2", 10).unwrap(), of("2/2", 10).unwrap()].to_vec(),
            shares
        );
        for (shard, cells) in [("1/3", 10), ("1/2", 9)] {
            let message = of(shard, cells).unwrap_err().to_string();
            assert!(message.contains("fit.list"), "{message}");
        }
    }
}
