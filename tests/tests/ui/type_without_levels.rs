use xai_core::prelude::*;

enum Corpus {
    Mri,
}

#[experiment]
struct TypeWithoutLevels {
    #[axis]
    width: usize,
    #[axis]
    corpus: Corpus,
}

fn main() {}
