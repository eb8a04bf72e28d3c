//! Several devices of one kind.

use std::fmt;
use std::str::FromStr;

use super::{Adapter, DeviceChoice};
use crate::error::{Error, Result};

/// The value of `--device`: one device, or several of one kind, between which cells are divided:
/// `flex`, `cuda`, `vulkan:0,1`. `flex,flex` is one processor as two devices, for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices(Vec<DeviceChoice>);

impl Devices {
    /// The devices in order; at least one.
    pub fn all(&self) -> &[DeviceChoice] {
        &self.0
    }

    /// Information about each GPU among them. Nothing for a CPU.
    pub fn adapters(&self) -> Vec<Adapter> {
        self.0
            .iter()
            .filter_map(|device| device.adapter())
            .collect()
    }

    /// The kind of all of them.
    pub fn kind(&self) -> &'static str {
        self.0[0].kind()
    }
}

impl Default for Devices {
    fn default() -> Self {
        DeviceChoice::default().into()
    }
}

impl From<DeviceChoice> for Devices {
    fn from(device: DeviceChoice) -> Self {
        Self(vec![device])
    }
}

impl FromStr for Devices {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut devices: Vec<DeviceChoice> = Vec::new();
        for part in text.split(',') {
            // In `cuda:0,1`, the kind is written once.
            let of_first = devices
                .first()
                .and_then(|first| first.at(part.parse().ok()?));
            let device = of_first.map_or_else(|| part.parse(), Ok)?;
            if devices
                .first()
                .is_some_and(|first| first.kind() != device.kind())
            {
                return Err(Error::invalid(format!(
                    "`{text}` mixes kinds of devices, whose results are not the same; use one kind"
                )));
            }
            if device.index().is_some() && devices.contains(&device) {
                return Err(Error::invalid(format!("`{text}` names {device} twice")));
            }
            devices.push(device);
        }
        Ok(Self(devices))
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0[0])?;
        self.0[1..]
            .iter()
            .try_for_each(|device| match device.index() {
                None => write!(f, ",{device}"),
                Some(index) => write!(f, ",{index}"),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in [
            "flex",
            "flex,flex",
            "cuda:0",
            "cuda:0,1",
            "cuda:3,1",
            "cuda-f32:0,1",
            "vulkan:0",
            "vulkan:1,0",
            "metal:0",
        ] {
            assert_eq!(text.parse::<Devices>().unwrap().to_string(), text);
        }
        assert_eq!("cuda,1".parse::<Devices>().unwrap().to_string(), "cuda:0,1");
        for (text, problem) in [
            ("cuda:0,cuda-f32:1", "mixes kinds"),
            ("flex,cuda", "mixes kinds"),
            ("cuda:0,vulkan:0", "mixes kinds"),
            ("cuda:1,1", "twice"),
            ("cuda:x", "not the number of a GPU"),
            ("gpu", "no device is called `gpu`"),
            ("flex:1", "no device is called `flex:1`"),
        ] {
            let message = text.parse::<Devices>().unwrap_err().to_string();
            assert!(message.contains(problem), "{text}: {message}");
        }
    }
}
