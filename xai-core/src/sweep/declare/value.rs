//! The types that a parameter of an experiment can have, and the sets of values it can take.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use serde::{Serialize, Serializer};

/// A value of a parameter with its type erased, as stored in plans, keys and manifests.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A switch.
    Bool(bool),
    /// Any of Rust's integers up to 64 bits.
    Integer(i128),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A level of an enum: its name and its title, see [`Level`].
    Variant(&'static str, &'static str),
}

impl Value {
    /// The text in figures: the title of a level, else the value itself.
    pub fn title(&self) -> String {
        match self {
            Self::Variant(_, title) => (*title).to_owned(),
            value => value.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"), // the shortest text that reads back the same
            Self::Text(value) => f.write_str(value),
            Self::Variant(name, _) => f.write_str(name),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            // The integers come from 64-bit types, so one of the two conversions always succeeds.
            Self::Integer(value) => match u64::try_from(*value) {
                Ok(value) => serializer.serialize_u64(value),
                Err(_) => serializer.serialize_i64(*value as i64),
            },
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Variant(name, _) => serializer.serialize_str(name),
        }
    }
}

/// A type that a field of an experiment can have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of an experiment",
    label = "not a parameter's type",
    note = "a parameter is an f64, an integer, a bool, a String or an enum with #[derive(Clone, Level)]"
)]
pub trait ParameterValue: Sized + 'static {
    /// Erases the type.
    fn to_value(&self) -> Value;
    /// Restores the type. `None` if the value has another type.
    fn from_value(value: &Value) -> Option<Self>;
}

/// An enum whose variants are the levels of a factor: `#[derive(Clone, Level)]`.
///
/// The name of a level is its variant's name in snake case. `#[level("1conv")]` gives it another
/// name. Figures and the HTML page show a level's title, which is its name unless
/// `#[level(title = "1 block")]` gives it another one. `#[level("1conv", title = "1 block")]` gives both.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no levels to go through",
    label = "needs values",
    note = "give the values, such as #[axis([1, 2, 3])], or #[derive(Clone, Level)] on the enum `{Self}`"
)]
pub trait Level: Clone + 'static {
    /// All levels in order of declaration.
    const LEVELS: &'static [Self];
    /// The level's name in plans, tables and files.
    fn name(&self) -> &'static str;
    /// The level's title in figures and on the HTML page.
    fn title(&self) -> &'static str {
        self.name()
    }
}

impl<T: Level> ParameterValue for T {
    fn to_value(&self) -> Value {
        Value::Variant(self.name(), self.title())
    }

    fn from_value(value: &Value) -> Option<Self> {
        let Value::Variant(name, _) = value else {
            return None;
        };
        Self::LEVELS
            .iter()
            .find(|level| level.name() == *name)
            .cloned()
    }
}

impl ParameterValue for f64 {
    fn to_value(&self) -> Value {
        Value::Float(*self + 0.0) // makes -0.0 the 0.0 that it is equal to
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Float(value) => Some(*value),
            _ => None,
        }
    }
}

impl ParameterValue for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

impl ParameterValue for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(value) => Some(value.clone()),
            _ => None,
        }
    }
}

/// The values that a parameter takes at one point of the design, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain(pub(crate) Vec<Value>);

impl Domain {
    fn of<T: ParameterValue>(values: &[T]) -> Self {
        Self(values.iter().map(T::to_value).collect())
    }
}

/// Anything that can be written as the values of a parameter of type `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of values of the type `{T}`",
    label = "expected values of the type `{T}`",
    note = "write an array [a, b, c], a Vec, a slice, a range of integers such as 0..3, or log(1e-4..=1e-2, 5) or linear(0.1..=0.3, 5) for an f64"
)]
pub trait IntoDomain<T> {
    /// The values in order.
    fn into_values(self) -> Vec<T>;
}

impl<T, const N: usize> IntoDomain<T> for [T; N] {
    fn into_values(self) -> Vec<T> {
        self.into()
    }
}

impl<const N: usize> IntoDomain<String> for [&str; N] {
    fn into_values(self) -> Vec<String> {
        self.map(str::to_owned).into()
    }
}

impl<T> IntoDomain<T> for Vec<T> {
    fn into_values(self) -> Vec<T> {
        self
    }
}

