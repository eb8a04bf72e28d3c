//! A part of a design, as requested by `--where`, `--set` and `--seeds`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::factor::Factor;
use super::ranges::range;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::suggest::suggestion;
use crate::sweep::declare::{Role, Spec, Value};

/// Which cells of a design to run, and which values to replace. The default is the whole design.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Restriction {
    /// Only the cells whose parameter has one of these values.
    #[serde(rename = "where")]
    pub only: Vec<Choice>,
    /// Values that replace those of the design.
    pub set: Vec<Choice>,
}

/// Describes a plan that is not the whole design.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Restricted {
    /// A label such as `group=a+depth=1conv,all`; also the name of the run's folder.
    pub label: String,
    /// The number of cells of the whole design.
    pub of: usize,
    /// The request.
    pub by: Restriction,
}

/// A parameter and its values, as text: `depth=1conv,all`. A value is written as a JSON string if
/// it is empty, begins or ends with a blank, or contains a comma: `name="a, b",""`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The parameter's name.
    pub name: String,
    /// Its values.
    pub values: Vec<String>,
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('=');
        let parts = parts.and_then(|(name, values)| Some((name.trim(), list(values)?)));
        match parts {
            Some((name, values)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                values,
            }),
            _ => Err(Error::invalid(format!(
                "`{text}` is not of the form NAME=VALUE or NAME=VALUE,VALUE; a value that is empty, begins or ends \
                 with a blank, or has a comma goes between quotes: 'NAME=\"a, b\",\"\"'"
            ))),
        }
    }
}

/// Values separated by commas, each optionally a JSON string. `None` if one is empty or its quotes
/// do not match.
fn list(mut text: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    loop {
        text = text.trim();
        let rest = if text.starts_with('"') {
            let mut read = serde_json::Deserializer::from_str(text).into_iter();
            values.push(read.next()?.ok()?);
            text[read.byte_offset()..].trim_start()
        } else {
            let end = text.find(',').unwrap_or(text.len());
            let value = text[..end].trim_end();
            if value.is_empty() {
                return None;
            }
            values.push(value.to_owned());
            &text[end..]
        };
        if rest.is_empty() {
            return Some(values);
        }
        text = rest.strip_prefix(',')?;
    }
}

/// A value as [`list`] reads it.
fn written(value: &str) -> Cow<'_, str> {
    let plain = !value.is_empty() && value.trim() == value && !value.contains([',', '"']);
    if plain {
        value.into()
    } else {
        Json::from(value).to_string().into()
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.values.iter().map(|value| written(value)).collect();
        write!(f, "{}={}", self.name, values.join(","))
    }
}

/// A label such as `group=a+depth=1conv,all` that is valid as a folder name.
pub(crate) fn label<'a>(factors: impl Iterator<Item = &'a Factor>) -> Result<String> {
    let one = |factor: &Factor| {
        let values = factor.short_levels();
        let name = factor.name.to_string();
        Choice { name, values }.to_string()
    };
    let exact = factors.map(one).collect::<Vec<_>>().join("+");
    let plain = |c: char| c.is_ascii_alphanumeric() || "=,+.-_".contains(c);
    let short: String = (exact.chars().take(100))
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    if short == exact {
        return Ok(short);
    }
    Ok(format!("{short}-{}", &Key::of(&exact)?.as_str()[..8]))
}

/// What `--seeds` takes: a count (`5` is 0 to 4), or a list (`0,7,9`), also with ranges (`5..9`).
pub(crate) fn seeds(spec: &Spec, text: &str) -> Result<Choice> {
    let names: Vec<_> = spec.names(Role::Seed).collect();
    let [name] = names[..] else {
        return Err(Error::invalid(format!(
            "--seeds needs an experiment with one #[seed], and `{}` has {}; use --set NAME=VALUE,..",
            spec.name,
            names.len()
        )));
    };
    let digits = text.chars().all(|c| c.is_ascii_digit());
    let values = match text.parse() {
        Ok(0) => return Err(Error::invalid("--seeds 0 leaves nothing to run")),
        Ok(count @ 1..=MOST_REPLICATES) => (0..count).map(|seed| seed.to_string()).collect(),
        _ if digits && !text.is_empty() => {
            return Err(Error::invalid(format!(
                "--seeds {text} asks for that many replicates; for this one seed, write --set {name}={text}"
            )));
        }
        _ => text.split(',').map(|seed| seed.trim().to_owned()).collect(),
    };
    let name = name.to_owned();
    Ok(Choice { name, values })
}

