//! An amount of memory in readable form.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The value of `--memory`: bytes, or a number and a unit, such as `2GiB`, `512 MiB` or `1.5GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub usize);

/// Units and their bytes. The longer ones come first, because all of them end with `B`.
const UNITS: [(&str, f64); 7] = [
    ("GiB", (1u64 << 30) as f64),
    ("MiB", (1u64 << 20) as f64),
    ("KiB", 1024.0),
    ("GB", 1e9),
    ("MB", 1e6),
    ("KB", 1e3),
    ("B", 1.0),
];

impl Memory {
    /// The amount in bytes.
    pub fn bytes(self) -> usize {
        self.0
    }
}

impl FromStr for Memory {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lower = text.trim().to_ascii_lowercase();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, bytes)| {
                let number = lower.strip_suffix(&name.to_ascii_lowercase())?;
                Some((number.trim_end(), *bytes))
            })
            .unwrap_or((&lower, 1.0));
        match number.parse::<f64>() {
            Ok(number) if number.is_finite() && number * unit >= 1.0 => {
                Ok(Self((number * unit) as usize))
            }
            _ => Err(Error::invalid(format!(
                "`{text}` is not an amount of memory; write `2GiB`, `512MiB`, `1.5GB` or a number of bytes"
            ))),
        }
    }
}

/// In the largest unit of 1024 that gives an integer.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |&&(name, bytes): &&(&str, f64)| {
            name.contains('i') && self.0 > 0 && self.0.is_multiple_of(bytes as usize)
        };
        match UNITS.iter().find(whole) {
            Some((name, bytes)) => write!(f, "{}{name}", self.0 / *bytes as usize),
            None => write!(f, "{}B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("2GiB", 2 << 30),
            ("2 gib", 2 << 30),
            ("512MiB", 512 << 20),
            ("1.5GB", 1_500_000_000),
            ("64 KiB", 64 << 10),
            ("3kb", 3000),
            ("100B", 100),
            ("4096", 4096),
        ] {
            assert_eq!(text.parse::<Memory>().unwrap().bytes(), bytes, "{text}");
        }
        for text in ["", "GiB", "-1GiB", "0", "2TB", "two", "nan", "inf", "1e400"] {
            let problem = text.parse::<Memory>().unwrap_err().to_string();
            assert!(problem.contains("`2GiB`"), "{problem}");
        }
        for text in ["2GiB", "1536MiB", "3KiB", "1000B"] {
            assert_eq!(text.parse::<Memory>().unwrap().to_string(), text);
        }
    }
}
