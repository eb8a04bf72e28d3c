//! The benchmark as the engine sees it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Axis;
use serde_json::{Value as Json, json};

use super::folder::Folder;
use crate::dataset::{Dataset, Split};
use crate::error::Result;
use crate::sweep::context::{Benchmark, Context};
use crate::sweep::declare::Scale;

/// The options of the benchmark on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ArraysArgs {
    /// Folder that contains train, validation and test. Each of these contains images.npy, truth.npy, class.npy and
    /// optionally group.npy, or labels.csv (file,truth,class,group) and PNG files
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    pub arrays: PathBuf,
}

/// The user's own images, masks and classes.
///
/// The scale does not change them. It only changes how many images are explained.
#[derive(Clone)]
pub struct Arrays {
    folder: Arc<Folder>,
    path: PathBuf,
    explained: usize,
}

impl Arrays {
    /// Reads and checks all images of a folder.
    ///
    /// # Errors
    /// If a file cannot be used. The error names the file, the row and the problem.
    pub fn read(path: &Path, scale: Scale) -> Result<Self> {
        Ok(Self {
            folder: Arc::new(Folder::read(path)?),
            path: path.to_owned(),
            explained: scale.pick(16, 256, usize::MAX),
        })
    }

    /// The images of a split.
    fn dataset(&self, which: Split) -> &Dataset {
        let [train, validation, test] = &self.folder.splits;
        match which {
            Split::Train => train,
            Split::Validation => validation,
            Split::Test => test,
        }
    }
}

impl Benchmark for Arrays {
    const NAME: &'static str = "arrays";
    type Args = ArraysArgs;

    fn open(args: &ArraysArgs, scale: Scale) -> Result<Self> {
        Self::read(&args.arrays, scale)
    }

    /// Hashes of the files' content. The same images in another folder or file format are the same
    /// benchmark.
    fn identity(&self) -> Json {
        let keys = Split::ALL.map(|split| self.dataset(split).key());
        json!({ "splits": keys, "classes": self.folder.classes })
    }

    fn classes(&self) -> Vec<String> {
        self.folder.classes.clone()
    }

    fn split(&self, which: Split, _: &Context) -> Result<Dataset> {
        Ok(self.dataset(which).clone())
    }

    fn explained(&self) -> usize {
        self.explained
    }

    fn about(&self) -> Vec<(String, String)> {
        let [channels, height, width] = self.dataset(Split::Test).image_shape();
        let counts = Split::ALL.map(|split| format!("{split} {}", self.dataset(split).len()));
        let groups = match self.dataset(Split::Test).group() {
            Some(_) => "no group is in two splits",
            None => "no groups are given",
        };
        let mut text = format!(
            "{}: {} (images of {height} x {width} pixels and {channels} channel{}); classes {}; {groups}",
            self.path.display(),
            counts.join(", "),
            if channels == 1 { "" } else { "s" },
            self.folder.classes.join(", "),
        );
        let truth = self.dataset(Split::Test).truth().into_iter();
        let mut masks = truth.flat_map(|truth| truth.axis_iter(Axis(0)));
        let empty = masks
            .by_ref()
            .filter(|mask| !mask.iter().any(|&set| set))
            .count();
        if empty > 0 {
            text += &format!(
                "; {empty} test images have an empty mask, for which localisation has no score"
            );
        }
        for (split, earlier, count) in &self.folder.repeated {
            let earlier = match earlier {
                Split::Train => "training",
                _ => "validation",
            };
            text += &format!(
                "; {count} {split} images are also {earlier} images, so the accuracy says less about new images"
            );
        }
        vec![("arrays".to_owned(), text)]
    }
}
