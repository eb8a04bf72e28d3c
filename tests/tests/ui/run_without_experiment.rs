use std::path::Path;
use xai_core::lesions::prelude::*;

struct Net;

impl Model for Net {
    fn save(&self, _: &Path) -> Result<()> {
        Ok(())
    }
    fn load(_: &Path, _: &xai_core::device::Device) -> Result<Self> {
        Ok(Net)
    }
    fn predict(&self, _: &Examples) -> Result<Vec<Vec<f64>>> {
        Ok(Vec::new())
    }
}

struct Forgotten;

impl Run for Forgotten {
    type Benchmark = Lesions;
    type Model = Net;
    fn fit(&self, _: &Lab) -> Result<Fitted<Net>> {
        unimplemented!()
    }
    fn test(&self, _: &Fitted<Net>, _: &Lab) -> Result<Scores> {
        unimplemented!()
    }
}

fn main() {}
