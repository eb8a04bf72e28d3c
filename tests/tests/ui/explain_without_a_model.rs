use xai_core::prelude::*;

fn scores(images: &Images) -> Result<Scores> {
    explain!(input = *images, methods = [Saliency], score = Precision)
}

fn main() {}
