//! Turns a design into the list of its cells.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::factor::Factor;
use super::restrict::{Choice, Restricted, Restriction, factor, label, values as read_values};
use crate::error::{Error, Result};
use crate::sweep::declare::{Parameter, Point, Scale, Spec, Value};

/// Cells that were left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Skipped {
    /// The values that decided, e.g. `group=a depth=all`.
    pub at: String,
    /// Why.
    pub reason: String,
    /// How many cells.
    pub cells: usize,
}

/// A value of a parameter that is not available in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Absence {
    /// The parameter's name.
    pub parameter: String,
    /// The text of the value.
    pub value: String,
    /// Why.
    pub reason: String,
}

/// Returns the reason if a value of a parameter is not in the plan of a run.
pub type Absent<'a> = &'a dyn Fn(&str, &Value) -> Option<String>;

/// For designs that are laid out without a run.
fn nothing_absent(_: &str, _: &Value) -> Option<String> {
    None
}

/// The cells of a sweep: the cross product of the domains, without the skipped cells.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The experiment's name.
    pub name: &'static str,
    /// The scale of the run.
    pub scale: Scale,
    /// What varies, in order of declaration.
    pub factors: Vec<Factor>,
    /// The cells; the last parameter varies fastest.
    pub cells: Vec<Point>,
    /// The cells that are left out.
    pub skipped: Vec<Skipped>,
    /// Values of the design that are not available in this run.
    pub absent: Vec<Absence>,
    /// Set if this is a part or a variant of the design.
    pub restricted: Option<Restricted>,
}

impl Plan {
    /// Lays a design out at a scale.
    ///
    /// # Errors
    /// If a domain is empty, repeats a value or holds one that is not finite, if zipped parameters
    /// differ in length, or if every cell is skipped.
    pub fn new(spec: &Spec, scale: Scale) -> Result<Self> {
        Self::of_run(spec, scale, &nothing_absent)
    }

    /// As [`new`](Self::new), for a run in which some values are not available.
    fn of_run(spec: &Spec, scale: Scale, absent: Absent) -> Result<Self> {
        let points = lay_out(spec, scale, absent, &[])?;
        let absent = absences(&points);
        let factors = factors(spec, points.iter().filter(|point| point.absent().is_none()));
        let (cells, skipped) = skip(spec, points);
        if cells.is_empty() {
            return Err(Error::invalid(format!(
                "`{}` has nothing to run: its `skip` rules leave out every cell",
                spec.name
            )));
        }
        Ok(Self {
            name: spec.name,
            scale,
            factors,
            cells,
            skipped,
            absent,
            restricted: None,
        })
    }

    /// Lays out a part of a design, for a run in which some values are not available.
    ///
    /// # Errors
    /// As [`Plan::new`]; if the design does not have a name or value; if values are set for a name more than once; if no
    /// cell is left.
    pub fn restricted(spec: &Spec, scale: Scale, absent: Absent, by: &Restriction) -> Result<Self> {
        let whole = Self::of_run(spec, scale, absent)?;
        if *by == Restriction::default() {
            return Ok(whole);
        }
        if let Some(twice) = repeated(&by.set) {
            return Err(Error::invalid(format!(
                "`{}` is given more than once by --set or --seeds; give all its values at once: --set {twice}",
                twice.name
            )));
        }
        let choices = |choices: &[Choice], among: &[Factor], closed| {
            let values = |choice: &Choice| {
                let factor = factor(among, &choice.name)?;
                let values = choice.values.iter();
                let values = values.map(|text| read_values(factor, text, closed));
                Ok((factor.name, values.collect::<Result<Vec<_>>>()?.concat()))
            };
            choices.iter().map(values).collect::<Result<Vec<_>>>()
        };
        let set = choices(&by.set, &whole.factors, false)?;
        let points = lay_out(spec, scale, absent, &set)?;
        let missing = absences(&points);
        // Values that are not available are known all the same, so that the error can give the
        // reason.
        let only = choices(&by.only, &factors(spec, points.iter()), true)?;
        let asked_for = |point: &Point| {
            (only.iter()).all(|(name, values)| {
                point
                    .value(name)
                    .is_some_and(|value| values.contains(value))
            })
        };
        let points: Vec<_> = points.into_iter().filter(asked_for).collect();
        let present = points.iter().filter(|point| point.absent().is_none());
        let factors = factors(spec, present);
        let (cells, skipped) = skip(spec, points);
        let Some(_) = cells.first() else {
            let why = skipped
                .first()
                .map_or("it has no such combination".to_owned(), |skipped| {
                    format!("{} is skipped: {}", skipped.at, skipped.reason)
                });
            return Err(Error::invalid(format!(
                "no cell of `{}` is left to run: {why}",
                spec.name
            )));
        };
        if cells == whole.cells {
            return Ok(whole);
        }
        let named = |factor: &&Factor| {
            let mut choices = by.only.iter().chain(&by.set);
            choices.any(|choice| choice.name == factor.name)
        };
        let named: Vec<&Factor> = factors.iter().filter(named).collect();
        let mut label = label(named.iter().copied())?;
        if whole.has_other_cells(spec, absent, set, &named, &cells) {
            label = format!("set+{label}");
        }
        Ok(Self {
            restricted: Some(Restricted {
                label,
                of: whole.cells.len(),
                by: by.clone(),
            }),
            name: spec.name,
            scale,
            factors,
            cells,
            skipped,
            absent: missing,
        })
    }

