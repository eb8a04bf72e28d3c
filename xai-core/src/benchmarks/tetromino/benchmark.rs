//! The benchmark as the engine sees it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::builder::RangedU64ValueParser;
use serde_json::{Value as Json, json};

use super::{Background, Photographs, Protocol, Scenario, Size, Tetromino};
use crate::dataset::{Dataset, Split};
use crate::error::Result;
use crate::key::Key;
use crate::sweep::context::{Benchmark, Context};
use crate::sweep::declare::{Level, ParameterValue, Scale, Value};

/// The options of the benchmark on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TetrominoArgs {
    /// Folder of photographs as PNG files, for the background photographs. If there are fewer than
    /// images, each gives several crops, and training and test share photographs
    #[arg(long, value_name = "DIR", help_heading = "Data and networks")]
    pub photographs: Option<PathBuf>,

    /// Explain at most this many test images of each data set
    #[arg(
        long,
        value_name = "N",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..),
        help_heading = "Data and networks"
    )]
    pub images: Option<usize>,
}

/// The number of images of a data set at smoke scale, and the number of explained test images.
const FEW: [usize; 2] = [2000, 20];

/// The number of pixels up to which several data sets are made at the same time.
const MOST_PIXELS: usize = 1 << 24;

impl Benchmark for Tetromino {
    const NAME: &'static str = "tetromino";
    type Args = TetrominoArgs;

    /// The linear scenario in white noise as published, at 8 x 8, or at 64 x 64 at the paper's scale.
    /// Experiments vary it.
    fn open(args: &TetrominoArgs, scale: Scale) -> Result<Self> {
        let size = scale.pick(Size::Eight, Size::Eight, Size::SixtyFour);
        let mut base = Self::new(
            Scenario::Linear,
            Background::White,
            size,
            Protocol::Published,
        );
        if scale == Scale::Smoke {
            [base.count, base.most_explained] = FEW;
        }
        if let Some(most) = args.images {
            base.most_explained = most;
        }
        let photographs = args.photographs.as_deref().map(Photographs::open);
        base.photographs = photographs.transpose()?;
        Ok(base)
    }

    fn identity(&self) -> Json {
        json!({ "images": self.identity_of_images(Split::Test), "defects": self.defects })
    }

    /// The same for all splits.
    fn identity_of_images(&self, _: Split) -> Json {
        let photographs = self.photographs.as_ref();
        let used = photographs.filter(|_| self.background == Background::Photographs);
        let mut identity = json!({
            "scenario": self.scenario.name(),
            "background": self.background.name(),
            "size": self.size.name(),
            "count": self.count,
            "seed": self.seed,
            "defects": self.defects.of_images(),
            "photographs": used.map(Photographs::key),
        });
        // Most data sets are not turned, and keep the keys that they had before this setting.
        if self.turned {
            identity["turned"] = true.into();
        }
        identity
    }

    fn classes(&self) -> Vec<String> {
        let named = match self.scenario {
            Scenario::Xor => ["equal signs", "unequal signs"],
            _ => ["T", "L"],
        };
        named.map(str::to_owned).to_vec()
    }

    fn split(&self, which: Split, context: &Context) -> Result<Dataset> {
        // All three splits are made together, and each is usually requested once. Meanwhile, the others are kept.
        type Made = Mutex<Option<(Key, [Option<Dataset>; 3])>>;
        let key = Key::of(&self.identity_of_images(which))?;
        // Of large data sets, one is made at a time, and only the parts of the latest are kept: 2 GB for 64 x 64 pixels.
        let large = self.count * self.size.side().pow(2) > MOST_PIXELS;
        let name = if large {
            "a large tetromino".to_owned()
        } else {
            format!("tetromino {key}")
        };
        let made = context.once::<Made>(&name, || Ok(Mutex::default()))?;
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Split::ALL
            .iter()
            .position(|&split| split == which)
            .unwrap_or_default();
        if let Some((of, splits)) = &mut *made
            && *of == key
            && let Some(dataset) = splits[place].take()
        {
            return Ok(dataset);
        }
        *made = None;
        let mut splits = self.make()?.map(Some);
        let dataset = splits[place].take().expect("just made");
        *made = Some((key, splits));
        Ok(dataset)
    }

    /// The figures have fixed places, except in one scenario.
    fn one_space(&self) -> bool {
        true
    }

    fn explained(&self) -> usize {
        self.most_explained
    }

    /// A parameter called `background` has the level `photographs` only if a folder of them was given.
    fn absent(&self, parameter: &str, value: &Value) -> Option<String> {
        let photographs = *value == Background::Photographs.to_value();
        let absent = parameter == "background" && photographs && self.photographs.is_none();
        absent.then(|| "no --photographs were given".to_owned())
    }

    fn unused(&self, cells: &mut dyn Iterator<Item = Self>) -> Option<String> {
        self.photographs.as_ref()?;
        let mut backgrounds = cells.map(|cell| cell.background);
        let used = backgrounds.any(|background| background == Background::Photographs);
        (!used).then(|| {
            "--photographs are not used: no cell of this plan has the background photographs"
                .to_owned()
        })
    }

    fn about(&self) -> Vec<(String, String)> {
        let photographs = self.photographs.as_ref().map(Photographs::folder);
        photographs
            .map(|folder| ("photographs".to_owned(), folder.display().to_string()))
            .into_iter()
            .collect()
    }
}
