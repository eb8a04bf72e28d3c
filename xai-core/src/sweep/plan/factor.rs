//! What varies, as a table shows it.

use serde::Serialize;

use crate::sweep::declare::{Role, Value};

/// What varies, as a table shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Factor {
    /// The parameter's name.
    pub name: &'static str,
    /// What it is for.
    pub role: Role,
    /// Every value that occurs, in order of first appearance.
    pub levels: Vec<Value>,
}
