use xai_core::prelude::*;

fn look(model: &Network, images: &Images) -> Result<()> {
    let maps = explain!(model = *model, methods = [Saliency])?;
    println!("{:?}", maps.saliency);
    Ok(())
}

fn main() {}
