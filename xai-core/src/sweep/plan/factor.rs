//! A parameter with its values, as a table shows it.

use serde::Serialize;

use super::ranges::ranges;

use crate::sweep::declare::{Role, Value};

/// A parameter with its values, as a table shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Factor {
    /// The parameter's name.
    pub name: &'static str,
    /// Its role.
    pub role: Role,
    /// Every value that occurs, in order of first appearance.
    pub levels: Vec<Value>,
}

impl Factor {
    /// The levels as texts. Rows of whole numbers are ranges such as `0..999`.
    pub(super) fn short_levels(&self) -> Vec<String> {
        let whole = |level: &Value| match level {
            Value::Integer(number) => Some(*number),
            _ => None,
        };
        match self.levels.iter().map(whole).collect::<Option<Vec<_>>>() {
            Some(numbers) if !numbers.is_empty() => {
                ranges(&numbers).split(',').map(str::to_owned).collect()
            }
            _ => self.levels.iter().map(Value::to_string).collect(),
        }
    }
}
