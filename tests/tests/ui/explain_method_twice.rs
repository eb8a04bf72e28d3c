use xai_core::prelude::*;

fn look(model: &Network, images: &Images) -> Result<()> {
    let maps = explain!(model = *model, input = *images, methods = [Saliency, Lrp::epsilon(1e-9), Lrp::gamma(0.25)])?;
    println!("{:?}", maps.saliency);
    Ok(())
}

fn main() {}