/// Parses a value of the type that `factor` has, or all values of a range such as `0..9`.
pub(crate) fn values(factor: &Factor, text: &str, among: bool) -> Result<Vec<Value>> {
    let range = range(text).filter(|_| matches!(factor.levels[0], Value::Integer(_)));
    let Some(range) = range else {
        return Ok(vec![value(factor, text, among)?]);
    };
    if range.end() - range.start() >= MOST {
        return Err(Error::invalid(format!(
            "`{text}` has more than {MOST} values"
        )));
    }
    range
        .map(|number| value(factor, &number.to_string(), among))
        .collect()
}

/// The largest number of replicates. A larger number is probably meant as a seed.
const MOST_REPLICATES: u32 = 100_000;

/// The largest number of values in a range.
const MOST: i128 = 10_000_000;

/// Parses a value of the type that `factor` has.
///
/// If `among` is set, only values that the factor already has are accepted. Otherwise new values
/// are accepted, except for texts and levels. A new text is more probably a slip, and the other levels of an enum
/// are not known here.
fn value(factor: &Factor, text: &str, among: bool) -> Result<Value> {
    let like = &factor.levels[0];
    let value = match like {
        Value::Bool(_) => text.parse().ok().map(Value::Bool),
        // A parameter that is never below 0 may have an unsigned type. None has more than 64 bits.
        Value::Integer(_) => (text.parse().ok())
            .filter(|&value: &i128| value >= 0 || factor.levels.iter().any(is_negative))
            .filter(|value| (i64::MIN.into()..=u64::MAX.into()).contains(value))
            .map(Value::Integer),
        Value::Float(_) => (text.parse().ok())
            .filter(|value: &f64| value.is_finite())
            .map(|value| Value::Float(value + 0.0)),
        Value::Text(_) | Value::Variant(..) => (factor.levels.iter())
            .find(|level| level.to_string() == text)
            .cloned(),
    };
    match value {
        Some(value) if !among || factor.levels.contains(&value) => Ok(value),
        found => {
            let levels: Vec<_> = factor.levels.iter().map(Value::to_string).collect();
            let names = levels.iter().map(String::as_str);
            let way_out = match (like, found) {
                (Value::Bool(_) | Value::Text(_) | Value::Variant(..), _) => {
                    suggestion(text, names, "the values are")
                }
                // Another number is no slip of the one that is meant.
                (_, Some(_)) => format!(
                    "; the values are {}, and --set takes others",
                    levels.join(", ")
                ),
                (Value::Integer(_), None) if is_reversed(text) => {
                    "; a range begins with its lowest number, as in 3..5".to_owned()
                }
                (_, None) => format!("; it takes numbers like {}", levels.join(", ")),
            };
            let name = &factor.name;
            Err(Error::invalid(format!(
                "`{name}` cannot be `{text}`{way_out}"
            )))
        }
    }
}

/// Whether a text is a range from a number to a lower one.
fn is_reversed(text: &str) -> bool {
    let ends = text.split_once("..");
    ends.is_some_and(|(first, last)| range(&format!("{last}..{first}")).is_some())
}

fn is_negative(value: &Value) -> bool {
    matches!(value, Value::Integer(value) if *value < 0)
}

/// The factor with this name.
pub(crate) fn factor<'a>(factors: &'a [Factor], name: &str) -> Result<&'a Factor> {
    let found = factors.iter().find(|factor| factor.name == name);
    found.ok_or_else(|| {
        let names = factors.iter().map(|factor| factor.name);
        Error::invalid(format!(
            "no parameter is called `{name}`{}",
            suggestion(name, names, "the parameters are")
        ))
    })
}
