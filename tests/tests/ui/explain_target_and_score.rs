use xai_core::prelude::*;

fn scores(model: &Network, images: &Images) -> Result<Scores> {
    explain!(model = *model, input = *images, target = 1, methods = [Saliency], score = Precision)
}

fn main() {}
