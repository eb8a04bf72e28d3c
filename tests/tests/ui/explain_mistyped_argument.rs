use xai_core::prelude::*;

fn look(model: &Network, images: &Images) -> Result<()> {
    let maps = explain!(modle = *model, input = *images, methods = [Saliency])?;
    println!("{:?}", maps.saliency);
    Ok(())
}

fn main() {}
