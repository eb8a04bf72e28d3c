//! A cell of a sweep: what determines it, and what the store has of it.

use serde_json::{Value as Json, json};

use super::super::data::Data;
use super::super::key::Key;
use super::super::plan::Plan;
use super::super::run::Run;
use super::super::settings::{FIT_CODE, Settings, TEST_CODE};
use super::super::spec::Point;
use super::super::store::{MAPS, Manifest, SCORES, Scored, Store};
use super::super::weights::Weights;
use super::SweepOptions;
use super::agreement::Agreement;
use crate::benchmark::Protocol;
use crate::data::COLIN27;
use crate::error::Result;

/// A point of the design and what is known about it.
pub(in super::super) struct Cell {
    pub point: Point,
    pub key: Key,
    pub inputs: Json,
    pub manifest: Option<Manifest>,
    /// In a run that computes everything again: the fit that does not count.
    stale: Option<String>,
}

impl Cell {
    /// Whether a file is there and sound.
    pub fn has(&self, file: &str) -> bool {
        self.manifest
            .as_ref()
            .is_some_and(|manifest| manifest.files.contains_key(file))
    }

    /// Whether its explanations were scored on what `scored` says.
    pub fn is_tested(&self, scored: &Scored) -> bool {
        let manifest = self.manifest.as_ref();
        let files = self.has(SCORES) && self.has(MAPS);
        files && manifest.is_some_and(|known| known.scored.as_ref() == Some(scored))
    }

    /// Looks again: another process may have come further.
    pub fn refresh(&mut self, store: &Store, warn: impl Fn(String)) {
        self.manifest = store
            .find(&self.key, warn)
            .filter(|found| Some(&found.fit) != self.stale.as_ref());
    }
}

/// The cells of a plan with their keys and what the store has of them.
pub(in super::super) fn cells<R: Run>(
    plan: &Plan,
    options: &SweepOptions,
    given: (Option<&Data>, Option<&Weights>),
    store: &Store,
    warn: impl Fn(String),
) -> Result<Vec<Cell>> {
    let common = Inputs::of::<R>(plan, options, given);
    let cell = |point: &Point| {
        let inputs = common.at(point);
        let mut cell = Cell {
            point: point.clone(),
            key: Key::of(&inputs)?,
            inputs,
            manifest: None,
            stale: None,
        };
        cell.refresh(store, &warn);
        if options.fresh {
            cell.stale = cell.manifest.take().map(|manifest| manifest.fit);
        }
        Ok(cell)
    };
    plan.cells.iter().map(cell).collect()
}

/// What determines a model, beside the values of its cell.
struct Inputs {
    experiment: &'static str,
    scale: Json,
    settings: Settings,
    data: String,
    weights: Option<String>,
    protocol: String,
    device: &'static str,
    code: u32,
    version: u32,
}

impl Inputs {
    fn of<R: Run>(
        plan: &Plan,
        options: &SweepOptions,
        (data, weights): (Option<&Data>, Option<&Weights>),
    ) -> Self {
        Self {
            experiment: plan.name,
            scale: json!(options.scale),
            settings: options.settings(),
            data: match data {
                Some(data) => format!("scans {}", data.fingerprint()),
                None => format!("colin27 {}", blake3::hash(COLIN27).to_hex()),
            },
            weights: weights.map(|weights| weights.fingerprint().to_owned()),
            protocol: format!("{:?}", Protocol::corrected()),
            device: options.devices.kind(),
            code: FIT_CODE,
            version: R::FIT_VERSION,
        }
    }

    /// What the key of a cell is a hash of. Paths in it are what `--why` calls things by.
    fn at(&self, point: &Point) -> Json {
        let mut inputs = json!({
            "experiment": self.experiment,
            "values": values(point),
            "scale": self.scale,
            "settings": self.settings.of_fit(),
            "data": self.data,
            "protocol": self.protocol,
            "device": self.device,
            "code": { "FIT_CODE of xai-core": self.code, "FIT_VERSION": self.version },
        });
        if let Some(weights) = &self.weights {
            inputs["weights"] = json!(weights);
        }
        inputs
    }
}

/// What the scores of all winners depend on, beside the model of each.
pub(in super::super) fn scored<R: Run>(
    options: &SweepOptions,
    agreement: &Agreement,
) -> Result<Scored> {
    Ok(Scored {
        images: agreement.key()?,
        explained: options.settings().explained,
        code: [TEST_CODE, R::TEST_VERSION],
    })
}

/// The values by name.
pub(in super::super) fn values(point: &Point) -> Json {
    point
        .values()
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Scale, Value};

    /// Everything that a fit depends on changes its key, and nothing else does.
    #[test]
    fn a_key_changes_with_what_determines_the_result() {
        let inputs = || Inputs {
            experiment: "toy",
            scale: json!("smoke"),
            settings: Settings::at(Scale::Smoke),
            data: "one brain".to_owned(),
            weights: None,
            protocol: format!("{:?}", Protocol::corrected()),
            device: "flex",
            code: 1,
            version: 1,
        };
        let point = |rate| Point::origin(Scale::Smoke).with("rate", Value::Float(rate));
        let key = |inputs: &Inputs, rate| Key::of(&inputs.at(&point(rate))).unwrap();
        let whole = key(&inputs(), 0.1);
        assert_eq!(key(&inputs(), 0.1), whole);
        assert_ne!(key(&inputs(), 0.1 + f64::EPSILON), whole);

        let changed = |change: fn(&mut Inputs)| {
            let mut inputs = inputs();
            change(&mut inputs);
            key(&inputs, 0.1) != whole
        };
        assert!(changed(|inputs| inputs.experiment = "other"));
        assert!(changed(|inputs| inputs.data = "another brain".to_owned()));
        assert!(changed(|inputs| inputs.weights = Some("file".to_owned())));
        assert!(changed(|inputs| {
            let protocol = Protocol {
                strongest: 0.6,
                ..Protocol::corrected()
            };
            inputs.protocol = format!("{protocol:?}");
        }));
        assert!(changed(|inputs| inputs.settings.epochs += 1));
        assert!(changed(|inputs| inputs.settings.network.width_divisor += 1));
        assert!(changed(|inputs| inputs.device = "cuda"));
        assert!(changed(|inputs| inputs.code += 1));
        assert!(changed(|inputs| inputs.version += 1));
        // How many images are explained is none of the model's business.
        assert!(!changed(|inputs| inputs.settings.explained += 1));
    }
}
