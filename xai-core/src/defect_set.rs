//! Sets of defects, for benchmarks that can reproduce a public code as it is.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::suggest::did_you_mean;

/// A defect of a benchmark's public code. Its text form is its short name, such as `D1`.
pub trait KnownDefect: Copy + PartialEq + fmt::Display + 'static {
    /// All defects, in order: at most 16.
    const KNOWN: &'static [Self];
}

/// A set of defects. Its text form is `none` or a list such as `D1,D2`. `all` is accepted too, but
/// written as the list, which stays true if another defect is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String", bound = "D: KnownDefect")]
pub struct DefectSet<D> {
    /// One bit per defect, in the order of [`KnownDefect::KNOWN`].
    bits: u16,
    of: PhantomData<D>,
}

impl<D: KnownDefect> DefectSet<D> {
    /// The corrected benchmark.
    pub const NONE: Self = Self::of(0);
    /// The benchmark with all its defects.
    pub const ALL: Self = Self::of((1 << D::KNOWN.len()) - 1);

    const fn of(bits: u16) -> Self {
        Self {
            bits,
            of: PhantomData,
        }
    }

    /// Whether a defect is in the set.
    pub fn has(self, defect: D) -> bool {
        self.bits & bit(defect) != 0
    }

    /// The set with one more defect.
    #[must_use]
    pub fn with(self, defect: D) -> Self {
        Self::of(self.bits | bit(defect))
    }

    /// The set without one defect.
    #[must_use]
    pub fn without(self, defect: D) -> Self {
        Self::of(self.bits & !bit(defect))
    }

    /// The defects that are in the set and in `some`.
    #[must_use]
    pub fn only(self, some: &[D]) -> Self {
        let both = some.iter().filter(|&&defect| self.has(defect));
        both.fold(Self::NONE, |set, &defect| set.with(defect))
    }
}

/// The bit of a defect.
fn bit<D: KnownDefect>(defect: D) -> u16 {
    let place = D::KNOWN.iter().position(|&known| known == defect);
    1 << place.expect("`KNOWN` lists all defects")
}

impl<D: KnownDefect> Default for DefectSet<D> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<D: KnownDefect> fmt::Display for DefectSet<D> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let had = D::KNOWN.iter().filter(|&&defect| self.has(defect));
        let names: Vec<String> = had.map(D::to_string).collect();
        if names.is_empty() {
            f.write_str("none")
        } else {
            f.write_str(&names.join(","))
        }
    }
}

impl<D: KnownDefect> FromStr for DefectSet<D> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::NONE),
            "all" => Ok(Self::ALL),
            list => list
                .split(',')
                .try_fold(Self::NONE, |set, name| Ok(set.with(defect(name.trim())?))),
        }
    }
}

fn defect<D: KnownDefect>(name: &str) -> Result<D> {
    let mut all = D::KNOWN.iter().copied();
    all.find(|defect| defect.to_string() == name)
        .ok_or_else(|| {
            let mut known: Vec<String> = D::KNOWN.iter().map(D::to_string).collect();
            let list = known.join(",");
            known.extend(["none".to_owned(), "all".to_owned()]);
            let near = did_you_mean(name, &known).unwrap_or_else(|| ".".to_owned());
            Error::invalid(format!(
                "there is no defect `{name}`{near} Give `none`, `all` or some of {list}"
            ))
        })
}

impl<D: KnownDefect> TryFrom<String> for DefectSet<D> {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl<D: KnownDefect> From<DefectSet<D>> for String {
    fn from(set: DefectSet<D>) -> Self {
        set.to_string()
    }
}
