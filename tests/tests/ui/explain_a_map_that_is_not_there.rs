use xai_core::prelude::*;

fn look(images: &Images) -> Result<()> {
    let maps = explain!(input = *images, methods = [Sobel])?;
    println!("{:?}", maps.laplace);
    Ok(())
}

fn main() {}
