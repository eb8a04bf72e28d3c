//! The outputs of frozen layers for the training and validation images. They are computed once for
//! all trainings with the same start network and the same first trained layer, whatever their rates
//! and seeds.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value as Json, json};

use super::benchmark::Benchmark;
use super::kept::Pair;
use super::lab::Lab;
use crate::dataset::Split;
use crate::device::download;
use crate::error::{Error, Result};
use crate::key::{FIT_CODE, Key};
use crate::network::{Layer, Network};
use crate::training::Examples;

impl<B: Benchmark> Lab<B> {
    /// The training and validation images after the first `layers` layers of `network`, which are
    /// frozen.
    ///
    /// They are kept in memory if they fit into half of `--memory`. Otherwise they are a
    /// stage, whose file is mapped into memory and shared with other processes and later runs.
    pub(super) fn frozen(&self, network: &Network, layers: usize) -> Result<Pair> {
        let (train, validation) = (
            self.examples(Split::Train)?,
            self.examples(Split::Validation)?,
        );
        let pair = [&*train, &*validation];
        let beginning = Network::new(network.layers[..layers].to_vec());
        let dropout =
            |(_, layer): &(String, &Layer)| matches!(layer, Layer::Dropout(rate) if *rate > 0.0);
        if layers == 0 || beginning.named_layers().iter().any(dropout) {
            return Ok(pair.map(Clone::clone));
        }
        let inputs = json!({
            "network": beginning.fingerprint(),
            "images": [train.key(), validation.key()],
            "device": self.device_choice().kind(),
            "code": FIT_CODE,
        });
        let shape = train.shape_after(&beginning, layers);
        let row = shape.iter().product::<usize>() * size_of::<f32>();
        let bytes = row * pair.iter().map(|examples| examples.len()).sum::<usize>();
        if bytes > self.memory_to_share() {
            return self.frozen_in_files(pair, &beginning, shape, &inputs);
        }
        let name = format!("frozen {}", Key::of(&inputs)?);
        let found = self.shared(&name, || {
            let bar = self.progress(pair.iter().map(|one| one.len()).sum(), "frozen layers");
            let [train, validation] = pair;
            let through = |examples: &Examples| {
                examples.through_watched(&beginning, layers, |rows| bar.advance(rows))
            };
            Ok([through(train)?, through(validation)?])
        })?;
        Ok(Pair::clone(&found))
    }

    fn frozen_in_files(
        &self,
        pair: [&Examples; 2],
        beginning: &Network,
        shape: [usize; 3],
        inputs: &Json,
    ) -> Result<Pair> {
        const FILES: [&str; 2] = ["train.f32", "validation.f32"];
        let layers = beginning.layers.len();
        let folder = self.stage("frozen", inputs, |folder| {
            for (examples, file) in pair.iter().zip(FILES) {
                let bar = self.progress(examples.len(), "frozen layers");
                write(examples, beginning, &folder.join(file), |rows| {
                    bar.advance(rows)
                })?;
            }
            Ok(())
        })?;
        let open = |at: usize| pair[at].in_file(&folder.join(FILES[at]), shape, layers);
        Ok([open(0)?, open(1)?])
    }
}

/// Writes examples after all layers of `beginning`, in the format of [`Examples::in_file`].
fn write(
    examples: &Examples,
    beginning: &Network,
    path: &Path,
    mut each: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    let problem = |error| Error::file(path, error);
    let mut file = BufWriter::new(File::create(path).map_err(problem)?);
    examples.pass(beginning, beginning.layers.len(), |output| {
        let rows = output.dims()[0];
        let numbers: Vec<f32> = download(output).expect("32-bit floats");
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        file.write_all(&bytes).map_err(problem)?;
        each(rows)
    })?;
    file.flush().map_err(problem)
}
