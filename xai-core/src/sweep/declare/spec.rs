//! The design of an experiment as data. `#[experiment]` expands to it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sweep::declare::{Domain, ParameterValue, Value};
use crate::training::Validation;

/// The size of a run. The same experiment file works at all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Seconds; for tests and snapshots.
    Smoke,
    /// Minutes on two cores.
    #[default]
    Desk,
    /// An evening on two cores for each seed: the published network with small images. A benchmark without this
    /// scale uses the sizes of the desk scale.
    Night,
    /// The published sizes; needs a GPU.
    Paper,
}

impl Scale {
    /// The argument for this scale. [`Scale::Night`] uses that of the desk scale. If it should not, compare
    /// with it first.
    pub fn pick<T>(self, smoke: T, desk: T, paper: T) -> T {
        match self {
            Self::Smoke => smoke,
            Self::Desk | Self::Night => desk,
            Self::Paper => paper,
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smoke => "smoke",
            Self::Desk => "desk",
            Self::Night => "night",
            Self::Paper => "paper",
        })
    }
}

/// The role of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A factor that is reported.
    Axis,
    /// A hyperparameter that is searched, then selected by validation.
    Tune,
    /// A replicate.
    Seed,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Axis => "axis",
            Self::Tune => "tune",
            Self::Seed => "seed",
        })
    }
}

/// A point of the design. While the design is laid out, only its first parameters are fixed.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    scale: Scale,
    /// Shared by all clones: a sweep may have a million points.
    values: Arc<[(&'static str, Value)]>,
    /// A parameter whose value this run does not have, and the reason.
    absent: Option<Arc<(&'static str, String)>>,
}

impl Point {
    pub(crate) fn origin(scale: Scale) -> Self {
        Self {
            scale,
            values: Arc::default(),
            absent: None,
        }
    }

    pub(crate) fn with(&self, name: &'static str, value: Value) -> Self {
        let values = self.values.iter().cloned();
        Self {
            values: values.chain([(name, value)]).collect(),
            ..self.clone()
        }
    }

    /// The point, with the reason why this run does not have the value of a parameter.
    pub(crate) fn without(self, name: &'static str, reason: String) -> Self {
        Self {
            absent: self.absent.or_else(|| Some(Arc::new((name, reason)))),
            ..self
        }
    }

    /// The parameter whose value this run does not have, and the reason.
    pub(crate) fn absent(&self) -> Option<(&'static str, &str)> {
        let (name, reason) = &**self.absent.as_ref()?;
        Some((name, reason))
    }

    /// The scale of the run.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Names and values in order of declaration.
    pub fn values(&self) -> &[(&'static str, Value)] {
        &self.values
    }

    /// The value called `name`, with its type erased.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The value called `name`.
    ///
    /// # Panics
    /// If there is no value of that name and type. `#[experiment]` checks both at compile time.
    pub fn get<T: ParameterValue>(&self, name: &str) -> T {
        self.value(name).and_then(T::from_value).unwrap_or_else(|| {
            panic!("the parameter `{name}` is not fixed at {self}, or of another type")
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.values.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{name}={value}")?;
        }
        Ok(())
    }
}

/// A parameter of the design.
pub struct Parameter {
    /// The field's name.
    pub name: &'static str,
    /// Its role.
    pub role: Role,
    /// The parameters (or `scale`) on which its values depend.
    pub depends_on: &'static [&'static str],
    /// Its values, given the values of the parameters on which it depends.
    pub domain: fn(&Point) -> Domain,
}

/// Cells to leave out.
pub struct Skip {
    /// The reason, shown in the plan.
    pub reason: &'static str,
    /// The parameters that the rule looks at.
    pub depends_on: &'static [&'static str],
    /// Whether to leave this cell out.
    pub when: fn(&Point) -> bool,
}

/// How the values of `#[tune]` are selected. Only validation results are available.
#[derive(Clone, Copy)]
pub enum Select {
    /// The largest value wins.
    Max(fn(&Validation) -> f64),
    /// The smallest value wins.
    Min(fn(&Validation) -> f64),
    /// The value closest to a target wins. This makes cells of about the same accuracy comparable.
    Closest(f64, fn(&Validation) -> f64),
}

/// The design of an experiment.
pub struct Spec {
    /// The experiment's name in snake case.
    pub name: &'static str,
    /// The doc comment of the struct.
    pub description: &'static str,
    /// What varies, in order of declaration.
    pub parameters: Vec<Parameter>,
    /// Parameters whose values are paired.
    pub zips: Vec<&'static [&'static str]>,
    /// The rules for cells to leave out.
    pub skips: Vec<Skip>,
    /// How winners are selected. Without a rule, every cell is a winner.
    pub select: Option<Select>,
    /// The code in the experiment's file. `None` if the macro could not read the file.
    pub code: Option<Code>,
    /// Fingerprints of the code outside of the file, without that of this crate. It is no part of keys.
    pub outside: CodeItems,
}

/// The code in an experiment's file that determines results: the name of each item and a hash of its tokens.
/// Comments, layout, docs and unused imports are not in it.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// What `fit` and `benchmark` use.
    pub fit: CodeItems,
    /// What `test` and `references` use.
    pub test: CodeItems,
}

