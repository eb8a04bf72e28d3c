use xai_core::prelude::*;

fn look(model: &Network, images: &Images) -> Result<()> {
    let maps = explain!(model = *model, input = *images, methods = [Lrp::default()], also = [("a", Channels::Sum)])?;
    println!("{:?}", maps.lrp);
    Ok(())
}

fn main() {}
