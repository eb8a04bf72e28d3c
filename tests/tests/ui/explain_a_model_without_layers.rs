use xai_core::prelude::*;

struct Forest;

fn scores(model: &Forest, images: &Images) -> Result<Scores> {
    explain!(model = *model, input = *images, methods = [Saliency], score = Precision)
}

fn main() {}