/// Names of items, each with the hash of its tokens.
pub type CodeItems = &'static [(&'static str, &'static str)];

/// The steps that `#[experiment]` chains, one per line.
impl Spec {
    /// A design in which nothing varies yet.
    pub fn new(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            description,
            parameters: Vec::new(),
            zips: Vec::new(),
            skips: Vec::new(),
            select: None,
            code: None,
            outside: &[],
        }
    }

    /// Adds a reported factor.
    pub fn axis(
        self,
        name: &'static str,
        depends_on: &'static [&'static str],
        domain: fn(&Point) -> Domain,
    ) -> Self {
        self.parameter(Parameter {
            name,
            role: Role::Axis,
            depends_on,
            domain,
        })
    }

    /// Adds a hyperparameter.
    pub fn tune(
        self,
        name: &'static str,
        depends_on: &'static [&'static str],
        domain: fn(&Point) -> Domain,
    ) -> Self {
        self.parameter(Parameter {
            name,
            role: Role::Tune,
            depends_on,
            domain,
        })
    }

    /// Adds a replicate.
    pub fn seed(
        self,
        name: &'static str,
        depends_on: &'static [&'static str],
        domain: fn(&Point) -> Domain,
    ) -> Self {
        self.parameter(Parameter {
            name,
            role: Role::Seed,
            depends_on,
            domain,
        })
    }

    fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Pairs parameters.
    pub fn zip(mut self, names: &'static [&'static str]) -> Self {
        self.zips.push(names);
        self
    }

    /// Leaves cells out.
    pub fn skip(
        mut self,
        reason: &'static str,
        depends_on: &'static [&'static str],
        when: fn(&Point) -> bool,
    ) -> Self {
        self.skips.push(Skip {
            reason,
            depends_on,
            when,
        });
        self
    }

    /// Lets the largest value win.
    pub fn select_max(mut self, by: fn(&Validation) -> f64) -> Self {
        self.select = Some(Select::Max(by));
        self
    }

    /// Lets the smallest value win.
    pub fn select_min(mut self, by: fn(&Validation) -> f64) -> Self {
        self.select = Some(Select::Min(by));
        self
    }

    /// Lets the value closest to `target` win.
    pub fn select_closest(mut self, target: f64, by: fn(&Validation) -> f64) -> Self {
        self.select = Some(Select::Closest(target, by));
        self
    }

    /// Sets the code in the experiment's file.
    pub fn code(mut self, fit: CodeItems, test: CodeItems) -> Self {
        self.code = Some(Code { fit, test });
        self
    }

    /// Sets the fingerprints of the code outside of the experiment's file.
    pub fn outside(mut self, outside: CodeItems) -> Self {
        self.outside = outside;
        self
    }

    /// The names of the parameters with this role.
    pub fn names(&self, role: Role) -> impl Iterator<Item = &'static str> {
        self.parameters
            .iter()
            .filter(move |parameter| parameter.role == role)
            .map(|parameter| parameter.name)
    }
}

/// A struct with `#[experiment]`: its design, and the conversion from a point of the design to the
/// struct.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an experiment",
    label = "not an experiment",
    note = "put #[experiment] on the struct and a role (#[axis], #[tune] or #[seed]) on each field"
)]
pub trait Experiment: Sized + 'static {
    /// The design.
    fn spec() -> Spec;
    /// The struct with the values of a point of the design.
    fn at(point: &Point) -> Self;
}
