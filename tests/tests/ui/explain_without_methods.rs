use xai_core::prelude::*;

fn look(model: &Network, images: &Images) -> Result<()> {
    let maps = explain!(model = *model, input = *images, methods = [])?;
    println!("{:?}", maps.saliency);
    Ok(())
}

fn main() {}
