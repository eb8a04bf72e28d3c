//! A parameter with its values, as a table shows it.

use serde::Serialize;

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
