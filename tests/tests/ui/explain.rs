use xai_core::prelude::*;

fn main() {
    let _ = explain!(modle = 1, input = 2, methods = [Lrp::epsilon(1e-9), Lrp::gamma(0.25), 7]);
    let _ = explain!(input = 2, methods = Saliency, truth = 3);
    let _ = explain!(model = 1);
}
