//! An amount of memory in readable form.

use std::fmt;
use std::str::FromStr;

use bytesize::ByteSize;

use crate::error::{Error, Result};

/// The value of `--memory`: bytes, or a number and a unit, such as `2GiB`, `512 MiB` or `1.5GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub usize);

/// The least number of bytes that is accepted without a unit.
const LEAST: u64 = 1 << 20;

impl Memory {
    /// The amount in bytes.
    pub fn bytes(self) -> usize {
        self.0
    }
}

impl FromStr for Memory {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        match text.parse::<ByteSize>() {
            // Without a unit, so few bytes were meant as something else.
            Ok(ByteSize(..LEAST)) if text.parse::<f64>().is_ok_and(|number| number > 0.0) => {
                Err(Error::invalid(format!(
                    "`{text}` has no unit and would be {text} bytes; write `{text}GiB` or `{text}MiB`"
                )))
            }
            Ok(size @ ByteSize(1..)) => Ok(Self(size.as_u64() as usize)),
            _ => Err(Error::invalid(format!(
                "`{text}` is not an amount of memory; write `2GiB`, `512MiB`, `1.5GB` or a number of bytes"
            ))),
        }
    }
}

/// In the largest unit of 1024 that gives an integer.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        let whole = |(_, bytes): &(&str, usize)| self.0 > 0 && self.0.is_multiple_of(*bytes);
        match units.into_iter().find(whole) {
            Some((name, bytes)) => write!(f, "{}{name}", self.0 / bytes),
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
            ("1048576", 1 << 20),
        ] {
            assert_eq!(text.parse::<Memory>().unwrap().bytes(), bytes, "{text}");
        }
        for text in ["", "GiB", "-1GiB", "0", "two", "nan", "inf", "1e400"] {
            let problem = text.parse::<Memory>().unwrap_err().to_string();
            assert!(problem.contains("`2GiB`"), "{problem}");
        }
        let problem = "2".parse::<Memory>().unwrap_err().to_string();
        assert!(problem.contains("write `2GiB`"), "{problem}");
        for text in ["2GiB", "1536MiB", "3KiB", "1000B"] {
            assert_eq!(text.parse::<Memory>().unwrap().to_string(), text);
        }
    }
}