impl<T: Clone> IntoDomain<T> for &[T] {
    fn into_values(self) -> Vec<T> {
        self.to_vec()
    }
}

/// Anything that can be written as the values of a `#[seed]`: values as for any parameter, or a
/// number of seeds, which start at 0.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a number of seeds nor a set of seeds of the type `{T}`",
    label = "expected seeds of the type `{T}`",
    note = "write how many, such as #[seed(3)], or which, such as #[seed([1, 5])] or #[seed(0..3)]"
)]
pub trait IntoSeeds<T> {
    /// The seeds in order.
    fn into_seeds(self) -> Vec<T>;
}

impl<T, D: IntoDomain<T>> IntoSeeds<T> for D {
    fn into_seeds(self) -> Vec<T> {
        self.into_values()
    }
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl ParameterValue for $integer {
            fn to_value(&self) -> Value {
                Value::Integer(*self as i128)
            }

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Integer(value) => Self::try_from(*value).ok(),
                    _ => None,
                }
            }
        }

        impl IntoSeeds<$integer> for $integer {
            fn into_seeds(self) -> Vec<$integer> {
                (0..self).collect()
            }
        }

        impl IntoDomain<$integer> for Range<$integer> {
            fn into_values(self) -> Vec<$integer> {
                self.collect()
            }
        }

        impl IntoDomain<$integer> for RangeInclusive<$integer> {
            fn into_values(self) -> Vec<$integer> {
                self.collect()
            }
        }
    )* };
}
integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

/// The domain given by an expression.
pub fn domain<T: ParameterValue>(values: impl IntoDomain<T>) -> Domain {
    Domain::of(&values.into_values())
}

/// The domain given by the seeds of an experiment.
pub fn seeds<T: ParameterValue>(values: impl IntoSeeds<T>) -> Domain {
    Domain::of(&values.into_seeds())
}

/// `count` evenly spaced numbers, both ends included: `linear(0.1..=0.3, 3)` is 0.1, 0.2, 0.3.
///
/// Numbers between the ends are rounded to six significant digits, so that tables and command lines
/// can name them.
pub fn linear(range: RangeInclusive<f64>, count: usize) -> Vec<f64> {
    let (start, end) = range.into_inner();
    spaced(start, end, count, |part| start + (end - start) * part)
}

/// `count` numbers with equal ratios, both ends included: `log(1e-4..=1e-2, 5)` is 0.0001,
/// 0.000316228, 0.001, 0.00316228, 0.01.
///
/// They are rounded like those of [`linear`]. Both ends must be above 0. Otherwise the numbers are
/// NaN, which every plan rejects.
pub fn log(range: RangeInclusive<f64>, count: usize) -> Vec<f64> {
    let (start, end) = range.into_inner();
    if start <= 0.0 || end <= 0.0 {
        return vec![f64::NAN; count];
    }
    spaced(start, end, count, |part| start * (end / start).powf(part))
}

fn spaced(start: f64, end: f64, count: usize, between: impl Fn(f64) -> f64) -> Vec<f64> {
    let number = |index| match index {
        0 => start,
        _ if index + 1 == count => end,
        // Decimal text is the simplest way to round to significant digits.
        _ => format!("{:.5e}", between(index as f64 / (count - 1) as f64))
            .parse()
            .expect("a number that was just written"),
    };
    (0..count).map(number).collect()
}

/// The domain of all levels of an enum.
pub fn levels<T: Level>() -> Domain {
    Domain::of(T::LEVELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected numbers are those of numpy.linspace and numpy.geomspace, to six digits.
    #[test]
    fn numbers_between_two_ends() {
        assert_eq!(linear(0.1..=0.3, 3), [0.1, 0.2, 0.3]);
        assert_eq!(linear(1.0..=-1.0, 4), [1.0, 0.333333, -0.333333, -1.0]);
        assert_eq!(
            log(1e-4..=1e-2, 5),
            [1e-4, 0.000316228, 1e-3, 0.00316228, 1e-2]
        );
        assert_eq!(log(2.0..=16.0, 4), [2.0, 4.0, 8.0, 16.0]);
        assert_eq!(log(0.5..=0.5, 1), [0.5]);
        assert!(linear(0.0..=1.0, 0).is_empty());
        assert!(log(0.0..=1.0, 3).iter().all(|number| number.is_nan()));
    }
}
