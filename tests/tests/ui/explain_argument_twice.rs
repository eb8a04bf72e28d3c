use xai_core::prelude::*;

fn look(model: &Network, images: &Images) -> Result<()> {
    let maps = explain!(model = *model, model = *model, input = *images, methods = [Saliency])?;
    println!("{:?}", maps.saliency);
    Ok(())
}

fn main() {}
