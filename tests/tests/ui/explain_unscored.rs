use xai_core::prelude::*;

fn scores(model: &Network, images: &Images) -> Result<Scores> {
    explain!(model = *model, input = *images, methods = [Saliency])
}

fn main() {}
