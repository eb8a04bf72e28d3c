//! What a parameter of an experiment can be, and the sets of values it can take.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use serde::{Serialize, Serializer};

/// A value of a parameter with its type erased: what plans, keys and manifests hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A switch.
    Bool(bool),
    /// Any of Rust's integers up to 64 bits.
    Integer(i128),
    /// A number.
    Float(f64),
    /// A text, or the name of a level.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"), // the shortest text that reads back the same
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            // The integers come from 64-bit types, so that one of the two always fits.
            Self::Integer(value) => match u64::try_from(*value) {
                Ok(value) => serializer.serialize_u64(value),
                Err(_) => serializer.serialize_i64(*value as i64),
            },
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
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
    /// Restores the type; `None` if the value is of another one.
    fn from_value(value: &Value) -> Option<Self>;
}

/// An enum whose variants are the levels of a factor: `#[derive(Clone, Level)]`.
///
/// A level is called by its variant's name in snake case, or as `#[level("1conv")]` says.
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
}

impl<T: Level> ParameterValue for T {
    fn to_value(&self) -> Value {
        Value::Text(self.name().to_owned())
    }

    fn from_value(value: &Value) -> Option<Self> {
        let Value::Text(name) = value else {
            return None;
        };
        Self::LEVELS
            .iter()
            .find(|level| level.name() == name)
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
pub struct Domain(pub Vec<Value>);

/// What can be written as the values of a parameter of type `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of values of the type `{T}`",
    label = "expected values of the type `{T}`",
    note = "write an array [a, b, c], a Vec, a slice, or (for integers) a range such as 0..3"
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

/// The domain that an expression stands for.
pub fn domain<T: ParameterValue>(values: impl IntoDomain<T>) -> Domain {
    Domain(values.into_values().iter().map(T::to_value).collect())
}

/// The domain of all levels of an enum.
pub fn levels<T: Level>() -> Domain {
    Domain(T::LEVELS.iter().map(T::to_value).collect())
}