    /// Whether these cells, for which `set` was chosen, are others than those of `--where` with the levels of the `named`
    /// factors. If values depend on others, they can be. Values that the design does not have need `--set` in both cases.
    fn has_other_cells(
        &self,
        spec: &Spec,
        absent: Absent,
        set: Vec<(&'static str, Vec<Value>)>,
        named: &[&Factor],
        cells: &[Point],
    ) -> bool {
        let texts =
            |values: &[Value]| -> HashSet<String> { values.iter().map(Value::to_string).collect() };
        let is_possible = |(name, values): &(&str, Vec<Value>)| {
            let known = self.factors.iter().find(|factor| factor.name == *name);
            known.is_some_and(|known| texts(values).is_subset(&texts(&known.levels)))
        };
        let (possible, new): (Vec<_>, Vec<_>) = set.into_iter().partition(is_possible);
        let is_new = |factor: &&&Factor| new.iter().any(|(name, _)| *name == factor.name);
        let chosen: Vec<(&str, HashSet<String>)> = (named.iter().filter(|factor| !is_new(factor)))
            .map(|factor| (factor.name, texts(&factor.levels)))
            .collect();
        let of_chosen = |point: &Point| {
            chosen.iter().all(|(name, levels)| {
                let value = point.value(name);
                value.is_some_and(|value| levels.contains(&value.to_string()))
            })
        };
        !possible.is_empty()
            && lay_out(spec, self.scale, absent, &new).is_ok_and(|points| {
                skip(spec, points.into_iter().filter(of_chosen).collect()).0 != cells
            })
    }
}

/// A name for which values are chosen more than once, with all of them.
fn repeated(choices: &[Choice]) -> Option<Choice> {
    let same = |name: &str| {
        let name = name.to_owned();
        choices.iter().filter(move |other| other.name == name)
    };
    let twice = choices.iter().find(|one| same(&one.name).count() > 1)?;
    let mut values: Vec<String> = Vec::new();
    for value in same(&twice.name).flat_map(|choice| &choice.values) {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    let name = twice.name.clone();
    Some(Choice { name, values })
}

/// The values that are not available at some of the points.
fn absences(points: &[Point]) -> Vec<Absence> {
    let mut absences = Vec::new();
    for point in points {
        let Some((name, reason)) = point.absent() else {
            continue;
        };
        let absence = Absence {
            parameter: name.to_owned(),
            value: part_value(point, name),
            reason: reason.to_owned(),
        };
        if !absences.contains(&absence) {
            absences.push(absence);
        }
    }
    absences
}

/// The points of a design, with the values in `set` replacing those of the design.
fn lay_out(
    spec: &Spec,
    scale: Scale,
    absent: Absent,
    set: &[(&str, Vec<Value>)],
) -> Result<Vec<Point>> {
    let mut points = vec![Point::origin(scale)];
    for parameter in &spec.parameters {
        let zip = spec.zips.iter().find(|zip| zip.contains(&parameter.name));
        points = match zip {
            None => cross(&points, &[parameter], absent, set)?,
            Some(zip) => {
                // The whole group is inserted at the position of its first member.
                let group: Vec<_> = spec
                    .parameters
                    .iter()
                    .filter(|other| zip.contains(&other.name))
                    .collect();
                if group[0].name != parameter.name {
                    continue;
                }
                cross(&points, &group, absent, set)?
            }
        };
    }
    Ok(points)
}

/// Extends every point by every value of the group. The values of its members are paired.
fn cross(
    points: &[Point],
    group: &[&Parameter],
    absent: Absent,
    set: &[(&str, Vec<Value>)],
) -> Result<Vec<Point>> {
    let mut extended = Vec::new();
    for point in points {
        let columns = group
            .iter()
            .map(|parameter| values(parameter, point, set))
            .collect::<Result<Vec<_>>>()?;
        for (parameter, column) in group.iter().zip(&columns).skip(1) {
            if column.len() != columns[0].len() {
                return Err(Error::invalid(format!(
                    "zip pairs `{}` with {} values and `{}` with {}; give both the same number",
                    group[0].name,
                    columns[0].len(),
                    parameter.name,
                    column.len()
                )));
            }
        }
        for row in 0..columns[0].len() {
            extended.push(group.iter().zip(&columns).fold(
                point.clone(),
                |point, (parameter, column)| {
                    let value = column[row].clone();
                    let reason = absent(parameter.name, &value);
                    let point = point.with(parameter.name, value);
                    match reason {
                        Some(reason) => point.without(parameter.name, reason),
                        None => point,
                    }
                },
            ));
        }
    }
    Ok(extended)
}

/// The values of a parameter at a point, checked.
fn values(parameter: &Parameter, point: &Point, set: &[(&str, Vec<Value>)]) -> Result<Vec<Value>> {
    let values = match set.iter().find(|(name, _)| *name == parameter.name) {
        Some((_, values)) => values.clone(),
        None => (parameter.domain)(point).0,
    };
    let at = if parameter.depends_on.is_empty() {
        String::new()
    } else {
        format!(" at {}", part(point, parameter.depends_on))
    };
    let name = parameter.name;
    if values.is_empty() {
        return Err(Error::invalid(format!(
            "`{name}` has no values{at}; give it at least one"
        )));
    }
    let mut seen = HashSet::new();
    for value in &values {
        if !seen.insert(value.to_string()) {
            return Err(Error::invalid(format!(
                "`{name}` has the value {value} twice{at}; remove one"
            )));
        }
        if matches!(value, Value::Float(number) if !number.is_finite()) {
            return Err(Error::invalid(format!(
                "`{name}` has the value {value}{at}; use finite numbers"
            )));
        }
    }
    Ok(values)
}

/// `group=a depth=all`: the named parameters at a point. Different points have different texts.
pub(crate) fn part(point: &Point, names: &[&str]) -> String {
    let one = |name: &&str| {
        let value = part_value(point, name);
        // Such a value could look like another parameter with its value.
        if value.contains(['=', '"']) {
            format!("{name}={value:?}")
        } else {
            format!("{name}={value}")
        }
    };
    names.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn part_value(point: &Point, name: &str) -> String {
    match point.value(name) {
        Some(value) => value.to_string(),
        None => point.scale().to_string(), // the one name that is not a parameter
    }
}

fn factors<'a>(spec: &Spec, points: impl Iterator<Item = &'a Point> + Clone) -> Vec<Factor> {
    let factor = |parameter: &Parameter| {
        let mut levels: Vec<Value> = Vec::new();
        let mut seen = HashSet::new();
        let mut last = None;
        for value in points
            .clone()
            .filter_map(|point| point.value(parameter.name))
        {
            // Neighbours often have the same value.
            if last != Some(value) && seen.insert(value.to_string()) {
                levels.push(value.clone());
            }
            last = Some(value);
        }
        Factor {
            name: parameter.name,
            role: parameter.role,
            levels,
        }
    };
    spec.parameters.iter().map(factor).collect()
}

fn skip(spec: &Spec, points: Vec<Point>) -> (Vec<Point>, Vec<Skipped>) {
    let mut skipped: Vec<Skipped> = Vec::new();
    let mut cells = Vec::new();
    for point in points {
        let rule = spec.skips.iter().find(|rule| (rule.when)(&point));
        let (at, reason) = match (point.absent(), rule) {
            (Some((name, reason)), _) => (part(&point, &[name]), reason),
            (None, Some(rule)) => (part(&point, rule.depends_on), rule.reason),
            (None, None) => {
                cells.push(point);
                continue;
            }
        };
        match skipped
            .iter_mut()
            .find(|known| known.at == at && known.reason == reason)
        {
            Some(known) => known.cells += 1,
            None => skipped.push(Skipped {
                at,
                reason: reason.to_owned(),
                cells: 1,
            }),
        }
    }
    (cells, skipped)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at scale {}: {} cell{}",
            self.name,
            self.scale,
            self.cells.len(),
            if self.cells.len() == 1 { "" } else { "s" }
        )?;
        match &self.restricted {
            None => writeln!(f)?,
            Some(part) if part.of == self.cells.len() => writeln!(f)?,
            Some(part) => writeln!(f, " instead of {}", part.of)?,
        }
        let width = self
            .factors
            .iter()
            .map(|factor| factor.name.len())
            .max()
            .unwrap_or(0);
        for factor in &self.factors {
            writeln!(
                f,
                "  {}  {:width$}  {}",
                factor.role,
                factor.name,
                factor.short_levels().join(", ")
            )?;
        }
        for skipped in &self.skipped {
            let noun = if skipped.cells == 1 { "cell" } else { "cells" };
            writeln!(
                f,
                "  skipped  {} {noun} at {}: {}",
                skipped.cells, skipped.at, skipped.reason
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::restrict::seeds;
    use super::*;
    use crate::sweep::declare::Domain;

    /// Each depth has a rate of its own. With `--where`, the other depth has no cells, but with `--set` it has.
    #[test]
    fn other_cells_have_another_folder() {
        let spec = Spec::new("toy", "")
            .axis("depth", &[], |_| {
                Domain(vec![Value::Integer(1), Value::Integer(2)])
            })
            .tune("rate", &["depth"], |point| {
                Domain(vec![point.value("depth").unwrap().clone()])
            })
            .seed("seed", &[], |_| {
                Domain((0..3).map(Value::Integer).collect())
            });
        let choice = |text: &str| text.parse::<Choice>().unwrap();
        let label = |only: &[&str], set: &[&str]| {
            let by = Restriction {
                only: only.iter().map(|text| choice(text)).collect(),
                set: set.iter().map(|text| choice(text)).collect(),
            };
            let plan = Plan::restricted(&spec, Scale::Smoke, &|_, _| None, &by).unwrap();
            (plan.cells.len(), plan.restricted.unwrap().label)
        };
        assert_eq!(label(&["rate=1"], &[]), (3, "rate=1".to_owned()));
        assert_eq!(label(&[], &["rate=1"]), (6, "set+rate=1".to_owned()));
        // Also together with values that the design has not.
        let [by_where, by_set] = [
            label(&["rate=1"], &["seed=0,7"]),
            label(&[], &["rate=1", "seed=0,7"]),
        ];
        assert_eq!(by_where, (2, "rate=1+seed=0,7".to_owned()));
        assert_eq!(by_set, (4, "set+rate=1+seed=0,7".to_owned()));
        // The same cells have the same folder, and values that the design has not are possible with `--set` alone.
        assert_eq!(label(&["seed=0"], &[]), label(&[], &["seed=0"]));
        assert_eq!(label(&[], &["seed=0,7"]), (4, "seed=0,7".to_owned()));
    }

    #[test]
    fn a_number_of_replicates_is_not_a_seed() {
        let spec = Spec::new("toy", "").seed("seed", &[], |_| Domain(vec![Value::Integer(0)]));
        let values = |text: &str| seeds(&spec, text).map(|choice| choice.values);
        assert_eq!(values("3").unwrap(), ["0", "1", "2"]);
        assert_eq!(values("7,9").unwrap(), ["7", "9"]);
        for many in ["20261129", "99999999999"] {
            let problem = values(many).unwrap_err().to_string();
            let advice = format!("--set seed={many}");
            assert!(problem.ends_with(&advice), "{problem}");
        }
        assert!(values("0").is_err());
    }

    #[test]
    fn different_points_have_different_texts() {
        let point = |a: &str, b: &str| {
            let text = |text: &str| Value::Text(text.to_owned());
            let point = Point::origin(Scale::Smoke).with("a", text(a));
            part(&point.with("b", text(b)), &["a", "b"])
        };
        assert_eq!(point("x", "a z"), "a=x b=a z");
        assert_ne!(point("x", "y b=z"), point("x b=y", "z"));
    }
}
