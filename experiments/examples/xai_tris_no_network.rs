//! XAI-TRIS without networks: what edge filters, noise and the image itself score on the test images.

use std::path::Path;

use experiments::xai_tris::as_plotted;
use xai_core::device::Device;
use xai_core::tetromino::prelude::*;

/// How far does a map get that knows nothing of a network? (Clark, Wilming and Haufe 2024.)
#[experiment(snapshot = smoke)]
struct XaiTrisNoNetwork {
    #[axis]
    scenario: Scenario,
    #[axis([Background::White, Background::Correlated])]
    background: Background,
}

/// In place of a network. Both classes are equally probable.
struct NoNetwork;

impl Model for NoNetwork {
    fn save(&self, path: &Path) -> Result<()> {
        std::fs::write(path, "no network\n").map_err(|error| Error::file(path, error))
    }

    fn load(_: &Path, _: &Device) -> Result<Self> {
        Ok(Self)
    }

    fn predict(&self, examples: &Examples) -> Result<Vec<Vec<f64>>> {
        Ok(vec![vec![0.5; 2]; examples.len()])
    }
}

impl Run for XaiTrisNoNetwork {
    type Benchmark = Tetromino;
    type Model = NoNetwork;

    fn benchmark(&self, base: &Tetromino) -> Result<Tetromino> {
        Ok(as_plotted(base, self.scenario, self.background))
    }

    fn fit(&self, _: &Lab) -> Result<Fitted<NoNetwork>> {
        Ok(Fitted {
            model: NoNetwork,
            validation: Validation {
                accuracy: 0.5,
                ..Validation::default()
            },
            history: Vec::new(),
        })
    }

    fn test(&self, _: &Fitted<NoNetwork>, lab: &Lab) -> Result<Scores> {
        lab.explain_by_none(&lab.test().all()?)
    }
}

fn main() -> ExitCode {
    xai_core::run::<XaiTrisNoNetwork>()
}
